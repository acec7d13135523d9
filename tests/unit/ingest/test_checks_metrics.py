import math
from typing import Any

import pytest
from opentelemetry.proto.common.v1.common_pb2 import InstrumentationScope
from opentelemetry.proto.metrics.v1.metrics_pb2 import ExponentialHistogramDataPoint, Metric, SummaryDataPoint
from opentelemetry.proto.resource.v1.resource_pb2 import Resource

from homeostat_server.ingest.checks.metrics import count_if_all_good, kinds_in, refuse_bad
from homeostat_server.ingest.checks.refusals import NESTED_MAX, TIME_NS_MAX, Refusal
from tests.otlp import (
    SPAN_ID,
    TRACE_ID,
    attributes,
    exemplar,
    exponential,
    histogram,
    metric,
    metrics,
    number,
    sum_metric,
    summary,
)

ATTRIBUTES_MAX = 10
Buckets = ExponentialHistogramDataPoint.Buckets
A_QUANTILE = SummaryDataPoint.ValueAtQuantile(quantile=0.5, value=1)

BAD_POINTS = [
    (number(time_unix_nano=0), Refusal.TIME),
    (number(time_unix_nano=TIME_NS_MAX + 1), Refusal.TIME),
    (number(start_time_unix_nano=TIME_NS_MAX + 1), Refusal.TIME),
    (summary(time_unix_nano=0), Refusal.TIME),
    (number(attributes=attributes(ATTRIBUTES_MAX + 1)), Refusal.ATTRIBUTES),
    (number(exemplars=[exemplar(), exemplar(trace_id=TRACE_ID[:4])]), Refusal.EXEMPLAR),
    (number(exemplars=[exemplar(span_id=SPAN_ID * 2)]), Refusal.EXEMPLAR),
    (histogram(exemplars=[exemplar(time_unix_nano=2**64 - 1)]), Refusal.EXEMPLAR),
    (number(exemplars=[exemplar()] * (NESTED_MAX + 1)), Refusal.NESTED),
    (histogram(bucket_counts=[1, 2]), Refusal.BUCKETS),
    (histogram(bucket_counts=[]), Refusal.BUCKETS),
    (histogram(explicit_bounds=[]), Refusal.BUCKETS),
    (histogram(explicit_bounds=[1.0, 1.0]), Refusal.BUCKETS),
    (histogram(explicit_bounds=[2.0, 1.0]), Refusal.BUCKETS),
    (histogram(explicit_bounds=[1.0, math.nan]), Refusal.BUCKETS),
    (histogram(explicit_bounds=[math.nan], bucket_counts=[1, 2]), Refusal.BUCKETS),
    (histogram(bucket_counts=[0] * (NESTED_MAX + 1)), Refusal.NESTED),
    (exponential(scale=21), Refusal.SCALE),
    (exponential(scale=-11), Refusal.SCALE),
    (exponential(positive=Buckets(offset=2**31 - 1, bucket_counts=[1])), Refusal.SCALE),
    (exponential(negative=Buckets(offset=-(2**31), bucket_counts=[1])), Refusal.SCALE),
    (exponential(scale=0, positive=Buckets(offset=1020, bucket_counts=[1] * 6)), Refusal.SCALE),
    (exponential(negative=Buckets(bucket_counts=[0] * (NESTED_MAX + 1))), Refusal.NESTED),
    (summary(quantile_values=[A_QUANTILE] * (NESTED_MAX + 1)), Refusal.NESTED),
]

GOOD_POINTS = [
    number(as_int=-7),
    number(as_double=math.nan),
    number(flags=1),
    number(start_time_unix_nano=0, time_unix_nano=TIME_NS_MAX),
    number(exemplars=[exemplar(), exemplar(trace_id=b"", span_id=b"", time_unix_nano=0)]),
    histogram(),
    histogram(bucket_counts=[], explicit_bounds=[]),
    histogram(bucket_counts=[3], explicit_bounds=[]),
    histogram(bucket_counts=[1, 2], explicit_bounds=[0.0]),
    histogram(explicit_bounds=[-math.inf, math.inf], exemplars=[exemplar()]),
    exponential(),
    exponential(scale=20, positive=Buckets(offset=-(2**30), bucket_counts=[1, 2])),
    exponential(scale=-10, positive=Buckets(offset=-2, bucket_counts=[1, 2, 3])),
    exponential(positive=Buckets(offset=2**31 - 1)),
    summary(quantile_values=[A_QUANTILE]),
]


@pytest.mark.parametrize(("point", "refusal"), BAD_POINTS)
def test_a_point_that_cannot_be_stored_is_refused_with_its_reason(point: Any, refusal: Refusal) -> None:  # noqa: ANN401
    """Each way to be unstorable is found by the fast pass and named by the slow one, which removes the point alone."""
    request = metrics(metric(number()), metric(point))
    assert count_if_all_good(request, attributes_max=ATTRIBUTES_MAX) is None
    assert refuse_bad(request, attributes_max=ATTRIBUTES_MAX).counts == {refusal: 1}
    assert count_if_all_good(request, attributes_max=ATTRIBUTES_MAX) == 1


@pytest.mark.parametrize("point", GOOD_POINTS)
def test_an_odd_point_that_can_be_stored_is_taken(point: Any) -> None:  # noqa: ANN401 - points of every kind
    """Odd is not wrong: no value, no buckets, infinite bounds, the edges of what a double can hold."""
    request = metrics(metric(point, point))
    assert count_if_all_good(request, attributes_max=ATTRIBUTES_MAX) == 2
    assert refuse_bad(request, attributes_max=ATTRIBUTES_MAX).rejected == 0


def test_all_points_of_a_metric_without_name_are_refused() -> None:
    """A series cannot be stored without a name; its points are counted and told where they were."""
    request = metrics(metric(number(), number(), name=""), sum_metric(number()))
    assert count_if_all_good(request, attributes_max=ATTRIBUTES_MAX) is None
    findings = refuse_bad(request, attributes_max=ATTRIBUTES_MAX)
    assert findings.counts == {Refusal.NAME: 2}
    assert findings.places == {Refusal.NAME: "resource_metrics[0].scope_metrics[0].metrics[0].gauge.data_points[0]"}
    assert count_if_all_good(request, attributes_max=ATTRIBUTES_MAX) == 1


def test_a_metric_without_data_is_no_item() -> None:
    """Neither a metric without a kind nor one without points counts, even without a name."""
    request = metrics(Metric(), Metric(name="empty"), sum_metric(name=""))
    assert count_if_all_good(request, attributes_max=ATTRIBUTES_MAX) == 0
    assert refuse_bad(request, attributes_max=ATTRIBUTES_MAX).rejected == 0


def test_a_crowded_resource_or_scope_costs_all_its_points() -> None:
    """More attributes than may be on the resource or scope are on every point of it."""
    crowd = attributes(ATTRIBUTES_MAX + 1)
    for request in (
        metrics(metric(number(), number()), resource=Resource(attributes=crowd)),
        metrics(metric(number(), number()), scope=InstrumentationScope(attributes=crowd)),
    ):
        assert count_if_all_good(request, attributes_max=ATTRIBUTES_MAX) is None
        assert refuse_bad(request, attributes_max=ATTRIBUTES_MAX).counts == {Refusal.ATTRIBUTES: 2}


def test_the_kinds_of_a_request_are_known() -> None:
    """Which kinds of data a request holds can be asked for."""
    request = metrics(Metric(), metric(number()), sum_metric(number()), metric(histogram()), metric(exponential()))
    assert kinds_in(request) == {"gauge", "sum", "histogram", "exponential_histogram"}
