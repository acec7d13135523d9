from collections import Counter, defaultdict
from collections.abc import Iterator
from itertools import pairwise

import pytest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.metrics.v1.metrics_pb2 import (
    AggregationTemporality,
    ExponentialHistogramDataPoint,
    HistogramDataPoint,
    Metric,
    NumberDataPoint,
    SummaryDataPoint,
)

from benchmarks import realistic

START_NS = 1_767_225_600 * 10**9
POINTS = 60_000
PER_ROUND = 20_000
CUMULATIVE = AggregationTemporality.AGGREGATION_TEMPORALITY_CUMULATIVE

Point = NumberDataPoint | HistogramDataPoint | ExponentialHistogramDataPoint | SummaryDataPoint
Key = tuple[bytes, str, bytes]


def points_of(body: realistic.Body) -> Iterator[tuple[Key, Metric, Point]]:
    """Yield the points of a body with the identity of their series and their metric."""
    for block in ExportMetricsServiceRequest.FromString(body.data).resource_metrics:
        for scope in block.scope_metrics:
            for metric in scope.metrics:
                for point in data_of(metric):
                    attributes = b"".join(item.SerializeToString() for item in point.attributes)
                    yield (block.resource.SerializeToString(), metric.name, attributes), metric, point


def data_of(metric: Metric) -> list[Point]:
    """Return the points of a metric of any kind."""
    return [
        *metric.sum.data_points,
        *metric.gauge.data_points,
        *metric.histogram.data_points,
        *metric.exponential_histogram.data_points,
        *metric.summary.data_points,
    ]


@pytest.fixture(scope="module")
def bodies() -> list[realistic.Body]:
    """Return the bodies under test."""
    return list(realistic.metrics(POINTS, start_ns=START_NS, spans_per_round=PER_ROUND))


@pytest.fixture(scope="module")
def points(bodies: list[realistic.Body]) -> list[tuple[Key, Metric, Point]]:
    """Return the points under test."""
    return [found for body in bodies for found in points_of(body)]


@pytest.fixture(scope="module")
def series(points: list[tuple[Key, Metric, Point]]) -> dict[Key, list[tuple[Metric, Point]]]:
    """Return the points by series, in time."""
    found: dict[Key, list[tuple[Metric, Point]]] = defaultdict(list)
    for key, metric, point in points:
        found[key].append((metric, point))
    return found


def test_exactly_the_points_asked_for_of_every_kind(
    bodies: list[realistic.Body], points: list[tuple[Key, Metric, Point]]
) -> None:
    """Bodies hold the points asked for, and all five kinds of metrics."""
    assert len(points) == sum(body.items for body in bodies) == POINTS
    kinds = Counter(metric.WhichOneof("data") for _, metric, _ in points)
    assert set(kinds) == {"gauge", "sum", "histogram", "exponential_histogram", "summary"}
    assert min(kinds.values()) > 0.02 * POINTS


def test_series_have_a_point_every_15_seconds_with_jitter(series: dict[Key, list[tuple[Metric, Point]]]) -> None:
    """Exports follow each other after about, never exactly, fifteen seconds; no series has two points in one."""
    gaps = [
        after.time_unix_nano - before.time_unix_nano
        for found in series.values()
        for (_, before), (_, after) in pairwise(found)
    ]
    assert 14_500_000_000 < min(gaps) < 15_000_000_000 < max(gaps) < 15_500_000_000


def test_cumulative_sums_never_fall_and_are_jittered(series: dict[Key, list[tuple[Metric, Point]]]) -> None:
    """A cumulative counter rises by increments that differ."""
    increments = []
    for found in series.values():
        metric = found[0][0]
        if metric.sum.is_monotonic and metric.sum.aggregation_temporality == CUMULATIVE:
            values = [point.as_int + point.as_double for _, point in found if isinstance(point, NumberDataPoint)]
            increments += [after - before for before, after in pairwise(values)]
    assert min(increments) >= 0
    assert sum(increment > 0 for increment in increments) > 0.7 * len(increments)
    assert len(set(increments)) > 500


def test_delta_points_join_without_gaps(series: dict[Key, list[tuple[Metric, Point]]]) -> None:
    """A delta point starts when the one before it ended; a cumulative one always when the process started."""
    for found in series.values():
        temporality = getattr(found[0][0], found[0][0].WhichOneof("data") or "")
        starts = [point.start_time_unix_nano for _, point in found]
        if getattr(temporality, "aggregation_temporality", CUMULATIVE) == CUMULATIVE:
            assert len(set(starts)) == 1
        else:
            assert starts[1:] == [point.time_unix_nano for _, point in found][:-1]


def test_histograms_add_up(series: dict[Key, list[tuple[Metric, Point]]]) -> None:
    """Counts equal their buckets, and cumulative buckets never fall."""
    for found in series.values():
        before = [0] * 15
        for _, point in found:
            if isinstance(point, HistogramDataPoint):
                assert sum(point.bucket_counts) == point.count
                assert len(point.bucket_counts) == len(point.explicit_bounds) + 1
                assert all(now >= then for now, then in zip(point.bucket_counts, before, strict=True))
                before = list(point.bucket_counts)
            elif isinstance(point, ExponentialHistogramDataPoint):
                assert sum(point.positive.bucket_counts) + point.zero_count == point.count
                assert 0 < point.min < point.sum


def test_summaries_have_rising_quantiles(points: list[tuple[Key, Metric, Point]]) -> None:
    """The quantiles of a summary rise."""
    found = [point for _, _, point in points if isinstance(point, SummaryDataPoint)]
    assert found
    for point in found:
        values = [one.value for one in point.quantile_values]
        assert values == sorted(values)


def test_exemplars_name_spans_that_traces_make(points: list[tuple[Key, Metric, Point]]) -> None:
    """An exemplar's trace and span are those of traces() with the same arguments."""
    spans = {
        span.span_id: span.trace_id
        for body in realistic.traces(POINTS, start_ns=START_NS, spans_per_round=PER_ROUND)
        for block in ExportTraceServiceRequest.FromString(body.data).resource_spans
        for scope in block.scope_spans
        for span in scope.spans
    }
    exemplars = [one for _, _, point in points if isinstance(point, HistogramDataPoint) for one in point.exemplars]
    assert len(exemplars) > 1000
    assert all(spans[one.span_id] == one.trace_id for one in exemplars)
    assert all(one.filtered_attributes[0].key == "user.id" for one in exemplars)


def test_more_points_in_the_same_time_are_more_instances() -> None:
    """The fleet grows so that the time asked for is filled by exports each fifteen seconds."""
    few, many = (
        {
            key[0]
            for body in realistic.metrics(count, start_ns=START_NS, span_of_time_s=60, spans_per_round=2000)
            for key, _, _ in points_of(body)
        }
        for count in (20_000, 60_000)
    )
    assert len(few) >= 40
    assert len(many) > 2 * len(few)


def test_same_arguments_same_bytes(bodies: list[realistic.Body]) -> None:
    """The seed decides every byte."""
    assert list(realistic.metrics(POINTS, start_ns=START_NS, spans_per_round=PER_ROUND)) == bodies
