"""A telemetry store for tests of what stands on one, ours and yours. It runs no SQL: a test says what is answered."""

import threading
from collections.abc import Mapping
from dataclasses import dataclass

from homeostat_server.model.segment import SealedSegment
from homeostat_server.model.tenant import Tenant
from homeostat_server.store.ports import Parameter, Row, StoreStatistics


@dataclass(frozen=True, slots=True)
class Question:
    """Hold what a store was asked."""

    tenant: Tenant
    sql: str
    parameters: Mapping[str, Parameter]


class MemoryStore:
    """Remember what is stored and asked; implements `homeostat_server.store.ports.TelemetryStore`. Thread-safe.

    Set `rows` for what every question is answered with, `statistics_now` and `expired_partitions` for the other
    answers. Set `fail_with` and every call but `close` raises it.
    """

    def __init__(self) -> None:
        """Begin empty, open and well."""
        self.rows: list[Row] = []
        self.statistics_now = StoreStatistics(memory_bytes=0, tables=())
        self.expired_partitions = 0
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
