from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.logs.v1.logs_pb2 import LogRecord, ResourceLogs, ScopeLogs

from homeostat_server.store.telemetry.catalogue import VALUE_KINDS
from tests.otlp import NOW_NS
from tests.otlp_strategies import SCOPES, TEXTS, TIMES, log_records
from tests.property.store.conftest import Engine
from tests.property.store.requests import RESOURCES
from tests.property.store.stored_model import (
    Canonical,
    counted,
    padded,
    sent_attributes,
    sent_source,
    sent_value,
    stored_attributes,
    stored_value,
)

RECORDS = log_records(st.one_of(st.just(0), TIMES))
SCOPE_BLOCKS = st.builds(ScopeLogs, scope=SCOPES, schema_url=TEXTS, log_records=st.lists(RECORDS, max_size=5))
BLOCKS = st.builds(ResourceLogs, resource=RESOURCES, schema_url=TEXTS, scope_logs=st.lists(SCOPE_BLOCKS, max_size=2))
REQUESTS = st.builds(ExportLogsServiceRequest, resource_logs=st.lists(BLOCKS, max_size=2))

LAST_AFTER_NS = 60 * 10**9
"""How far the segments of the examples are behind the first one, at most."""


def sent_time(record: LogRecord, received_ns: int) -> tuple[int, bytes]:
    """Return the time of a record and whose it is: its own, that of who observed it, or ours."""
    if record.time_unix_nano:
        return record.time_unix_nano, b"time"
    if record.observed_time_unix_nano:
        return record.observed_time_unix_nano, b"observed"
    return received_ns, b"received"


def sent_record(record: LogRecord, source: Canonical, received_ns: int) -> Canonical:
    """Return the row that a log record has to become."""
    return (
        sent_time(record, received_ns),
        record.observed_time_unix_nano,
        (padded(record.trace_id, 16), padded(record.span_id, 8), record.flags),
        (record.severity_number, record.severity_text.encode(), record.event_name.encode()),
        sent_value(record.body),
        (source[0], source),
        (sent_attributes(record.attributes), record.dropped_attributes_count),
    )


def stored_record(row: dict[str, Any], sources: dict[int, Canonical]) -> Canonical:
    """Return what a row says of a log record."""
    kind = str(VALUE_KINDS.index(row["body_is"].decode()))
    return (
        (row["time"], row["origin"]),
        row["observed"],
        (row["trace_id"], row["span_id"], row["flags"]),
        (row["severity_number"], row["severity_text"], row["event_name"]),
        stored_value(kind, row["body"]),
        (row["service"], sources[row["source"]]),
        (stored_attributes(row["attributes"], row["attribute_kinds"]), row["dropped_attributes"]),
    )


SQL = (
    "SELECT *, toUnixTimestamp64Nano(ts) AS time, toUnixTimestamp64Nano(observed_ts) AS observed,"
    " toString(ts_origin) AS origin, toString(body_kind) AS body_is, bitShiftRight(segment, 12) * 1000 AS received_ns"
    " FROM telemetry.logs"
)


@settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
@given(requests=st.lists(REQUESTS, min_size=1, max_size=2))
def test_log_records_come_back_as_they_were_sent(engine: Engine, requests: list[ExportLogsServiceRequest]) -> None:
    """Every field, the body's kind and content, and which of three times the row is filed under."""
    example = engine.stored(*requests)
    rows = example.rows(SQL)
    sources = example.sources()
    received = {row["received_ns"] for row in rows}
    assert len(received) < 2
    assert all(0 <= received_ns - NOW_NS < LAST_AFTER_NS for received_ns in received)
    received_ns = next(iter(received), 0)
    expected = [
        sent_record(record, sent_source(block, scope.scope, scope.schema_url), received_ns)
        for request in requests
        for block in request.resource_logs
        for scope in block.scope_logs
        for record in scope.log_records
    ]
    assert counted(stored_record(row, sources) for row in rows) == counted(expected)
