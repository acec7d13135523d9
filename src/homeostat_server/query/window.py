"""Which stretch of time a question is about. It knows the bounds of a window, not the question."""

from dataclasses import dataclass
from typing import Final

from homeostat_server.exceptions import InvalidRequest
from homeostat_server.query.times import NS_PER_S, TIME_NS_MAX, format_time, parse_duration, parse_time
from homeostat_server.store.ports import Parameter

DEFAULT_SPAN_S: Final = 3_600
WINDOW_DAYS_MAX: Final = 31
"""A day more than the longest retention."""

SPAN_NS_MAX: Final = WINDOW_DAYS_MAX * 86_400 * NS_PER_S


@dataclass(frozen=True, slots=True)
class Window:
    """Hold a stretch of time in nanoseconds since the Unix epoch; the end does not belong to it."""

    start_ns: int
    end_ns: int

    def __post_init__(self) -> None:
        """Refuse a window that is empty, too long, or out of what a time column holds."""
        if not 0 <= self.start_ns < self.end_ns <= TIME_NS_MAX:
            raise InvalidRequest("use a window of time", value=self._shown(), hint="The start is before the end.")
        if self.end_ns - self.start_ns > SPAN_NS_MAX:
            raise InvalidRequest(
                "use a window of time", value=self._shown(), hint=f"It is at most {WINDOW_DAYS_MAX} days long."
            )

    def _shown(self) -> str:
        if not 0 <= self.start_ns <= TIME_NS_MAX or not 0 <= self.end_ns <= TIME_NS_MAX:
            return f"{self.start_ns} to {self.end_ns} ns since 1970"  # some are in no calendar
        return f"{format_time(self.start_ns)} to {format_time(self.end_ns)}"

    @property
    def last_ns(self) -> int:
        """Return the last nanosecond in it."""
        return self.end_ns - 1

    @property
    def duration_s(self) -> float:
        """Return how long it is."""
        return (self.end_ns - self.start_ns) / NS_PER_S

    def parameters(self) -> dict[str, Parameter]:
        """Return the parameters of the condition `sql.during()`."""
        return {"first_ns": self.start_ns, "last_ns": self.last_ns}


def parse_window(start: str | None, end: str | None, *, length: str | None = None, now_ns: int) -> Window:
    """Return the window between two moments as `parse_time` reads them.

    Without an end it ends now; without a start it is as long as `length` says, else an hour.

    Raises:
        InvalidRequest: a moment or the length cannot be read, both start and length are given, or the window is empty
            or too long.
    """
    if start is not None and length is not None:
        raise InvalidRequest("use a window of time", value=length, hint="Give `start` or `window`, not both.")
    # What was stored in this very nanosecond belongs to it.
    end_ns = now_ns + 1 if end is None else parse_time(end, name="end")
    if start is not None:
        return Window(parse_time(start, name="start"), end_ns)
    length_ns = DEFAULT_SPAN_S * NS_PER_S if length is None else parse_duration(length, name="window")
    return Window(max(0, end_ns - length_ns), end_ns)
