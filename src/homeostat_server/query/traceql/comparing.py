"""Some spans set against all others: how often each value of each attribute comes on either side.

Every span counts as many as it stands for. Of each attribute and side the most frequent values are told, and how many
spans had the attribute at all.
"""

from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from homeostat_server.exceptions import QueryLimit
from homeostat_server.model.tenant import Tenant
from homeostat_server.query.binding import Binder
from homeostat_server.query.rows import integer, raw
from homeostat_server.query.sources import read_sources
from homeostat_server.query.traceql import sql
from homeostat_server.query.traceql.columns import any_value, attribute, typed
from homeostat_server.query.traceql.compiling import ALWAYS, Compiler
from homeostat_server.query.traceql.errors import TraceqlUnsupported
from homeostat_server.query.traceql.literals import show_key
from homeostat_server.query.traceql.names import Type
from homeostat_server.query.traceql.planning import narrow
from homeostat_server.query.traceql.reading import asking_for
from homeostat_server.query.traceql.results import NIL, NamedValue, Sample, Series, TypedValue
from homeostat_server.query.traceql.steps import Steps
from homeostat_server.query.traceql.tree import Comparison, Pipeline
from homeostat_server.store.ports import Parameter, TelemetryReader

META: Final = "__meta_type"
ROWS_MAX: Final = 200_000
"""Of one statement: values of attributes on either side and step."""

Line = dict[int, float]


@dataclass(frozen=True, slots=True)
class _Counted:
    """Hold how many spans had a value of an attribute in a step, on one side."""

    is_selected: bool
    step: int
    name: str
    value: TypedValue
    weight: float


def compare(
    reader: TelemetryReader, *, tenant: Tenant, pipeline: Pipeline, comparison: Comparison, steps: Steps
) -> tuple[Series, ...]:
    """Return a series for each frequent value of each attribute, by side, and one for each attribute's total.

    Raises:
        TraceqlUnsupported: it is not told of single spans which of them count.
        QueryLimit: there are too many values.
    """
    binder = Binder()
    compiler = Compiler(binder)
    narrowing = narrow(pipeline, compiler)
    if not narrowing.is_of_spans or narrowing.rows is None:
        raise TraceqlUnsupported("compare() behind anything but a filter", place=comparison.place)
    condition = comparison.selection.condition
    selected = (ALWAYS if condition is None else compiler.condition(condition)).sql
    if comparison.end_ns:
        first, last = binder.integer(comparison.start_ns), binder.integer(comparison.end_ns)
        selected = sql.all_of((selected, f"{sql.START_NS} >= {first}", f"{sql.START_NS} < {last}"))
    asked, joins = asking_for(narrowing.rows), compiler.joins
    parameters: dict[str, Parameter] = {
        "tenant": tenant,
        **steps.parameters(),
        "rows": ROWS_MAX,
        "values": comparison.values_max,
        **binder.parameters,
    }

    def ask(statement: str) -> list[dict[str, object]]:
        rows = reader.read(tenant, statement, parameters)
        if len(rows) >= ROWS_MAX:
            raise QueryLimit("compare spans", value=f"{ROWS_MAX} values", hint="Ask for a shorter window.")
        return rows

    counted = [
        *_of_intrinsics(ask(sql.compared_intrinsics(asked, selected=selected, joins=joins))),
        *_of_attributes(ask(sql.compared_attributes(asked, selected=selected, joins=joins))),
        *_of_sources(reader, tenant, ask(sql.compared_sources(asked, selected=selected, joins=joins))),
    ]
    return tuple(_series(counted, comparison.values_max, steps))


def _side(row: Mapping[str, object]) -> bool:
    return bool(row["selected"])


def _weight(row: Mapping[str, object]) -> float:
    weight = row["weights"]
    assert isinstance(weight, int | float)
    return float(weight)


def _of_intrinsics(rows: list[dict[str, object]]) -> Iterator[_Counted]:
    for row in rows:
        for name, kind in (("name", Type.STRING), ("status", Type.STATUS), ("kind", Type.KIND)):
            value = typed(kind, row[f"span_{name}"])
            yield _Counted(_side(row), integer(row["step"]), name, value, _weight(row))


def _of_attributes(rows: list[dict[str, object]]) -> Iterator[_Counted]:
    for row in rows:
        name = f"span.{show_key(raw(row['key']).decode('utf-8', 'replace'))}"
        value = attribute(raw(row["value_kind"]), raw(row["value"]))
        yield _Counted(_side(row), integer(row["step"]), name, value, _weight(row))


def _of_sources(reader: TelemetryReader, tenant: Tenant, rows: list[dict[str, object]]) -> Iterator[_Counted]:
    sources = read_sources(reader, tenant=tenant, numbers={integer(row["span_source"]) for row in rows})
    for row in rows:
        source = sources.get(integer(row["span_source"]))
        for item in () if source is None else source.resource.attributes:
            name = f"resource.{show_key(item.key)}"
            yield _Counted(_side(row), integer(row["step"]), name, any_value(item.value), _weight(row))


def _series(counted: list[_Counted], values_max: int, steps: Steps) -> Iterator[Series]:
    """Yield the series of each side and attribute: the most frequent values, then the total."""
    found: dict[tuple[bool, str], dict[TypedValue, Line]] = defaultdict(lambda: defaultdict(lambda: defaultdict(float)))
    for one in counted:
        found[one.is_selected, one.name][one.value][one.step] += one.weight
    for (is_selected, name), lines in sorted(found.items(), key=lambda item: (item[0][1], not item[0][0])):
        side = "selection" if is_selected else "baseline"
        ranked = sorted(lines.items(), key=lambda line: (-sum(line[1].values()), str(line[0].value)))
        for value, line in ranked[:values_max]:
            yield _one(side, NamedValue(name, value), line, steps)
        total: Line = defaultdict(float)
        for line in lines.values():
            for step, weight in line.items():
                total[step] += weight
        yield _one(f"{side}_total", NamedValue(name, NIL), total, steps)


def _one(side: str, label: NamedValue, line: Line, steps: Steps) -> Series:
    return Series(
        labels=(NamedValue(META, TypedValue(Type.STRING, side)), label),
        samples=tuple(Sample(steps.time_ms(step), line[step]) for step in sorted(line)),
    )
