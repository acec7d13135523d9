"""Points: the round of metric bodies, one export of every series of the fleet.

Invariant: knows where each value goes; the values come from `readings`.
"""

from collections.abc import Sequence
from typing import Final

from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.metrics.v1.metrics_pb2 import (
    AggregationTemporality,
    Exemplar,
    ExponentialHistogramDataPoint,
    HistogramDataPoint,
    Metric,
    NumberDataPoint,
    SummaryDataPoint,
)

from benchmarks.realistic import attributes
from benchmarks.realistic.bodies import Batch, Draft, Style, by_instance_and_scope, compile_drafts, gather
from benchmarks.realistic.fleet import Instance, resource
from benchmarks.realistic.series import Family, Instrument, Series
from benchmarks.realistic.slots import Sections, Sentinels
from benchmarks.realistic.spans import SCHEMA_URL

BOUNDS: Final = (0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0)
"""The bounds that the semantic conventions advise for durations in seconds."""
BUCKETS: Final = len(BOUNDS) + 1
EXPONENTIAL_WORDS: Final = 2
"""An exponential histogram has eight one-byte counts a word."""
EXPONENTIAL_SCALE: Final = 3
EXPONENTIAL_OFFSET: Final = 64
QUANTILES: Final = (0.5, 0.9, 0.95, 0.99)
_SCOPE: Final = ("opentelemetry.sdk.metrics", "1.37.0")
_CUMULATIVE: Final = AggregationTemporality.AGGREGATION_TEMPORALITY_CUMULATIVE
_DELTA: Final = AggregationTemporality.AGGREGATION_TEMPORALITY_DELTA


def batch_of(
    series: Sequence[Series], instances: Sequence[Instance], sections: Sections, *, items_per_body: int, style: Style
) -> Batch:
    """Write and compile the bodies of one export; a series keeps its slots whichever others are there."""
    owners = [instances[one.instance] for one in series]
    numbers = {instance: number for number, instance in enumerate(instances)}
    members = gather(owners, [float(one.instance) for one in series], items_per_body=items_per_body, style=style)
    scopes = [_SCOPE] * len(series)
    drafts = [_draft(series, by_instance_and_scope(body, owners, scopes), numbers) for body in members]
    return compile_drafts(drafts, sections, {"no.such.key": False})


def _draft(
    series: Sequence[Series],
    groups: dict[Instance, dict[tuple[str, str], list[int]]],
    numbers: dict[Instance, int],
) -> Draft:
    writer = _Writer()
    request = ExportMetricsServiceRequest()
    items = 0
    for instance, scopes in groups.items():
        block = request.resource_metrics.add(schema_url=SCHEMA_URL)
        block.resource.CopyFrom(resource(instance))
        for (name, version), members in scopes.items():
            scope_metrics = block.scope_metrics.add()
            scope_metrics.scope.name, scope_metrics.scope.version = name, version
            for instrument, points in _by_instrument([series[number] for number in members]).items():
                writer.write(scope_metrics.metrics.add(), instrument, points, numbers[instance])
            items += len(members)
    return Draft(request.SerializeToString(), items, writer.sentinels.written)


def _by_instrument(series: list[Series]) -> dict[Instrument, list[Series]]:
    groups: dict[Instrument, list[Series]] = {}
    for one in series:
        groups.setdefault(one.instrument, []).append(one)
    return groups


