"""Which requests were acknowledged lately, so that a client's retry is not stored twice. It does no IO.

A digest is remembered from its acknowledgement for a window; asking for it does not extend the window, so a sender of
ever the same bytes is stored once a window and not once for ever. Bounded by count: the oldest is shed first.
"""

import threading
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from homeostat_server.runtime.clock import Clock

_NANOSECONDS_PER_SECOND: Final = 1_000_000_000


@dataclass(frozen=True, slots=True)
class Acknowledged:
    """Say that the request with this digest is durable in this segment, and since when (wall clock)."""

    digest: bytes
    number: int
    at_ns: int


class Duplicates:
    """Remember the digests of the last `window_s` seconds, at most `count_max` of them. Thread-safe."""

    def __init__(self, *, clock: Clock, window_s: float, count_max: int) -> None:
        """Begin with nothing."""
        self._clock = clock
        self._window_s = window_s
        self._count_max = count_max
        self._lock = threading.Lock()
        self._known: dict[bytes, tuple[float, int]] = {}
        self._order: deque[tuple[float, bytes]] = deque()
        self._by_segment: dict[int, deque[bytes]] = {}

    def find(self, digest: bytes) -> int | None:
        """Return the number of the segment that the request went into, None when it is not known."""
        with self._lock:
            self._expire()
            found = self._known.get(digest)
            return None if found is None else found[1]

    def add(self, digests: Iterable[bytes], *, number: int) -> int:
        """Remember digests that were acknowledged just now; return how many others were shed for them."""
        at_s = self._clock.monotonic_s()
        with self._lock:
            self._expire()
            return sum(self._remember(digest, number=number, at_s=at_s) for digest in digests)

    def restore(self, entries: Iterable[Acknowledged]) -> int:
        """Remember what an earlier run acknowledged, return how many were shed; call before the first `add`.

        A time that lies in the future (the wall clock went back) counts as now: rather too long than too short.
        """
        now_ns, now_s = self._clock.now_ns(), self._clock.monotonic_s()
        shed = 0
        with self._lock:
            for entry in sorted(entries, key=lambda entry: entry.at_ns):
                age_s = max(0, now_ns - entry.at_ns) / _NANOSECONDS_PER_SECOND
                if age_s <= self._window_s:
                    shed += self._remember(entry.digest, number=entry.number, at_s=now_s - age_s)
        return shed

    def of_segment(self, number: int) -> list[Acknowledged]:
        """Return what is remembered of one segment, oldest first."""
        with self._lock:
            self._expire()
            return [self._acknowledged(digest) for digest in self._by_segment.get(number, ())]

    def all(self) -> list[Acknowledged]:
        """Return everything that is remembered, oldest first."""
        with self._lock:
            self._expire()
            return [self._acknowledged(digest) for _, digest in self._order]

    def _acknowledged(self, digest: bytes) -> Acknowledged:
        at_s, number = self._known[digest]
        age_ns = round((self._clock.monotonic_s() - at_s) * _NANOSECONDS_PER_SECOND)
        return Acknowledged(digest, number, self._clock.now_ns() - age_ns)

    def _remember(self, digest: bytes, *, number: int, at_s: float) -> bool:
        """Remember one digest; say whether another was shed for it."""
        if digest in self._known:
            return False
        sheds = len(self._known) >= self._count_max
        if sheds:
            self._forget_oldest()
        self._known[digest] = (at_s, number)
        self._order.append((at_s, digest))
        self._by_segment.setdefault(number, deque()).append(digest)
        return sheds

    def _expire(self) -> None:
        oldest_s = self._clock.monotonic_s() - self._window_s
        while self._order and self._order[0][0] < oldest_s:
            self._forget_oldest()

    def _forget_oldest(self) -> None:
        _, digest = self._order.popleft()
        _, number = self._known.pop(digest)
        of_segment = self._by_segment[number]
        of_segment.popleft()
        if not of_segment:
            del self._by_segment[number]
