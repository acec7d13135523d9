"""Small OTLP requests for tests: one good item of each kind, changed as a test likes."""

from typing import Any

from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, InstrumentationScope, KeyValue
from opentelemetry.proto.logs.v1.logs_pb2 import LogRecord, ResourceLogs, ScopeLogs
from opentelemetry.proto.metrics.v1.metrics_pb2 import (
    AGGREGATION_TEMPORALITY_CUMULATIVE,
    Exemplar,
    ExponentialHistogram,
    ExponentialHistogramDataPoint,
    Gauge,
    Histogram,
    HistogramDataPoint,
    Metric,
    NumberDataPoint,
    ResourceMetrics,
    ScopeMetrics,
    Sum,
    Summary,
    SummaryDataPoint,
)
from opentelemetry.proto.resource.v1.resource_pb2 import Resource
from opentelemetry.proto.trace.v1.trace_pb2 import ResourceSpans, ScopeSpans, Span

NOW_NS = 1_767_225_600_000_000_000
TRACE_ID = bytes(range(16))
SPAN_ID = bytes(range(1, 9))


def attributes(count: int) -> list[KeyValue]:
    """Return so many attributes."""
    return [KeyValue(key=f"key.{index}", value=AnyValue(string_value="value")) for index in range(count)]


RESOURCE = Resource(attributes=[KeyValue(key="service.name", value=AnyValue(string_value="shop"))])
SCOPE = InstrumentationScope(name="tests", version="1")


def span(**changes: Any) -> Span:  # noqa: ANN401 - whatever a Span takes
    """Return a good span with these fields instead."""
    fields: dict[str, Any] = {
        "trace_id": TRACE_ID,
        "span_id": SPAN_ID,
        "name": "GET /",
        "kind": Span.SPAN_KIND_SERVER,
        "start_time_unix_nano": NOW_NS,
        "end_time_unix_nano": NOW_NS + 1_000,
        "attributes": attributes(2),
    }
    return Span(**(fields | changes))


def traces(
    *spans: Span, resource: Resource = RESOURCE, scope: InstrumentationScope = SCOPE
) -> ExportTraceServiceRequest:
    """Return a request with these spans in one block."""
    block = ResourceSpans(resource=resource, scope_spans=[ScopeSpans(scope=scope, spans=spans)])
    return ExportTraceServiceRequest(resource_spans=[block])


def record(**changes: Any) -> LogRecord:  # noqa: ANN401 - whatever a LogRecord takes
    """Return a good log record with these fields instead."""
    fields: dict[str, Any] = {
        "time_unix_nano": NOW_NS,
        "observed_time_unix_nano": NOW_NS,
        "severity_number": 9,
        "body": AnyValue(string_value="hello"),
        "trace_id": TRACE_ID,
        "span_id": SPAN_ID,
        "attributes": attributes(2),
    }
    return LogRecord(**(fields | changes))


def logs(
    *records: LogRecord, resource: Resource = RESOURCE, scope: InstrumentationScope = SCOPE
) -> ExportLogsServiceRequest:
    """Return a request with these records in one block."""
    block = ResourceLogs(resource=resource, scope_logs=[ScopeLogs(scope=scope, log_records=records)])
    return ExportLogsServiceRequest(resource_logs=[block])


def _point(**changes: Any) -> dict[str, Any]:  # noqa: ANN401 - whatever a point takes
    fields: dict[str, Any] = {"time_unix_nano": NOW_NS, "start_time_unix_nano": NOW_NS, "attributes": attributes(1)}
    return fields | changes


def number(**changes: Any) -> NumberDataPoint:  # noqa: ANN401 - as above
    """Return a good number point with these fields instead."""
    return NumberDataPoint(**_point(**(changes or {"as_double": 1.5})))


def histogram(**changes: Any) -> HistogramDataPoint:  # noqa: ANN401 - as above
    """Return a good histogram point with these fields instead."""
    shape: dict[str, Any] = {"count": 6, "sum": 1.5, "bucket_counts": [1, 2, 3], "explicit_bounds": [0.1, 1.0]}
    return HistogramDataPoint(**_point(**(shape | changes)))


def exponential(**changes: Any) -> ExponentialHistogramDataPoint:  # noqa: ANN401 - as above
    """Return a good exponential histogram point with these fields instead."""
    buckets = ExponentialHistogramDataPoint.Buckets(offset=-2, bucket_counts=[1, 2])
    return ExponentialHistogramDataPoint(**_point(**({"count": 3, "scale": 3, "positive": buckets} | changes)))


def summary(**changes: Any) -> SummaryDataPoint:  # noqa: ANN401 - as above
    """Return a good summary point with these fields instead."""
    return SummaryDataPoint(**_point(**({"count": 3, "sum": 1.0} | changes)))


def exemplar(**changes: Any) -> Exemplar:  # noqa: ANN401 - whatever an Exemplar takes
    """Return a good exemplar with these fields instead."""
    fields: dict[str, Any] = {"time_unix_nano": NOW_NS, "trace_id": TRACE_ID, "span_id": SPAN_ID, "as_double": 1.0}
    return Exemplar(**(fields | changes))


_METRIC_OF_POINT: dict[type, Any] = {
    NumberDataPoint: lambda name, points: Metric(name=name, gauge=Gauge(data_points=points)),
    HistogramDataPoint: lambda name, points: Metric(name=name, histogram=Histogram(data_points=points)),
    ExponentialHistogramDataPoint: lambda name, points: Metric(
        name=name, exponential_histogram=ExponentialHistogram(data_points=points)
    ),
    SummaryDataPoint: lambda name, points: Metric(name=name, summary=Summary(data_points=points)),
}


def metric(*points: Any, name: str = "requests") -> Metric:  # noqa: ANN401 - points of one kind
    """Return a metric with these points; numbers make a gauge."""
    made: Metric = _METRIC_OF_POINT[type(points[0])](name, points)
    return made


def sum_metric(*points: NumberDataPoint, name: str = "requests") -> Metric:
    """Return a cumulative sum with these points."""
    temporality = AGGREGATION_TEMPORALITY_CUMULATIVE
    return Metric(
        name=name, unit="1", sum=Sum(data_points=points, aggregation_temporality=temporality, is_monotonic=True)
    )


def metrics(
    *made: Metric, resource: Resource = RESOURCE, scope: InstrumentationScope = SCOPE
) -> ExportMetricsServiceRequest:
    """Return a request with these metrics in one block."""
    block = ResourceMetrics(resource=resource, scope_metrics=[ScopeMetrics(scope=scope, metrics=made)])
    return ExportMetricsServiceRequest(resource_metrics=[block])