class _Writer:
    """Write metrics as messages with sentinels in their slots."""

    def __init__(self) -> None:
        self.sentinels = Sentinels()

    def write(self, metric: Metric, instrument: Instrument, points: list[Series], instance: int) -> None:
        metric.name, metric.unit, metric.description = instrument.name, instrument.unit, instrument.description
        self._frame(metric, instrument.family)
        for one in points:
            point = self._point(metric, instrument.family, one.index)
            start = "p" if instrument.family in (Family.DELTA, Family.EXPONENTIAL) else "b"
            if instrument.family not in (Family.GAUGE, Family.LEVEL):
                point.start_time_unix_nano = self.sentinels.fixed(start, instance)
            point.time_unix_nano = self.sentinels.fixed("t", instance)
            attributes.fill(point.attributes.add, one.attributes)

    def _frame(self, metric: Metric, family: Family) -> None:
        """Choose the metric's kind, temporality and monotonicity."""
        if family in (Family.COUNTER, Family.CLOCK, Family.DELTA, Family.UP_DOWN):
            metric.sum.aggregation_temporality = _DELTA if family is Family.DELTA else _CUMULATIVE
            metric.sum.is_monotonic = family is not Family.UP_DOWN
        elif family is Family.HISTOGRAM:
            metric.histogram.aggregation_temporality = _CUMULATIVE
        elif family is Family.EXPONENTIAL:
            metric.exponential_histogram.aggregation_temporality = _DELTA

    def _point(
        self, metric: Metric, family: Family, index: int
    ) -> NumberDataPoint | HistogramDataPoint | ExponentialHistogramDataPoint | SummaryDataPoint:
        if family is Family.HISTOGRAM:
            return self._histogram(metric.histogram.data_points.add(), index)
        if family is Family.EXPONENTIAL:
            return self._exponential(metric.exponential_histogram.data_points.add(), index)
        if family is Family.SUMMARY:
            return self._summary(metric.summary.data_points.add(), index)
        gauge = family in (Family.GAUGE, Family.LEVEL)
        return self._number((metric.gauge if gauge else metric.sum).data_points.add(), family, index)

    def _number(self, point: NumberDataPoint, family: Family, index: int) -> NumberDataPoint:
        section = NUMBER_SECTIONS[family]
        if family in (Family.CLOCK, Family.GAUGE):
            point.as_double = self.sentinels.double(section, index)
        else:
            point.as_int = self.sentinels.fixed(section, index)
        return point

    def _histogram(self, point: HistogramDataPoint, index: int) -> HistogramDataPoint:
        marks = self.sentinels
        point.count, point.sum = marks.fixed("H", index), marks.double("V", index)
        point.bucket_counts.extend(marks.fixed("B", index * BUCKETS + bucket) for bucket in range(BUCKETS))
        point.explicit_bounds.extend(BOUNDS)
        point.min, point.max = marks.double("m", index), marks.double("x", index)
        if has_exemplar(index):
            self._exemplar(point.exemplars.add(), index // 2)
        return point

    def _exemplar(self, exemplar: Exemplar, index: int) -> None:
        marks = self.sentinels
        exemplar.time_unix_nano, exemplar.as_double = marks.fixed("w", index), marks.double("y", index)
        exemplar.trace_id = marks.raw("T", index) + marks.raw("U", index)
        exemplar.span_id = marks.raw("S", index)
        exemplar.filtered_attributes.add(key="user.id").value.string_value = "u-" + marks.text("N", index)

    def _exponential(self, point: ExponentialHistogramDataPoint, index: int) -> ExponentialHistogramDataPoint:
        marks = self.sentinels
        point.count, point.sum = marks.fixed("c", index), marks.double("s", index)
        point.zero_count, point.scale = marks.fixed("z", index), EXPONENTIAL_SCALE
        point.min, point.max = marks.double("i", index), marks.double("j", index)
        point.positive.offset = EXPONENTIAL_OFFSET
        for word in range(EXPONENTIAL_WORDS):
            point.positive.bucket_counts.extend(marks.raw("e", index * EXPONENTIAL_WORDS + word))
        return point

    def _summary(self, point: SummaryDataPoint, index: int) -> SummaryDataPoint:
        marks = self.sentinels
        point.count, point.sum = marks.fixed("u", index), marks.double("v", index)
        for rank, quantile in enumerate(QUANTILES):
            point.quantile_values.add(quantile=quantile, value=marks.double("q", index * len(QUANTILES) + rank))
        return point


NUMBER_SECTIONS: Final = {
    Family.COUNTER: "C",
    Family.CLOCK: "F",
    Family.DELTA: "K",
    Family.GAUGE: "Q",
    Family.LEVEL: "J",
    Family.UP_DOWN: "D",
}
"""Sections of the table of values, by family of numbers."""


def has_exemplar(histogram: int) -> bool:
    """Say whether a histogram series carries an exemplar: every second one does."""
    return histogram % 2 == 0
