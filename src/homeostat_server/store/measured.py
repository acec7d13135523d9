"""A telemetry store that counts what is asked of the one inside it. It changes no answer."""

import time
from collections.abc import Mapping

from opentelemetry.semconv.attributes.db_attributes import DB_QUERY_TEXT, DB_SYSTEM_NAME
from opentelemetry.trace import SpanKind, Tracer

from homeostat_server.exceptions import HomeostatError
from homeostat_server.model.segment import SealedSegment
from homeostat_server.model.tenant import Tenant
from homeostat_server.runtime.telemetry import Telemetry
from homeostat_server.store.ports import Parameter, Row, StoreStatistics, TelemetryStore


class MeasuredStore:
    """Implement `homeostat_server.store.ports.TelemetryStore` around another and measure every read."""

    def __init__(self, store: TelemetryStore, *, telemetry: Telemetry, tracer: Tracer) -> None:
        """Surround a store; inserts make no span, for the rows of a span would make another."""
        self._store = store
        self._tracer = tracer
        self._seconds = telemetry.histogram(
            "homeostat_query_seconds",
            "Time of one query in the store, the wait for its turn included, by how it ended: ok or the error's code.",
            labels=("outcome",),
        )

    def insert_segment(self, segment: SealedSegment) -> None:
        """Store a segment; see the port."""
        self._store.insert_segment(segment)

    def read(self, tenant: Tenant, sql: str, parameters: Mapping[str, Parameter]) -> list[Row]:
        """Answer a question; see the port."""
        began_s = time.monotonic()
        outcome = "internal"
        try:
            with self._tracer.start_as_current_span("SELECT", kind=SpanKind.CLIENT) as span:
                span.set_attribute(DB_SYSTEM_NAME, "clickhouse")
                span.set_attribute(DB_QUERY_TEXT, sql)
                rows = self._store.read(tenant, sql, parameters)
            outcome = "ok"
        except HomeostatError as error:
            outcome = error.code
            raise
        finally:
            self._seconds.labels(outcome).observe(time.monotonic() - began_s)
        return rows

    def statistics(self) -> StoreStatistics:
        """Say how much there is; see the port."""
        return self._store.statistics()

    def drop_expired(self, now_s: int) -> int:
        """Drop what is over its time; see the port."""
        return self._store.drop_expired(now_s)

    def close(self) -> None:
        """Close the store."""
        self._store.close()
