"""Time as an argument. Nothing outside this module asks the operating system what time it is."""

import time
from typing import Protocol


class Clock(Protocol):
    """Tell the time.

    `now_ns` is wall time and may jump either way; `monotonic_s` never goes back and means nothing across processes.
    """

    def now_ns(self) -> int:
        """Return nanoseconds since the Unix epoch, UTC."""
        ...

    def monotonic_s(self) -> float:
        """Return seconds since some fixed moment."""
        ...


class SystemClock:
    """Tell the operating system's time."""

    def now_ns(self) -> int:
        """Return nanoseconds since the Unix epoch, UTC."""
        return time.time_ns()

    def monotonic_s(self) -> float:
        """Return seconds since some fixed moment."""
        return time.monotonic()
