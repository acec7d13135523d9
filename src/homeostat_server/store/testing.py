"""A telemetry store for tests of what stands on one, ours and yours. It runs no SQL: a test says what is answered."""

import threading
from collections.abc import Mapping
from dataclasses import dataclass

import pyarrow as pa

from homeostat_server.exceptions import QueryCancelled
from homeostat_server.model.segment import SealedSegment
from homeostat_server.model.tenant import Tenant
from homeostat_server.store.ports import Parameter, Row, StoreStatistics, TouchedBucket
from homeostat_server.store.watched import QueryWatch, Scanned


@dataclass(frozen=True, slots=True)
class Question:
    """Hold what a store was asked."""

    tenant: Tenant
    sql: str
    parameters: Mapping[str, Parameter]


class MemoryStore:
    """Remember what is stored and asked; implements `homeostat_server.store.ports.TelemetryStore`. Thread-safe.

    Set `rows` for what every question is answered with (by columns they are a table of these rows), `scanned_each` for
    what a watch counts for it, `statistics_now`, `expired_partitions` and `touched`
    for the other answers; `summaries` are those that were stored. Set `fail_with` and
    every call but `close` raises it. With `hold` set, a question under a watch lasts until its watch is cancelled;
    `is_held` is set while one does.
    """

    def __init__(self) -> None:
        """Begin empty, open and well."""
        self.rows: list[Row] = []
        self.scanned_each = Scanned(rows=0, bytes=0)
        self.hold = False
        self.is_held = threading.Event()
        self.statistics_now = StoreStatistics(memory_bytes=0, tables=())
        self.expired_partitions = 0
        self.touched: list[TouchedBucket] = []
        self.summaries: list[tuple[Tenant, pa.Table]] = []
        self.fail_with: Exception | None = None
        self.segments: dict[int, SealedSegment] = {}
        self.questions: list[Question] = []
        self.retention_times_s: list[int] = []
        self.is_closed = False
        self._lock = threading.Lock()

    def insert_segment(self, segment: SealedSegment) -> None:
        """Remember a segment by its number, so that storing it again changes nothing."""
        self._fail()
        with self._lock:
            self.segments[segment.number] = segment

    def read(self, tenant: Tenant, sql: str, parameters: Mapping[str, Parameter]) -> list[Row]:
        """Remember the question and give the rows that the test has set."""
        self._fail()
        with self._lock:
            self.questions.append(Question(tenant, sql, parameters))
        return list(self.rows)

    def read_table(self, tenant: Tenant, sql: str, parameters: Mapping[str, Parameter]) -> pa.Table:
        """Remember the question and give the rows that the test has set as a table."""
        return pa.Table.from_pylist(self.read(tenant, sql, parameters))

    def watched(self, watch: QueryWatch) -> "WatchedMemory":
        """Return a reader of the same answers under a watch."""
        return WatchedMemory(self, watch)

    def touched_buckets(self, *, first_s: int, last_s: int) -> list[TouchedBucket]:
        """Give those that the test has set and that were received then."""
        self._fail()
        return [bucket for bucket in self.touched if first_s <= bucket.received_s <= last_s]

    def insert_summaries(self, tenant: Tenant, table: pa.Table) -> None:
        """Remember the rows."""
        self._fail()
        with self._lock:
            self.summaries.append((tenant, table))

    def statistics(self) -> StoreStatistics:
        """Give what the test has set."""
        self._fail()
        return self.statistics_now

    def drop_expired(self, now_s: int) -> int:
        """Remember the time, and drop what the test has set, once."""
        self._fail()
        with self._lock:
            self.retention_times_s.append(now_s)
            dropped, self.expired_partitions = self.expired_partitions, 0
        return dropped

    def close(self) -> None:
        """Remember that it was closed."""
        self.is_closed = True

    def _fail(self) -> None:
        if self.fail_with is not None:
            raise self.fail_with


class WatchedMemory:
    """Give a `MemoryStore`'s answers under a watch; implements `homeostat_server.store.ports.WatchedReader`."""

    def __init__(self, store: MemoryStore, watch: QueryWatch) -> None:
        """Read from a store."""
        self._store = store
        self._watch = watch

    @property
    def scanned(self) -> Scanned:
        """Return `scanned_each` of the store for each question so far."""
        return self._watch.scanned

    def check(self) -> None:
        """Raise when the watch was cancelled."""
        self._watch.check()

    def read(self, tenant: Tenant, sql: str, parameters: Mapping[str, Parameter]) -> list[Row]:
        """Give the store's rows, or wait to be cancelled when it holds."""
        cancelled = threading.Event()

        def stop() -> bool:
            cancelled.set()
            return True

        with self._watch.statement(stop):
            if self._store.hold:
                self._store.is_held.set()
                cancelled.wait()
                self._store.is_held.clear()
                raise QueryCancelled("answer a query")
            rows = self._store.read(tenant, sql, parameters)
        self._watch.count(self._store.scanned_each)
        return rows

    def read_table(self, tenant: Tenant, sql: str, parameters: Mapping[str, Parameter]) -> pa.Table:
        """Give the store's rows as a table."""
        return pa.Table.from_pylist(self.read(tenant, sql, parameters))
