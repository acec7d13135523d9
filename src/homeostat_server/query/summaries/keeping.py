"""Summaries that were made for a question, kept in memory for the next one. It makes none."""

import threading
from collections import OrderedDict
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

import pyarrow as pa

from homeostat_server.model.tenant import Tenant

KEPT_BYTES: Final = 64 * 1024 * 1024
"""Some hundred buckets of a busy platform: a day that has not been summed up yet."""


@dataclass(frozen=True, slots=True)
class State:
    """Hold which rows of a bucket and those beside it there are, or a summary has seen: how many, the last segment."""

    rows: int
    through: int

    def covers(self, other: "State") -> bool:
        """Say whether nothing came since; rows that have gone, because their time was over, are no reason to forget."""
        return self.rows >= other.rows and self.through >= other.through

    def with_rows_of(self, others: Iterable["State"]) -> "State":
        """Return the state of these rows and those of others."""
        every = [self, *others]
        return State(sum(one.rows for one in every), max(one.through for one in every))


class KeptSummaries:
    """Keep the summaries that were used last, in bounded memory. Thread-safe."""

    def __init__(self, bytes_max: int = KEPT_BYTES) -> None:
        """Begin with none."""
        self._bytes_max = bytes_max
        self._lock = threading.Lock()
        self._kept: OrderedDict[tuple[Tenant, int], tuple[State, pa.Table]] = OrderedDict()
        self._bytes = 0

    def get(self, tenant: Tenant, bucket_s: int, state: State) -> pa.Table | None:
        """Return the summary of a bucket, None when there is none that covers its state."""
        with self._lock:
            found = self._kept.get((tenant, bucket_s))
            if found is None or not found[0].covers(state):
                return None
            self._kept.move_to_end((tenant, bucket_s))
            return found[1]

    def put(self, tenant: Tenant, bucket_s: int, state: State, summary: pa.Table) -> None:
        """Keep the summary of a bucket in this state."""
        with self._lock:
            old = self._kept.pop((tenant, bucket_s), None)
            self._bytes -= 0 if old is None else old[1].nbytes
            self._kept[tenant, bucket_s] = (state, summary)
            self._bytes += summary.nbytes
            while self._bytes > self._bytes_max:
                _, (_, dropped) = self._kept.popitem(last=False)
                self._bytes -= dropped.nbytes
