"""When the backend may be asked again. It sends nothing and has no clock.

Closed, after a failure the next try waits a moment; after some failures in a row the breaker opens, and the backend is
left alone, longer each time. Then one request is let through: its success closes the breaker, its failure opens it
again. Waits are drawn at random below their bound ("full jitter"), so that many processes do not return at once; see
https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter/.
"""

from collections.abc import Callable
from enum import Enum
from typing import Final

_SHORTEST_SHARE: Final = 0.5  # of a wait; all the way to zero would be a try at once
_DOUBLINGS_MAX: Final = 32


class BreakerState(Enum):
    """Say what may be sent."""

    CLOSED = "closed"
    OPEN = "open"
    HALF_OPEN = "half-open"


class Breaker:
    """Count failures. Not thread-safe.

    Args:
        failures: after how many in a row it opens.
        delay_s: the first wait; it doubles with each further failure.
        delay_max_s: the longest wait, unless the backend asks for more.
        random: gives numbers from 0 to 1.
    """

    def __init__(self, *, failures: int, delay_s: float, delay_max_s: float, random: Callable[[], float]) -> None:
        """Begin closed."""
        self._failures_max = failures
        self._delay_s = delay_s
        self._delay_max_s = delay_max_s
        self._random = random
        self._failures = 0
        self._again_at_s = float("-inf")

    def state(self, now_s: float) -> BreakerState:
        """Return what may be sent now."""
        if self._failures < self._failures_max:
            return BreakerState.CLOSED
        return BreakerState.OPEN if now_s < self._again_at_s else BreakerState.HALF_OPEN

    @property
    def is_well(self) -> bool:
        """Say whether the last answer was a good one."""
        return not self._failures

    def wait_s(self, now_s: float) -> float:
        """Return how long nothing may be sent; 0 when something may."""
        return max(0.0, self._again_at_s - now_s)

    def succeeded(self) -> None:
        """Note an answer."""
        self._failures = 0
        self._again_at_s = float("-inf")

    def failed(self, now_s: float, *, retry_after_s: float | None = None) -> None:
        """Note a failure, and how long the backend asked to be left alone."""
        doublings = min(self._failures, _DOUBLINGS_MAX)
        self._failures += 1
        bound_s = min(self._delay_max_s, self._delay_s * 2**doublings)
        wait_s = bound_s * (_SHORTEST_SHARE + (1 - _SHORTEST_SHARE) * self._random())
        self._again_at_s = now_s + max(wait_s, retry_after_s or 0.0)
