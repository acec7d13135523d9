"""What is measured of the spans of each step and combination of labels, as the engine tells it. It makes no series."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

from homeostat_server.model.tenant import Tenant
from homeostat_server.query.binding import Binder
from homeostat_server.query.rows import integer, raw
from homeostat_server.query.sources import read_sources
from homeostat_server.query.times import NS_PER_S
from homeostat_server.query.traceql import sql
from homeostat_server.query.traceql.checking import field_type
from homeostat_server.query.traceql.columns import column, joined_column
from homeostat_server.query.traceql.compiling import Compiler
from homeostat_server.query.traceql.names import Type
from homeostat_server.query.traceql.planning import any_filter, narrow
from homeostat_server.query.traceql.reading import asking_for
from homeostat_server.query.traceql.results import Exemplar, TypedValue
from homeostat_server.query.traceql.searching import spans_of
from homeostat_server.query.traceql.steps import Steps
from homeostat_server.query.traceql.tree import Metric, Pipeline
from homeostat_server.store.ports import Parameter, TelemetryReader

DECIDED_SPANS_MAX: Final = 50_000
"""Spans that are found one by one before they are measured; their ids go back to the engine as a text of megabytes."""

Labels = tuple[TypedValue, ...]


@dataclass(frozen=True, slots=True)
class Cell:
    """Hold what is told of the spans of one step and combination of labels."""

    step: int
    labels: Labels
    weights: float
    total: float = 0.0
    lowest: float = 0.0
    highest: float = 0.0
    quantiles: tuple[float, ...] = ()
    bucket: float = 0.0
    exemplar: Exemplar | None = None


class CellsReader:
    """Read the cells of a metric."""

    def __init__(self, pipeline: Pipeline, metric: Metric, *, exemplars: bool) -> None:
        """Say what is measured of which spans; where the engine cannot say which, they are found first."""
        self._metric = metric
        self._exemplars = exemplars
        self._decided_by_spans: Pipeline | None = None
        self._binder = Binder()
        compiler = Compiler(self._binder)
        asked = self._asked(pipeline, compiler)
        # Quantiles of several sources do not add up to that of all: there each value is one group of the engine's.
        read_as = joined_column if metric.quantiles else column
        self._by = [read_as(part, f"label_{at}", compiler) for at, part in enumerate(metric.by)]
        self._keys = {name: text for item in self._by for name, text in item.selected().items()}
        if any(item.from_source is not None for item in self._by):
            self._keys["span_source"] = "source"
        value = None if metric.operand is None else compiler.number(metric.operand)
        if value is not None:
            asked = asked.also(f"isNotNull({value})")
            value = f"assumeNotNull({value})"
        if metric.function == "histogram_over_time":
            self._keys["bucket"] = sql.power_of_two(str(value))
        told = sql.measures(value=value, quantiles=[self._binder.real(level) for level in metric.quantiles])
        if exemplars:
            told |= sql.EXEMPLAR | ({} if value is None else {"exemplar_value": f"argMax({value}, duration_ns)"})
        self.statement = sql.cells(asked, keys=self._keys, told=told, joins=compiler.joins)

    def _asked(self, pipeline: Pipeline, compiler: Compiler) -> sql.Asked:
        narrowing = narrow(pipeline, compiler)
        if not narrowing.exact or narrowing.rows is None:
            self._decided_by_spans = pipeline
            return sql.Asked("1", of_trace=(sql.SOME_SPANS,))
        asked = asking_for(narrowing.rows)
        if narrowing.having is None:
            return asked
        inner = Compiler(self._binder)
        among, having = asking_for(any_filter(pipeline, inner)), str(narrow(pipeline, inner).having)
        return replace(asked, of_trace=(sql.in_traces(among, joins=inner.joins, having=having),))

    def read(self, reader: TelemetryReader, tenant: Tenant, steps: Steps) -> list[Cell]:
        """Return the cells of each step, each combination of labels once."""
        parameters: dict[str, Parameter] = {"tenant": tenant, **steps.parameters(), **self._binder.parameters}
        if self._decided_by_spans is not None:
            spans = spans_of(
                reader,
                tenant=tenant,
                window=steps.window,
                pipeline=self._decided_by_spans,
                spans_max=DECIDED_SPANS_MAX,
            )
            if not spans:
                return []
            parameters["spans"] = ",".join(spans)
        table = reader.read_table(tenant, self.statement, parameters)
        is_told_by_source = "span_source" in self._keys
        numbers = set(table["span_source"].unique().to_pylist()) if is_told_by_source else set()
        sources = read_sources(reader, tenant=tenant, numbers=numbers)
        labels = list(zip(*(item.read(table, sources) for item in self._by), strict=True)) or [()] * table.num_rows
        return _merged(self._cell(row, row_labels) for row, row_labels in zip(table.to_pylist(), labels, strict=True))

    def _cell(self, row: Mapping[str, object], labels: Labels) -> Cell:
        """Return a cell; durations are told in seconds."""
        scale = 1 / NS_PER_S if self._is_duration() else 1.0
        quantiles = row.get("quantile_values") or ()
        assert isinstance(quantiles, Sequence)
        return Cell(
            step=integer(row["step"]),
            labels=labels,
            weights=_real(row["weights"]),
            total=_real(row.get("total")) * scale,
            lowest=_real(row.get("lowest")) * scale,
            highest=_real(row.get("highest")) * scale,
            quantiles=tuple(value * sql.BUCKET_CENTRE * scale for value in quantiles),
            bucket=_real(row.get("bucket")) * scale,
            exemplar=self._exemplar(row, scale) if self._exemplars else None,
        )

    def _is_duration(self) -> bool:
        return self._metric.operand is not None and field_type(self._metric.operand) is Type.DURATION

    def _exemplar(self, row: Mapping[str, object], scale: float) -> Exemplar:
        return Exemplar(
            trace_id=raw(row["exemplar_trace"]).hex(),
            span_id=raw(row["exemplar_span"]).hex(),
            time_ms=integer(row["exemplar_ns"]) // 1_000_000,
            value=_real(row["exemplar_value"]) * scale if "exemplar_value" in row else None,
        )


def _real(value: object) -> float:
    return float(value) if isinstance(value, int | float) else 0.0


def _merged(cells: Iterable[Cell]) -> list[Cell]:
    """Return cells of the same step and labels as one: several sources may tell the same of a span."""
    found: dict[tuple[int, Labels, float], Cell] = {}
    for cell in cells:
        key = (cell.step, cell.labels, cell.bucket)
        before = found.get(key)
        found[key] = cell if before is None else _sum(before, cell)
    return list(found.values())


def _sum(one: Cell, other: Cell) -> Cell:
    weights = one.weights + other.weights
    return Cell(
        step=one.step,
        labels=one.labels,
        weights=weights,
        total=one.total + other.total,
        lowest=min(one.lowest, other.lowest),
        highest=max(one.highest, other.highest),
        quantiles=one.quantiles,
        bucket=one.bucket,
        exemplar=one.exemplar or other.exemplar,
    )
