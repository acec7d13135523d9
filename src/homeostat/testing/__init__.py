"""Tests of telemetry: what code makes (`capture`), and what a platform has received (`platform`).

The fixture `capture` needs no import; for other test runners there is `capturing()`. Names are loaded when they are
first used, because every run of pytest loads the plugin beside them.
"""

import importlib
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from homeostat.testing.capture import Capture, capturing
    from homeostat.testing.platform import NewTrace, Platform, new_trace
    from homeostat.testing.recorded import RecordedEvent, RecordedLink, RecordedSpan
    from homeostat.testing.spans import ROOT, Expectation, Spans

__all__ = [
    "ROOT",
    "Capture",
    "Expectation",
    "NewTrace",
    "Platform",
    "RecordedEvent",
    "RecordedLink",
    "RecordedSpan",
    "Spans",
    "capturing",
    "new_trace",
]

_HOMES: Final = {
    "ROOT": "spans",
    "Capture": "capture",
    "Expectation": "spans",
    "NewTrace": "platform",
    "Platform": "platform",
    "RecordedEvent": "recorded",
    "RecordedLink": "recorded",
    "RecordedSpan": "recorded",
    "Spans": "spans",
    "capturing": "capture",
    "new_trace": "platform",
}


def __getattr__(name: str) -> object:
    """Load a public name from its module and keep it."""
    home = _HOMES.get(name)
    if home is None:
        message = f"module {__name__!r} has no attribute {name!r}"
        raise AttributeError(message)
    value: object = getattr(importlib.import_module(f"{__name__}.{home}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
