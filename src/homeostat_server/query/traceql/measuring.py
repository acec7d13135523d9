"""Metrics of the spans that a query finds: series of samples, one for each combination of what they are grouped by.

Where each span, or the engine's view of each trace, says which spans count, the engine does all of it; else the spans
are found as in a search and counted here. Both tell cells, one a step and combination, and series are made of cells.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from homeostat_server.exceptions import InvalidRequest, QueryLimit
from homeostat_server.model.tenant import Tenant
from homeostat_server.query.traceql.cells import Cell, CellsReader
from homeostat_server.query.traceql.comparing import compare
from homeostat_server.query.traceql.names import COUNTING, Type
from homeostat_server.query.traceql.printing import show_field
from homeostat_server.query.traceql.refining import refine
from homeostat_server.query.traceql.results import Exemplar, NamedValue, Sample, Series, TypedValue
from homeostat_server.query.traceql.steps import Steps
from homeostat_server.query.traceql.tree import Comparison, Metric, Pipeline, Query
from homeostat_server.query.window import Window
from homeostat_server.store.ports import TelemetryReader

SERIES_MAX: Final = 1_000
"""More lines than anybody looks at; a label with as many values belongs into a search."""

SAMPLES_MAX: Final = 500_000
"""Of all series; some tens of megabytes."""

EXEMPLARS_MAX: Final = 1_000

Labels = tuple[TypedValue, ...]


def metrics_range(
    reader: TelemetryReader,
    *,
    tenant: Tenant,
    window: Window,
    query: Query,
    step_ns: int,
    exemplars: int = 0,
) -> tuple[Series, ...]:
    """Return the series of a query in steps that begin at multiples of their length.

    Args:
        reader: is asked.
        tenant: whose spans count.
        window: spans that start in it count; the first and the last step may be cut by it.
        query: one with a metric.
        step_ns: length of a step.
        exemplars: how many spans to look at are given at most, over all series.

    Raises:
        InvalidRequest: the query has no metric, or the steps are too many.
        QueryLimit: there are too many series.
    """
    return _series(reader, tenant=tenant, query=query, steps=Steps.of(window, step_ns), exemplars=exemplars)


def metrics_instant(
    reader: TelemetryReader, *, tenant: Tenant, window: Window, query: Query, exemplars: int = 0
) -> tuple[Series, ...]:
    """Return series with one sample each, of the whole window, at its end.

    Raises:
        InvalidRequest: the query has no metric.
        QueryLimit: there are too many series.
    """
    return _series(reader, tenant=tenant, query=query, steps=Steps.whole(window), exemplars=exemplars)


def _series(
    reader: TelemetryReader, *, tenant: Tenant, query: Query, steps: Steps, exemplars: int
) -> tuple[Series, ...]:
    if query.metric is None:
        raise InvalidRequest("measure with a TraceQL search", hint="Add a metric: { … } | rate().")
    if not 0 <= exemplars <= EXEMPLARS_MAX:
        raise InvalidRequest("use exemplars", value=exemplars, hint=f"From 0 to {EXEMPLARS_MAX}.")
    if isinstance(query.metric, Comparison):
        found = compare(reader, tenant=tenant, pipeline=query.pipeline, comparison=query.metric, steps=steps)
    else:
        found = _Measuring(reader, tenant, query.pipeline, query.metric, steps, exemplars).series()
    return refine(found, query.refinements)


@dataclass(slots=True)
class _Measuring:
    reader: TelemetryReader
    tenant: Tenant
    pipeline: Pipeline
    metric: Metric
    steps: Steps
    exemplars: int

    def series(self) -> tuple[Series, ...]:
        cells = CellsReader(self.pipeline, self.metric, exemplars=self.exemplars > 0).read(
            self.reader, self.tenant, self.steps
        )
        lines: dict[tuple[NamedValue, ...], dict[int, float]] = {}
        shown: dict[tuple[NamedValue, ...], list[Exemplar]] = {}
        for cell in cells:
            for labels, value in self._samples(cell):
                line = lines.setdefault(labels, {})
                line[cell.step] = value
                if cell.exemplar is not None:
                    shown.setdefault(labels, []).append(cell.exemplar)
            if len(lines) > SERIES_MAX:
                raise QueryLimit(
                    "measure by TraceQL",
                    value=f"more than {SERIES_MAX} series",
                    hint="Group by fields of fewer values, or ask for fewer spans.",
                )
        samples = len(lines) * self.steps.count
        if samples > SAMPLES_MAX:
            raise QueryLimit(
                "measure by TraceQL",
                value=f"{len(lines)} series of {self.steps.count} steps",
                hint=f"At most {SAMPLES_MAX} samples: take longer steps or fewer labels.",
            )
        share = -(-self.exemplars // len(lines)) if lines else 0
        return tuple(
            Series(
                labels=labels or (NamedValue("__name__", TypedValue(Type.STRING, self.metric.function)),),
                samples=self._filled(line),
                exemplars=tuple(_spread(shown.get(labels, []), share)),
            )
            for labels, line in sorted(lines.items(), key=lambda item: _order(item[0]))
        )

    def _filled(self, line: Mapping[int, float]) -> tuple[Sample, ...]:
        """Return the samples of a line; where nothing was counted is a zero, where nothing was measured is none."""
        counts = self.metric.function in (*COUNTING, "histogram_over_time")
        wanted: Iterable[int] = range(self.steps.count) if counts else sorted(line)
        return tuple(Sample(self.steps.time_ms(step), line.get(step, 0.0)) for step in wanted)

    def _samples(self, cell: Cell) -> Iterator[tuple[tuple[NamedValue, ...], float]]:
        by = tuple(NamedValue(show_field(part), label) for part, label in zip(self.metric.by, cell.labels, strict=True))
        match self.metric.function:
            case "quantile_over_time":
                for level, value in zip(self.metric.quantiles, cell.quantiles, strict=True):
                    yield (*by, NamedValue("p", TypedValue(Type.REAL, level))), value
            case "histogram_over_time":
                yield (*by, NamedValue("__bucket", TypedValue(Type.REAL, cell.bucket))), cell.weights
            case function:
                yield by, self._value(function, cell)

    def _value(self, function: str, cell: Cell) -> float:
        return {
            "rate": cell.weights / self.steps.step_s,
            "count_over_time": cell.weights,
            "min_over_time": cell.lowest,
            "max_over_time": cell.highest,
            "sum_over_time": cell.total,
            "avg_over_time": cell.total / cell.weights if cell.weights else 0.0,
        }[function]


def _order(labels: Sequence[NamedValue]) -> tuple[tuple[str, str], ...]:
    return tuple((label.value.type.value, str(label.value.value)) for label in labels)


def _spread(found: Sequence[Exemplar], count: int) -> list[Exemplar]:
    """Return so many of them, evenly over time."""
    ordered = sorted(found, key=lambda exemplar: exemplar.time_ms)
    if len(ordered) <= count:
        return ordered
    return [ordered[int(at)] for at in np.linspace(0, len(ordered) - 1, count)] if count else []
