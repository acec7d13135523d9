"""Which buckets may have to be summed up. It knows moments and names of buckets, no store and no span.

Invariant: a bucket that spans went into is either known here, or in a stretch of receipt that will still be looked
through; so a restart forgets nothing.
"""

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from homeostat_server.model.tenant import Tenant
from homeostat_server.query.summaries.buckets import BUCKET_S
from homeostat_server.query.summaries.freshness import LATENESS_S
from homeostat_server.store.ports import TouchedBucket

AGAIN_S: Final = 300
"""How long a bucket that was summed up waits for more late spans before it is done again."""

AHEAD_S: Final = 86_400
"""Buckets that begin later than this from now come of wild clocks: whoever asks for them has them made."""

KNOWN_MAX: Final = 50_000
"""Of tenants and buckets; those of further ones wait until they are found again after a restart, or are asked for."""

DAY_S: Final = 86_400

OVERLAP_S: Final = 60
"""How far looks overlap: segments may be stored a little out of the order of their receipt."""


@dataclass(frozen=True, slots=True, order=True)
class Due:
    """Name a bucket of a tenant."""

    bucket_s: int
    tenant: Tenant


@dataclass(frozen=True, slots=True)
class Stretch:
    """Hold a stretch of receipt, both ends in it (Unix time)."""

    first_s: int
    last_s: int


class DueBuckets:
    """Remember what is to be looked through and what is due; belongs to one thread."""

    def __init__(self, *, now_s: int, days: int) -> None:
        """Begin with all that was received in so many days, newest first."""
        self._past = deque(Stretch(now_s - (day + 1) * DAY_S, now_s - day * DAY_S) for day in range(days))
        self._looked_until_s = now_s
        self._due: dict[Due, int] = {}

    def __len__(self) -> int:
        return len(self._due)

    def next_stretch(self) -> Stretch:
        """Return what is new since the last look.

        What was received before and is stored only now is not in it: nobody looks while rows wait to be stored.
        """
        return Stretch(self._looked_until_s - OVERLAP_S, 2**32 - 1)

    def next_past(self) -> Stretch | None:
        """Return a day of the past that has not been looked through; it counts as looked through from now on."""
        return self._past.popleft() if self._past else None

    def put_back(self, stretch: Stretch) -> None:
        """Take a day again that could not be looked through."""
        self._past.appendleft(stretch)

    def found(self, touched: Iterable[TouchedBucket], *, now_s: int, is_past: bool = False) -> None:
        """Take note of buckets that spans went into, and of those beside them, whose summaries depend on them."""
        for bucket in touched:
            if not is_past:
                # Not the time of the look: rows may be stored long after they were received.
                self._looked_until_s = max(self._looked_until_s, bucket.received_s)
            if bucket.bucket_s >= now_s + AHEAD_S:
                continue
            own = Due(bucket.bucket_s, bucket.tenant)
            if is_past:
                # It may be known to wait, as the one before another; those beside it are found by themselves.
                self._due.pop(own, None)
            else:
                self._note(Due(own.bucket_s - BUCKET_S, own.tenant), not_before_s=_closed_s(own.bucket_s))
                self._note(Due(own.bucket_s + BUCKET_S, own.tenant))
            self._note(own)

    def _note(self, due: Due, *, not_before_s: int = 0) -> None:
        if due.bucket_s >= 0 and len(self._due) < KNOWN_MAX:
            self._due.setdefault(due, not_before_s)

    def take(self, *, now_s: int) -> Due | None:
        """Return the newest bucket that is closed and whose time has come, None when there is none.

        Its traces may go on in the next one: it comes once more when that is closed too.
        """
        ready = [
            due for due, not_before_s in self._due.items() if _closed_s(due.bucket_s) <= now_s and not_before_s <= now_s
        ]
        if not ready:
            return None
        newest = max(ready)
        next_closed_s = _closed_s(newest.bucket_s + BUCKET_S)
        if next_closed_s > now_s:
            self._due[newest] = next_closed_s
        else:
            del self._due[newest]
        return newest

    def postpone(self, due: Due, *, until_s: int) -> None:
        """Take a bucket again later."""
        self._due[due] = until_s


def _closed_s(bucket_s: int) -> int:
    return bucket_s + BUCKET_S + LATENESS_S
