"""What became of every item, by signal, and the line a minute that tells of losses. It decides nothing."""

import logging
import threading
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Final

_REPORT_EVERY_S: Final = 60.0
_NOUNS: Final = {"traces": "spans", "logs": "log records", "metrics": "data points"}

_LOG: Final = logging.getLogger("homeostat.export")


@dataclass(frozen=True, slots=True, kw_only=True)
class Statistics:
    """Hold what became of items so far.

    Args:
        accepted: items that were given to the export, those included that it had to drop.
        sent: items that the backend took.
        spooled: items that were put into the backlog because the backend did not take them at once.
        replayed: items that the backend took out of the backlog; they are in `sent`, too.
        dropped: items that are lost, by reason.
        waiting: items in memory that nobody was asked to take yet.
        backlog_bytes: bytes in the backlog.
        breaker: `closed`, `open` or `half-open`.
    """

    accepted: int = 0
    sent: int = 0
    spooled: int = 0
    replayed: int = 0
    dropped: Mapping[str, int] = field(default_factory=dict)
    waiting: int = 0
    backlog_bytes: int = 0
    breaker: str = "closed"


class Counts:
    """Count items. Thread-safe.

    Args:
        now_s: a clock in seconds that never goes back.
    """

    def __init__(self, *, now_s: Callable[[], float]) -> None:
        """Begin with nothing."""
        self._now_s = now_s
        self._begin()

    def _begin(self) -> None:
        # Entered again by a signal's handler that interrupts it, so it must not wait for itself.
        self._lock = threading.RLock()
        self.accepted: int = 0
        self.sent: int = 0
        self.spooled: int = 0
        self.replayed: int = 0
        self._dropped: Counter[str] = Counter()
        self._untold: Counter[tuple[str, str]] = Counter()
        self._why: dict[str, str] = {}
        self._told_at_s = float("-inf")

    def count(self, *, accepted: int = 0, sent: int = 0, spooled: int = 0, replayed: int = 0) -> None:
        """Add to what went well."""
        with self._lock:
            self.accepted += accepted
            self.sent += sent
            self.spooled += spooled
            self.replayed += replayed

    def leave(self, items: int, reason: str) -> None:
        """Add to what is not sent because somebody else does; nobody is told."""
        with self._lock:
            self._dropped[reason] += items

    def drop(self, signal: str, items: int, reason: str, why: str = "") -> None:
        """Add to what is lost; `why` is what the backend said."""
        with self._lock:
            self._dropped[reason] += items
            self._untold[signal, reason] += items
            if why:
                self._why[reason] = why

    @property
    def dropped(self) -> dict[str, int]:
        """Return what is lost, by reason."""
        with self._lock:
            return dict(self._dropped)

    def tell(self, *, at_once: bool = False) -> None:
        """Log what was lost since the last time, once a minute at most unless it is the last time."""
        with self._lock:
            now_s = self._now_s()
            if not self._untold or (now_s < self._told_at_s + _REPORT_EVERY_S and not at_once):
                return
            self._told_at_s = now_s
            untold, self._untold = self._untold, Counter()
            why, self._why = self._why, {}
        parts = [
            f"{items} {_NOUNS.get(signal, signal)} ({reason})" for (signal, reason), items in sorted(untold.items())
        ]
        said = "".join(f"; {reason}: {text}" for reason, text in sorted(why.items()))
        _LOG.warning("homeostat lost telemetry: %s%s", ", ".join(parts), said)

    def forget(self) -> None:
        """Begin again with nothing, in a forked child; what was counted is the parent's."""
        self._begin()
