"""A telemetry store that counts what is asked of the one inside it. It changes no answer."""

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import pyarrow as pa
from opentelemetry.semconv.attributes.db_attributes import DB_QUERY_TEXT, DB_SYSTEM_NAME
from opentelemetry.trace import SpanKind, Tracer

from homeostat_server.exceptions import HomeostatError
from homeostat_server.model.segment import SealedSegment
from homeostat_server.model.tenant import Tenant
from homeostat_server.runtime.telemetry import Telemetry
from homeostat_server.store.ports import (
    Parameter,
    Row,
    StoreStatistics,
    TelemetryReader,
    TelemetryStore,
    TouchedBucket,
    WatchedReader,
)
from homeostat_server.store.watched import QueryWatch, Scanned


class _Measure:
    """Count statements and make a span of each."""

    def __init__(self, telemetry: Telemetry, tracer: Tracer) -> None:
        self._tracer = tracer
        self._seconds = telemetry.histogram(
            "homeostat_query_seconds",
            "Time of one query in the store, the wait for its turn included, by how it ended: ok or the error's code.",
            labels=("outcome",),
        )

    @contextmanager
    def statement(self, sql: str) -> Iterator[None]:
        began_s = time.monotonic()
        outcome = "internal"
        try:
            with self._tracer.start_as_current_span("SELECT", kind=SpanKind.CLIENT) as span:
                span.set_attribute(DB_SYSTEM_NAME, "clickhouse")
                span.set_attribute(DB_QUERY_TEXT, sql)
                yield
            outcome = "ok"
        except HomeostatError as error:
            outcome = error.code
            raise
        finally:
            self._seconds.labels(outcome).observe(time.monotonic() - began_s)


class _MeasuredReader:
    """Implement `homeostat_server.store.ports.TelemetryReader` around another and measure every read."""

    def __init__(self, reader: TelemetryReader, measure: _Measure) -> None:
        self._reader = reader
        self._measure = measure

    def read(self, tenant: Tenant, sql: str, parameters: Mapping[str, Parameter]) -> list[Row]:
        """Answer a question; see the port."""
        with self._measure.statement(sql):
            return self._reader.read(tenant, sql, parameters)

    def read_table(self, tenant: Tenant, sql: str, parameters: Mapping[str, Parameter]) -> pa.Table:
        """Answer a question by columns; see the port."""
        with self._measure.statement(sql):
            return self._reader.read_table(tenant, sql, parameters)


class _MeasuredWatched(_MeasuredReader):
    """Implement `homeostat_server.store.ports.WatchedReader` around another."""

    def __init__(self, reader: WatchedReader, measure: _Measure) -> None:
        super().__init__(reader, measure)
        self._watched = reader

    @property
    def scanned(self) -> Scanned:
        """Say how much was read; see the port."""
        return self._watched.scanned

    def check(self) -> None:
        """Raise when the question was called off; see the port."""
        self._watched.check()


class MeasuredStore(_MeasuredReader):
    """Implement `homeostat_server.store.ports.TelemetryStore` around another and measure every read."""

    def __init__(self, store: TelemetryStore, *, telemetry: Telemetry, tracer: Tracer) -> None:
        """Surround a store; inserts make no span, for the rows of a span would make another."""
        super().__init__(store, _Measure(telemetry, tracer))
        self._store = store

    def insert_segment(self, segment: SealedSegment) -> None:
        """Store a segment; see the port."""
        self._store.insert_segment(segment)

    def watched(self, watch: QueryWatch) -> WatchedReader:
        """Return a measured reader under a watch; see the port."""
        return _MeasuredWatched(self._store.watched(watch), self._measure)

    def touched_buckets(self, *, first_s: int, last_s: int) -> list[TouchedBucket]:
        """Return the buckets that received spans went into; see the port."""
        return self._store.touched_buckets(first_s=first_s, last_s=last_s)

    def insert_summaries(self, tenant: Tenant, table: pa.Table) -> None:
        """Store rows of summaries; see the port."""
        self._store.insert_summaries(tenant, table)

    def statistics(self) -> StoreStatistics:
        """Say how much there is; see the port."""
        return self._store.statistics()

    def drop_expired(self, now_s: int) -> int:
        """Drop what is over its time; see the port."""
        return self._store.drop_expired(now_s)

    def close(self) -> None:
        """Close the store."""
        self._store.close()
