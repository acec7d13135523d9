from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue
from opentelemetry.proto.metrics.v1.metrics_pb2 import Metric
from opentelemetry.proto.resource.v1.resource_pb2 import Resource

from homeostat_server.query.cursor import NamePlace
from homeostat_server.query.metrics.listing import Metric as Listed
from homeostat_server.query.metrics.listing import Series, SeriesPlace, list_metrics, list_series
from homeostat_server.query.metrics.points import Point
from homeostat_server.query.values import real_json
from homeostat_server.query.window import Window
from tests import otlp
from tests.telemetry_store import FilledStore

SETTINGS = settings(max_examples=15, deadline=None, suppress_health_check=list(HealthCheck))
BEGIN_NS = otlp.NOW_NS
WINDOW = Window(BEGIN_NS, BEGIN_NS + 1_000 * 10**9)


@dataclass(frozen=True, slots=True)
class Sent:
    """Hold one point as it is sent; which kind of metric it is part of follows from the name."""

    name: str
    service: str
    label: int
    offset_s: int
    number: float | int

    @property
    def time_ns(self) -> int:
        """Return the point's time."""
        return BEGIN_NS + self.offset_s * 10**9

    @property
    def series(self) -> tuple[str, str, int]:
        """Return what sets its series apart."""
        return (self.name, self.service, self.label)

    @property
    def values(self) -> dict[str, Any]:
        """Return what a reader is told of the point."""
        count = abs(int(self.number)) if self.number == self.number else 0
        totals: dict[str, Any] = {"count": count}
        return {
            "gauge": {"value": real_json(self.number) if isinstance(self.number, float) else self.number},
            "sum": {"value": real_json(self.number) if isinstance(self.number, float) else self.number},
            "histogram": totals | {"sum": 1.5, "min": None, "max": 2.0, "bounds": [0.5], "buckets": [count, 0]},
            "exponential": totals
            | {"sum": None, "min": None, "max": None, "scale": 3, "zero_count": 1, "zero_threshold": 0.25}
            | {"positive_offset": -2, "positive_buckets": [count], "negative_offset": 1, "negative_buckets": [2]},
            "summary": totals | {"sum": 2.5, "quantiles": [0.5], "quantile_values": [7.0]},
        }[self.name.partition(".")[0]]


NUMBERS = st.one_of(st.integers(-100, 100), st.floats(-100, 100), st.just(float("nan")))
POINTS = st.lists(
    st.builds(
        Sent,
        name=st.sampled_from(["gauge.a", "gauge.b", "sum.a", "histogram.a", "exponential.a", "summary.a"]),
        service=st.sampled_from(["cart", "shop"]),
        label=st.integers(0, 2),
        offset_s=st.integers(0, 1_100),
        number=NUMBERS,
    ),
    min_size=1,
    max_size=20,
    unique_by=lambda sent: (sent.series, sent.offset_s),
)


def _metric(sent: Sent) -> Metric:
    attributes = [KeyValue(key="label", value=AnyValue(int_value=sent.label))]
    common: dict[str, Any] = {"time_unix_nano": sent.time_ns, "attributes": attributes}
    said = {key: value for key, value in sent.values.items() if value is not None}
    kind = sent.name.partition(".")[0]
    if kind in ("gauge", "sum"):
        number = {"as_double": sent.number} if isinstance(sent.number, float) else {"as_int": sent.number}
        return (otlp.metric if kind == "gauge" else otlp.sum_metric)(otlp.number(**common, **number), name=sent.name)
    if kind == "histogram":
        said = {"explicit_bounds": said.pop("bounds"), "bucket_counts": said.pop("buckets")} | said
        return otlp.metric(otlp.histogram(**common, **said), name=sent.name)
    if kind == "summary":
        summary = otlp.summary(**common, count=said["count"], sum=said["sum"])
        summary.quantile_values.add(quantile=0.5, value=7.0)
        return otlp.metric(summary, name=sent.name)
    point = otlp.exponential(**common, count=said["count"], scale=3, zero_count=1, zero_threshold=0.25)
    point.positive.bucket_counts[:] = said["positive_buckets"]
    point.negative.offset, point.negative.bucket_counts[:] = 1, [2]
    return otlp.metric(point, name=sent.name)


def request(sent: Iterable[Sent]) -> ExportMetricsServiceRequest:
    """Return points as they would be sent."""
    made = ExportMetricsServiceRequest()
    for one in sent:
        resource = Resource(attributes=[KeyValue(key="service.name", value=AnyValue(string_value=one.service))])
        made.MergeFrom(otlp.metrics(_metric(one), resource=resource))
    return made


def newest(sent: Iterable[Sent]) -> list[Sent]:
    """Return the newest points in the window, all that share its time."""
    inside = [one for one in sent if WINDOW.start_ns <= one.time_ns < WINDOW.end_ns]
    newest_ns = max((one.time_ns for one in inside), default=0)
    return [one for one in inside if one.time_ns == newest_ns]


def assert_newest(point: Point | None, sent: Iterable[Sent]) -> None:
    """Check that a point is the newest of those that were sent, None when none is in the window."""
    expected = newest(sent)
    if not expected:
        assert point is None
        return
    assert point is not None
    assert point.time_ns == expected[0].time_ns
    assert point.values in [one.values for one in expected]


@SETTINGS
@given(sent=POINTS, size=st.integers(1, 4))
def test_metrics_are_listed_with_their_newest_point(filled: FilledStore, sent: list[Sent], size: int) -> None:
    """Each name comes once, by name, with the number of its series and the newest value that any of them has."""
    tenant = filled.new_tenant()
    filled.insert(tenant, request(sent[::2]))
    filled.insert(tenant, request(sent))
    found: list[Listed] = []
    after: NamePlace | None = None
    for _ in range(len(sent) + 1):
        page = list_metrics(filled.store, tenant=tenant, window=WINDOW, metrics_max=size, after=after)
        found += page.items
        after = page.next_place
        if after is None:
            break
    by_name: dict[str, list[Sent]] = defaultdict(list)
    for one in sent:
        by_name[one.name].append(one)
    assert [metric.name for metric in found] == sorted(by_name)
    for metric in found:
        of_name = by_name[metric.name]
        assert metric.series_count == len({one.series for one in of_name})
        assert_newest(metric.newest, of_name)


@SETTINGS
@given(sent=POINTS, size=st.integers(1, 4))
def test_series_are_listed_each_with_its_newest_point(filled: FilledStore, sent: list[Sent], size: int) -> None:
    """Each series of a metric comes once, with its labels, its service and the newest value it has."""
    tenant = filled.new_tenant()
    filled.insert(tenant, request(sent))
    name = sent[0].name
    found: list[Series] = []
    after: SeriesPlace | None = None
    for _ in range(len(sent) + 1):
        answer = list_series(filled.store, tenant=tenant, window=WINDOW, metric=name, series_max=size, after=after)
        found += answer.page.items
        assert {series.source for series in answer.page.items} == answer.sources.keys()
        after = answer.page.next_place
        if after is None:
            break
    by_series: dict[tuple[str, str, int], list[Sent]] = defaultdict(list)
    for one in sent:
        if one.name == name:
            by_series[one.series].append(one)
    labelled = {(name, series.service, int(series.attributes[0]["value"]["intValue"])): series for series in found}
    assert len(found) == len(labelled)
    assert labelled.keys() == by_series.keys()
    for key, series in labelled.items():
        assert_newest(series.newest, by_series[key])
