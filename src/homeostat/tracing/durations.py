"""How long parts of a span took, where they are too small or too many to be spans of their own."""

import time
from collections.abc import Callable
from types import TracebackType
from typing import Final, Self

from opentelemetry.trace import INVALID_SPAN, Span, get_current_span

from homeostat.tracing.failures import FAILURES

BEGINNING: Final = "duration."
ENDING: Final = "_s"


class Measured:
    """Measure a `with` block by a clock that never goes back, and say its seconds on the span that was current.

    Attributes:
        seconds: how long the block took; until it ends, how long so far.
    """

    def __init__(self, name: str, *, span: Span | None = None, clock: Callable[[], float] = time.perf_counter) -> None:
        self._name = name
        self._span = span
        self._clock = clock
        self._started_s = clock()
        self._taken_s: float | None = None

    @property
    def seconds(self) -> float:
        """Return how long the block took; until it ends, how long so far."""
        return self._clock() - self._started_s if self._taken_s is None else self._taken_s

    def __enter__(self) -> Self:
        """Start the clock."""
        self._span = get_current_span() if self._span is None else self._span
        self._started_s = self._clock()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop the clock and set the attribute, also when the block failed."""
        self._taken_s = self._clock() - self._started_s
        with FAILURES.contained("recording a duration"):
            (self._span or INVALID_SPAN).set_attribute(f"{BEGINNING}{self._name}{ENDING}", self._taken_s)


def measured(name: str, *, span: Span | None = None) -> Measured:
    """Measure a `with` block: the seconds become the attribute `duration.<name>_s` of the current span.

    Args:
        name: of the part: "parse".
        span: whose attribute it is, instead of the current one.

    Example:
        >>> with measured("parse") as parsing:
        ...     rows = [line.split(",") for line in ("a,b", "c,d")]
        >>> parsing.seconds < 1
        True
    """
    return Measured(name, span=span)
