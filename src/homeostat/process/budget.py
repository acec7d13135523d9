"""How long the end of the process may still take. All signals draw from one budget; it does not know them."""

import time
from collections.abc import Callable


class ExitBudget:
    """Count down from the first time that somebody asks; who comes later gets what is left.

    Args:
        total_s: seconds that all of it may take.
        monotonic_s: a clock in seconds that never goes back.
    """

    def __init__(self, total_s: float, *, monotonic_s: Callable[[], float] = time.monotonic) -> None:
        self._total_s = total_s
        self._monotonic_s = monotonic_s
        self._deadline_s: float | None = None

    def remaining_s(self) -> float:
        """Return the seconds that are left, 0 when none are; the first call begins the count."""
        if self._deadline_s is None:
            self._deadline_s = self._monotonic_s() + self._total_s
        return max(0.0, self._deadline_s - self._monotonic_s())
