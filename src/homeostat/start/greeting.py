"""The five lines that a person sees at the start. It reads what was found and decides nothing."""

import os
from collections.abc import Iterable, Sequence
from importlib.util import find_spec
from typing import Final, TextIO

from homeostat.process.version import __version__
from homeostat.settings.table import Settings
from homeostat.start.resource import service_name

_SHOWN_MAX: Final = 8


def is_wanted(settings: Settings, stream: TextIO | None) -> bool:
    """Say whether the lines are to be printed: when asked for, or by default to a terminal."""
    if stream is None or settings.greeting == "off":
        return False
    return settings.greeting == "on" or stream.isatty()


def greeting(
    settings: Settings,
    *,
    ratio: float,
    instrumented: Sequence[str],
    waiting: Sequence[str],
    problems: Sequence[str],
) -> tuple[str, ...]:
    """Return the five lines.

    Args:
        settings: of the process.
        ratio: share of traces kept.
        instrumented: kinds of applications and names of libraries that are instrumented by now.
        waiting: names of libraries that will be when the program imports them.
        problems: what was wrong.
    """
    head = f"homeostat {__version__}: {service_name(settings)} ({settings.environment}), pid {os.getpid()}"
    return (
        f"{head}, traces {ratio:.0%} of requests{' and all errors' if settings.sampling_keep_errors else ''}",
        f"  instrumented: {_listed(instrumented)}; on import: {_listed(waiting)}",
        f"  sends to:     {destination(settings)}",
        f"  off:          {'; '.join(what_is_off(settings, problems)) or 'nothing'}",
        f"  at exit:      up to {settings.exit_budget_s:g} s for what waits{_rest(settings)}; more: homeostat doctor",
    )


def destination(settings: Settings) -> str:
    """Return where data goes and how, for a reader."""
    address = settings.traces_endpoint or settings.target
    key = "with a key" if settings.api_key or settings.headers else "without a key"
    disk = f", {settings.buffer_bytes_max // 1024**2} MiB on disk for outages" if settings.buffer else ""
    return f"{address} ({settings.protocol}, {key}){disk}"


def what_is_off(settings: Settings, problems: Sequence[str]) -> Iterable[str]:
    """Return what is not at work, each with the reason."""
    if not settings.enabled:
        yield f"everything ({settings.origin('enabled')})"
    if not settings.traces:
        yield f"traces ({settings.origin('traces')})"
    if not settings.buffer:
        yield f"buffer on disk ({settings.origin('buffer')})"
    if find_spec("opentelemetry.instrumentation") is None:
        yield "client libraries (pip install 'homeostat[instrumentation]')"
    if problems:
        yield f"{len(problems)} warning{'s' if len(problems) > 1 else ''} above"


def _listed(names: Sequence[str]) -> str:
    shown = ", ".join(names[:_SHOWN_MAX])
    return f"{shown} and {len(names) - _SHOWN_MAX} more" if len(names) > _SHOWN_MAX else shown or "nothing"


def _rest(settings: Settings) -> str:
    return ", the rest stays on disk" if settings.buffer else ", the rest is dropped"
