"""What callers of Tempo's API write, read as Tempo reads it. It asks the store nothing."""

from collections.abc import Callable
from typing import Final, TypeVar

from pydantic import BaseModel, Field

from homeostat_server.api.go_values import parse_go_duration, parse_integer
from homeostat_server.exceptions import InvalidRequest
from homeostat_server.query.times import NS_PER_S, parse_time
from homeostat_server.query.window import Window

RECENT_NS: Final = 3_600 * NS_PER_S
"""What is looked at where no time is said; Tempo looks at what it has not yet put away, which is about as much."""

QUERY_LENGTH_MAX: Final = 16_384

_ID_DIGITS_MAX: Final = 32
_SECONDS_DIGITS_MAX: Final = 10
_POINTS: Final = 240
_STEPS_S: Final = (3_600, 300, 60, 15, 5, 1)
_STEP_SHORTEST_NS: Final = 50_000_000

T = TypeVar("T")


class TimesParameters(BaseModel):
    """Say a stretch of time in seconds."""

    start: str | None = Field(None, description="Seconds since 1970", examples=["1769846400"])
    end: str | None = Field(None, description="Seconds since 1970", examples=["1769850000"])

    def given(self) -> Window | None:
        """Return the window, None when it is not said.

        Raises:
            InvalidRequest: it cannot be read, or is none.
        """
        start_s = named("start", parse_integer, self.start) or 0
        end_s = named("end", parse_integer, self.end) or 0
        if not start_s and not end_s:
            return None
        if end_s <= start_s:
            raise InvalidRequest(f"http parameter start must be before end. received start={start_s} end={end_s}")
        return Window(start_s * NS_PER_S, end_s * NS_PER_S)

    def window(self, *, now_ns: int) -> Window:
        """Return the window, the last hour when it is not said.

        Raises:
            InvalidRequest: it cannot be read, or is none.
        """
        return self.given() or Window(max(0, now_ns + 1 - RECENT_NS), now_ns + 1)


def named(name: str, parse: Callable[[str], T], text: str | None) -> T | None:
    """Return what a parameter says, None when it is empty.

    Raises:
        InvalidRequest: it cannot be read.
    """
    if not text:
        return None
    try:
        return parse(text)
    except InvalidRequest as error:
        raise InvalidRequest(f"invalid {name}: {error}") from error


def trace_id_of_text(text: str) -> str:
    """Return a trace id as 32 small hexadecimal digits; one with fewer has zeros before them.

    Raises:
        InvalidRequest: it is none.
    """
    for place, letter in enumerate(text[:200], start=1):
        if letter not in "0123456789abcdefABCDEF":
            told = f"invalid character '{letter}' at position {place}"
            raise InvalidRequest(f"trace IDs can only contain hex characters: {told}")
    if len(text) > _ID_DIGITS_MAX:
        raise InvalidRequest("trace IDs can't be larger than 128 bits")
    return text.lower().zfill(_ID_DIGITS_MAX)


def moment_of_text(text: str, *, name: str) -> int:
    """Return a moment of a metrics question in nanoseconds: seconds, nanoseconds or RFC 3339.

    Raises:
        InvalidRequest: it is none.
    """
    if text.isdecimal() and text.isascii():
        number = parse_integer(text)
        return number * NS_PER_S if len(text) <= _SECONDS_DIGITS_MAX else number
    return parse_time(text, name=name)


def step_of_text(text: str) -> int:
    """Return a step in nanoseconds: a number of seconds or a duration.

    Raises:
        InvalidRequest: it is none, or not above zero.
    """
    try:
        step_ns = round(float(text) * NS_PER_S) if _is_number(text) else parse_go_duration(text)
    except (ValueError, OverflowError) as error:
        raise InvalidRequest(f"{text[:100]} is no step") from error
    if not 0 < step_ns < 2**63:
        raise InvalidRequest(f"{text[:100]} is no step")
    return step_ns


def usual_step_ns(window: Window) -> int:
    """Return the step of a question that says none: some 240 steps, each a round time."""
    length_ns = window.end_ns - window.start_ns
    share_ns = length_ns // _POINTS
    if length_ns < 60 * NS_PER_S:
        return max(_STEP_SHORTEST_NS, share_ns // _STEP_SHORTEST_NS * _STEP_SHORTEST_NS)
    for step_s in _STEPS_S:
        step_ns = step_s * NS_PER_S
        if share_ns > step_ns:
            return share_ns // step_ns * step_ns
    return NS_PER_S


def _is_number(text: str) -> bool:
    return bool(text) and all(letter in "0123456789.eE+-" for letter in text[:100])
