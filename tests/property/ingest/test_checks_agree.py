from collections.abc import Callable
from typing import Any

from google.protobuf.message import Message
from hypothesis import given
from hypothesis import strategies as st
from opentelemetry.proto.logs.v1.logs_pb2 import LogRecord
from opentelemetry.proto.metrics.v1.metrics_pb2 import ExponentialHistogramDataPoint
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from homeostat_server.ingest.checks import logs as log_checks
from homeostat_server.ingest.checks import metrics as metric_checks
from homeostat_server.ingest.checks import traces as trace_checks
from homeostat_server.ingest.checks.examination import examine, parse_request
from homeostat_server.ingest.checks.points import refusal_of_point
from homeostat_server.model.signal import Signal
from tests.otlp import attributes, exemplar, exponential, histogram, logs, metric, metrics, number, record, span, traces

ATTRIBUTES_MAX = 3

TRACE_IDS = st.sampled_from([b"", b"\1" * 15, b"\1" * 16, bytes(16), b"\1" * 17])
SPAN_IDS = st.sampled_from([b"", b"\1" * 7, b"\1" * 8, bytes(8), b"\1" * 16])
TIMES = st.sampled_from([0, 1, 1_767_225_600_000_000_000, 2**63 - 1, 2**63, 2**64 - 1])
ATTRIBUTES = st.integers(0, ATTRIBUTES_MAX + 1).map(attributes)
BOUNDS = st.lists(st.floats(allow_nan=True, allow_infinity=True), max_size=4)
COUNTS = st.lists(st.integers(0, 9), max_size=5)

LINKS = st.lists(st.builds(Span.Link, trace_id=TRACE_IDS, span_id=SPAN_IDS), max_size=2)
EVENTS = st.lists(st.builds(Span.Event, time_unix_nano=TIMES), max_size=2)
EXEMPLARS = st.lists(st.builds(exemplar, trace_id=TRACE_IDS, span_id=SPAN_IDS, time_unix_nano=TIMES), max_size=2)
BUCKETS = st.builds(
    ExponentialHistogramDataPoint.Buckets, offset=st.integers(-(2**31), 2**31 - 1), bucket_counts=COUNTS
)

SPANS = st.builds(
    span,
    trace_id=TRACE_IDS,
    span_id=SPAN_IDS,
    parent_span_id=SPAN_IDS,
    start_time_unix_nano=TIMES,
    end_time_unix_nano=TIMES,
    attributes=ATTRIBUTES,
    links=LINKS,
    events=EVENTS,
)
RECORDS = st.builds(
    record,
    trace_id=TRACE_IDS,
    span_id=SPAN_IDS,
    time_unix_nano=TIMES,
    observed_time_unix_nano=TIMES,
    attributes=ATTRIBUTES,
)
OF_POINTS: dict[str, Any] = {
    "time_unix_nano": TIMES,
    "start_time_unix_nano": TIMES,
    "attributes": ATTRIBUTES,
    "exemplars": EXEMPLARS,
}
POINTS = st.one_of(
    st.tuples(st.just("gauge"), st.builds(number, **OF_POINTS)),
    st.tuples(st.just("histogram"), st.builds(histogram, bucket_counts=COUNTS, explicit_bounds=BOUNDS, **OF_POINTS)),
    st.tuples(
        st.just("exponential_histogram"),
        st.builds(exponential, scale=st.integers(-12, 22), positive=BUCKETS, negative=BUCKETS, **OF_POINTS),
    ),
)


def assert_passes_agree(signal: Signal, request: Message, verdicts: list[object]) -> None:
    """Check that what is stored is what the verdicts let through, and that it passes when it comes again."""
    body = request.SerializeToString()
    result = examine(parse_request(signal, body=body), signal=signal, body=body, attributes_max=ATTRIBUTES_MAX)
    assert result.items == verdicts.count(None)
    assert result.rejected == len(verdicts) - verdicts.count(None)
    assert bool(result.explanation) == bool(result.rejected)
    assert sum(result.refusals.values()) == result.rejected
    again = examine(
        parse_request(signal, body=result.body), signal=signal, body=result.body, attributes_max=ATTRIBUTES_MAX
    )
    assert (again.items, again.rejected, again.body) == (result.items, 0, result.body)


def verdicts_of(refusal_of: Callable[..., object], items: list[Any]) -> list[object]:
    """Return the slow pass's verdict on each item."""
    return [refusal_of(item, attributes_max=ATTRIBUTES_MAX) for item in items]


@given(st.lists(SPANS, max_size=4))
def test_the_fast_and_the_slow_pass_agree_on_spans(spans: list[Span]) -> None:
    """Whether a span is stored does not depend on which pass looked at it, nor on its neighbours."""
    assert_passes_agree(Signal.TRACES, traces(*spans), verdicts_of(trace_checks.refusal_of, spans))


@given(st.lists(RECORDS, max_size=4))
def test_the_fast_and_the_slow_pass_agree_on_records(records: list[LogRecord]) -> None:
    """The same for log records."""
    assert_passes_agree(Signal.LOGS, logs(*records), verdicts_of(log_checks.refusal_of, records))


@given(st.lists(POINTS, max_size=4))
def test_the_fast_and_the_slow_pass_agree_on_points(points: list[tuple[str, Any]]) -> None:
    """The same for data points of each kind."""
    request = metrics(*(metric(point) for _kind, point in points))
    verdicts: list[object] = [
        refusal_of_point(point, kind=kind, attributes_max=ATTRIBUTES_MAX) for kind, point in points
    ]
    assert metric_checks.kinds_in(request) == {kind for kind, _point in points}
    assert_passes_agree(Signal.METRICS, request, verdicts)
