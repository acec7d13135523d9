"""Fakes of this room's ports for tests, ours and yours. Nothing here reads the machine."""

from typing import Final

_NANOSECONDS_PER_SECOND: Final = 1_000_000_000
_DEFAULT_NOW_NS: Final = 1_767_225_600 * _NANOSECONDS_PER_SECOND  # 2026-01-01T00:00:00Z, any fixed moment would do


class ManualClock:
    """Stand still until a test moves it; implements `homeostat_server.runtime.clock.Clock`."""

    def __init__(self, *, now_ns: int = _DEFAULT_NOW_NS, monotonic_s: float = 0.0) -> None:
        """Start at the given moments."""
        self._now_ns = now_ns
        self._monotonic_s = monotonic_s

    def now_ns(self) -> int:
        """Return the nanoseconds since the Unix epoch that the test has set."""
        return self._now_ns

    def monotonic_s(self) -> float:
        """Return the seconds that the test has let pass, plus the start."""
        return self._monotonic_s

    def advance(self, seconds: float) -> None:
        """Let both clocks pass the given seconds."""
        self._now_ns += round(seconds * _NANOSECONDS_PER_SECOND)
        self._monotonic_s += seconds

    def set_now_ns(self, now_ns: int) -> None:
        """Jump the wall clock only, as an operator or NTP does."""
        self._now_ns = now_ns
