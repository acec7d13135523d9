"""What went wrong inside tracing itself: counted always, told once for each place.

The program that is observed must not fail, slow down or have its log flooded because observing it fails.
"""

import logging
import threading
from collections import Counter
from collections.abc import Mapping
from types import TracebackType
from typing import Final

_LOGGER: Final = logging.getLogger("homeostat.tracing")
_PLACES_MAX: Final = 256
"""Places are named by this package, but one name may hold a word of the program: a bound on how many are kept apart."""
_OTHER_PLACE: Final = "elsewhere"


class Failures:
    """Count failures by place and log the first of each."""

    def __init__(self) -> None:
        self._counts: Counter[str] = Counter()
        self._lock = threading.Lock()

    def contained(self, place: str) -> "Contained":
        """Return a `with` block from which no exception leaves: it is counted instead, and the block ends there."""
        return Contained(self, place)

    def caught(self, place: str, error: BaseException) -> None:
        """Count an exception that was kept from the program; the first at this place is logged with its traceback."""
        if self._first(place):
            _LOGGER.warning("%s failed and goes on without; further failures are only counted", place, exc_info=error)

    def noticed(self, place: str, message: str) -> None:
        """Count a misuse that is no exception; the first at this place is logged."""
        if self._first(place):
            _LOGGER.warning("%s; further cases are only counted", message)

    def counts(self) -> Mapping[str, int]:
        """Return how often each place failed since the start of the process."""
        with self._lock:
            return dict(self._counts)

    def clear(self) -> None:
        """Forget everything, so that the next failure is told again: for tests."""
        with self._lock:
            self._counts.clear()

    def renew(self) -> None:
        """Replace the lock in a forked child: a thread that is gone may have held it."""
        self._lock = threading.Lock()

    def _first(self, place: str) -> bool:
        with self._lock:
            if place not in self._counts and len(self._counts) >= _PLACES_MAX:
                place = _OTHER_PLACE
            self._counts[place] += 1
            return self._counts[place] == 1


class Contained:
    """A block from which no exception leaves. Those that only leave (`SystemExit`, `CancelledError`) do."""

    __slots__ = ("_failures", "_place")

    def __init__(self, failures: Failures, place: str) -> None:
        self._failures = failures
        self._place = place

    def __enter__(self) -> None:
        """Begin."""

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> bool:
        """Keep an exception from the program."""
        if not isinstance(error, Exception):
            return False
        self._failures.caught(self._place, error)
        return True


FAILURES: Final = Failures()
"""The one of this process. Helpers are plain functions that have no object to hold it, as OpenTelemetry's own are."""
