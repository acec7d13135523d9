"""Metrics with all that OTLP can say of them, and resources that name a service, for property tests of the store."""

from hypothesis import strategies as st
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import KeyValue
from opentelemetry.proto.metrics.v1.metrics_pb2 import (
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

from tests.otlp_strategies import ANY_VALUES, ATTRIBUTES, DOUBLES, INT64S, SCOPES, SPAN_IDS, TEXTS, TIMES, TRACE_IDS
from tests.otlp_strategies import RESOURCES as PLAIN_RESOURCES
from tests.otlp_strategies import UINT32S as FLAGS

UINT64S = st.integers(0, 2**64 - 1)
INT32S = st.integers(-(2**31), 2**31 - 1)
OPTIONAL_DOUBLES = st.one_of(st.none(), st.just(0.0), DOUBLES)
COUNTS = st.lists(UINT64S, max_size=4)
TEMPORALITIES = st.integers(0, 2)


def _naming_a_service(resource: Resource, named: list[KeyValue]) -> Resource:
    resource.attributes.extend(named)
    return resource


NAMES = st.builds(lambda value: KeyValue(key="service.name", value=value), ANY_VALUES)
RESOURCES = st.builds(_naming_a_service, PLAIN_RESOURCES, st.lists(NAMES, max_size=2))

NUMBERS: st.SearchStrategy[dict[str, float]] = st.one_of(
    st.builds(dict, as_double=DOUBLES),
    st.builds(dict, as_int=st.one_of(INT64S, st.sampled_from([0, 2**63 - 1, -(2**63), 2**53 + 1]))),
)
EXEMPLARS = st.lists(
    st.builds(
        lambda number, **fields: Exemplar(**number, **fields),
        NUMBERS,
        time_unix_nano=st.one_of(st.just(0), TIMES),
        trace_id=st.one_of(st.just(b""), TRACE_IDS),
        span_id=st.one_of(st.just(b""), SPAN_IDS),
        filtered_attributes=ATTRIBUTES,
    ),
    max_size=2,
)
POINT = {
    "attributes": ATTRIBUTES,
    "time_unix_nano": TIMES,
    "start_time_unix_nano": st.one_of(st.just(0), TIMES),
    "flags": FLAGS,
}
TOTALS = {"count": UINT64S, "sum": OPTIONAL_DOUBLES, "min": OPTIONAL_DOUBLES, "max": OPTIONAL_DOUBLES}
NUMBER_POINTS = st.builds(
    lambda number, **fields: NumberDataPoint(**number, **fields), NUMBERS, exemplars=EXEMPLARS, **POINT
)
HISTOGRAM_POINTS = st.builds(
    HistogramDataPoint,
    bucket_counts=COUNTS,
    explicit_bounds=st.lists(DOUBLES, max_size=4),
    exemplars=EXEMPLARS,
    **TOTALS,
    **POINT,
)
BUCKETS = st.one_of(st.none(), st.builds(ExponentialHistogramDataPoint.Buckets, offset=INT32S, bucket_counts=COUNTS))
EXPONENTIAL_POINTS = st.builds(
    ExponentialHistogramDataPoint,
    scale=INT32S,
    zero_count=UINT64S,
    zero_threshold=DOUBLES,
    positive=BUCKETS,
    negative=BUCKETS,
    exemplars=EXEMPLARS,
    **TOTALS,
    **POINT,
)
SUMMARY_POINTS = st.builds(
    SummaryDataPoint,
    count=UINT64S,
    sum=DOUBLES,
    quantile_values=st.lists(st.builds(SummaryDataPoint.ValueAtQuantile, quantile=DOUBLES, value=DOUBLES), max_size=3),
    **POINT,
)


def _points(points: st.SearchStrategy[object]) -> st.SearchStrategy[list[object]]:
    return st.lists(points, max_size=3)


DATA = st.one_of(
    st.builds(dict, gauge=st.builds(Gauge, data_points=_points(NUMBER_POINTS))),
    st.builds(
        dict,
        sum=st.builds(
            Sum, data_points=_points(NUMBER_POINTS), aggregation_temporality=TEMPORALITIES, is_monotonic=st.booleans()
        ),
    ),
    st.builds(
        dict,
        histogram=st.builds(Histogram, data_points=_points(HISTOGRAM_POINTS), aggregation_temporality=TEMPORALITIES),
    ),
    st.builds(
        dict,
        exponential_histogram=st.builds(
            ExponentialHistogram, data_points=_points(EXPONENTIAL_POINTS), aggregation_temporality=TEMPORALITIES
        ),
    ),
    st.builds(dict, summary=st.builds(Summary, data_points=_points(SUMMARY_POINTS))),
    st.just({}),
)
METRICS = st.builds(
    lambda data, **fields: Metric(**data, **fields),
    DATA,
    name=TEXTS,
    unit=st.sampled_from(["", "1", "By", "é"]),
    description=TEXTS,
    metadata=ATTRIBUTES,
)


@st.composite
def metric_requests(draw: st.DrawFn) -> ExportMetricsServiceRequest:
    """Return a request in which no two metrics have one name.

    What a series does not have in its identity (description, metadata) is kept as the first sender of the hour has it.
    """
    request = ExportMetricsServiceRequest()
    names = iter(range(100))
    for _ in range(draw(st.integers(0, 2))):
        block = ResourceMetrics(resource=draw(RESOURCES), schema_url=draw(TEXTS))
        for _ in range(draw(st.integers(1, 2))):
            made = draw(st.lists(METRICS, max_size=4))
            for metric in made:
                metric.name = f"{next(names)} {metric.name}"
            block.scope_metrics.append(ScopeMetrics(scope=draw(SCOPES), schema_url=draw(TEXTS), metrics=made))
        request.resource_metrics.append(block)
    return request
