from pathlib import Path

import pytest
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import SpanKind, StatusCode

from homeostat_server.exceptions import QueryCancelled, QueryLimit
from homeostat_server.model.segment import SealedSegment
from homeostat_server.model.signal import Signal
from homeostat_server.model.tenant import DEFAULT_TENANT
from homeostat_server.runtime.telemetry import Telemetry
from homeostat_server.store.measured import MeasuredStore
from homeostat_server.store.ports import StoreStatistics
from homeostat_server.store.testing import MemoryStore
from homeostat_server.store.watched import QueryWatch, Scanned

SEGMENT = SealedSegment(signal=Signal.TRACES, number=1, path=Path("1.segment"), records=1, size_bytes=10)


@pytest.fixture
def inner() -> MemoryStore:
    """Return the store inside."""
    return MemoryStore()


@pytest.fixture
def telemetry() -> Telemetry:
    """Return metrics of this test alone."""
    return Telemetry()


@pytest.fixture
def spans() -> InMemorySpanExporter:
    """Return where spans end."""
    return InMemorySpanExporter()


@pytest.fixture
def measured(inner: MemoryStore, telemetry: Telemetry, spans: InMemorySpanExporter) -> MeasuredStore:
    """Return the store under test."""
    provider = TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(SimpleSpanProcessor(spans))
    return MeasuredStore(inner, telemetry=telemetry, tracer=provider.get_tracer("test"))


def asked(telemetry: Telemetry, outcome: str) -> float:
    """Return how many questions ended so."""
    return telemetry.value("homeostat_query_seconds_count", outcome=outcome)


def test_a_question_is_counted_and_makes_a_span(
    measured: MeasuredStore, inner: MemoryStore, telemetry: Telemetry, spans: InMemorySpanExporter
) -> None:
    """The answer is the inner store's; the span is a client's, with the statement and without its parameters."""
    inner.rows = [{"n": 1}]
    assert measured.read(DEFAULT_TENANT, "SELECT {n:Int64}", {"n": 1}) == [{"n": 1}]
    assert asked(telemetry, "ok") == 1
    [span] = spans.get_finished_spans()
    assert (span.name, span.kind) == ("SELECT", SpanKind.CLIENT)
    assert dict(span.attributes or {}) == {"db.system.name": "clickhouse", "db.query.text": "SELECT {n:Int64}"}


@pytest.mark.parametrize(
    ("error", "outcome"), [(QueryLimit("read"), "query_limit"), (RuntimeError("unforeseen"), "internal")]
)
def test_a_failed_question_is_counted_by_its_code(
    *,
    measured: MeasuredStore,
    inner: MemoryStore,
    telemetry: Telemetry,
    spans: InMemorySpanExporter,
    error: Exception,
    outcome: str,
) -> None:
    """The error goes on unchanged, its span is one of an error, and nothing is counted as well answered."""
    inner.fail_with = error
    with pytest.raises(type(error)) as caught:
        measured.read(DEFAULT_TENANT, "SELECT 1", {})
    assert caught.value is error
    assert (asked(telemetry, outcome), asked(telemetry, "ok")) == (1, 0)
    assert spans.get_finished_spans()[0].status.status_code is StatusCode.ERROR


def test_questions_by_columns_and_under_a_watch_are_counted_too(
    measured: MeasuredStore, inner: MemoryStore, telemetry: Telemetry, spans: InMemorySpanExporter
) -> None:
    """Whichever way a question takes; what it scanned is the inner store's figure."""
    inner.rows, inner.scanned_each = [{"n": 1}], Scanned(rows=2, bytes=3)
    watch = QueryWatch()
    reader = measured.watched(watch)
    assert measured.read_table(DEFAULT_TENANT, "SELECT 1", {}).to_pylist() == [{"n": 1}]
    assert reader.read_table(DEFAULT_TENANT, "SELECT 1", {}).to_pylist() == [{"n": 1}]
    assert reader.read(DEFAULT_TENANT, "SELECT 1", {}) == [{"n": 1}]
    reader.check()
    assert reader.scanned == Scanned(rows=4, bytes=6)
    watch.cancel()
    with pytest.raises(QueryCancelled):
        reader.read(DEFAULT_TENANT, "SELECT 1", {})
    with pytest.raises(QueryCancelled):
        reader.check()
    assert (asked(telemetry, "ok"), asked(telemetry, "cancelled")) == (3, 1)
    assert len(spans.get_finished_spans()) == 4


def test_everything_else_passes_through_without_a_span(
    measured: MeasuredStore, inner: MemoryStore, spans: InMemorySpanExporter
) -> None:
    """Storing makes no span, for its rows would make another; upkeep makes none either."""
    inner.statistics_now = StoreStatistics(memory_bytes=5, tables=())
    inner.expired_partitions = 2
    measured.insert_segment(SEGMENT)
    assert measured.statistics().memory_bytes == 5
    assert measured.drop_expired(9) == 2
    measured.close()
    assert (inner.segments, inner.is_closed) == ({1: SEGMENT}, True)
    assert spans.get_finished_spans() == ()
