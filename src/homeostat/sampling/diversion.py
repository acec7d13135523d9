"""Where spans go instead while a test captures them: for every sampling of this process, those to come included.

The state is the process's, as OpenTelemetry's provider is: a test must see the spans of whatever was configured. Only
`homeostat.testing` diverts.
"""

import threading
import weakref
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final, Protocol

from opentelemetry.sdk.trace import SpanProcessor


class Divertible(Protocol):
    """What sends spans somewhere, and can be told to send them elsewhere."""

    def divert(self, to: SpanProcessor | None) -> None:
        """Send everything there from now on; None for where it belongs."""


_LOCK: Final = threading.RLock()
_MEMBERS: Final["weakref.WeakSet[Divertible]"] = weakref.WeakSet()
_TARGETS: Final[list[SpanProcessor]] = []
"""The innermost capture is the last."""


def join(member: Divertible) -> None:
    """Take part: be told now, and whenever a capture begins or ends."""
    with _LOCK:
        _MEMBERS.add(member)
        if _TARGETS:
            member.divert(_TARGETS[-1])


@contextmanager
def diverted(to: SpanProcessor) -> Iterator[None]:
    """Send the spans of this process to another processor until the block ends; nothing is exported meanwhile."""
    with _LOCK:
        _TARGETS.append(to)
        _tell()
    try:
        yield
    finally:
        with _LOCK:
            _TARGETS.remove(to)
            _tell()


def _tell() -> None:
    for member in list(_MEMBERS):
        member.divert(_TARGETS[-1] if _TARGETS else None)
