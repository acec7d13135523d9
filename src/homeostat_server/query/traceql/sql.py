"""The SQL of TraceQL: pieces about one span's fields, and the statements. It runs nothing and binds nothing itself.

See `homeostat_server.query.sql` for the pieces it shares. Values of attributes are a text and, beside it, the digit of
the kind that was sent; `''` is the kind of one that is not there.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

from homeostat_server.query.attributes.sql import has_any_item
from homeostat_server.query.sql import SOME_TRACES, also, during

NO_PARENT: Final = "toFixedString('', 8)"
IS_ROOT: Final = f"parent_span_id = {NO_PARENT}"
START_NS: Final = "toUnixTimestamp64Nano(ts)"

NO_NUMBER: Final = "CAST(NULL, 'Nullable(Float64)')"

STRING_KIND: Final = "'1'"
BOOLEAN_KIND: Final = "'2'"
INTEGER_KIND: Final = "'3'"
REAL_KIND: Final = "'4'"

WIDE: Final = during("wide_first_ns", "wide_last_ns")
"""The stretch in which the other spans of a trace are looked for."""

TRACE_FACTS: Final = f"""
LEFT ANY JOIN (
    SELECT trace_id AS facts_trace_id,
        max({START_NS} + greatest(duration_ns, 0)) - min({START_NS}) AS trace_duration_ns,
        if(countIf({IS_ROOT}) > 0, argMinIf(name, (ts, span_id), {IS_ROOT}), NULL) AS trace_root_name,
        if(countIf({IS_ROOT}) > 0, argMinIf(service, (ts, span_id), {IS_ROOT}), NULL) AS trace_root_service
    FROM telemetry.spans
    WHERE {WIDE}
    GROUP BY trace_id
) AS trace_facts ON trace_id = facts_trace_id
""".strip()

CHILDREN: Final = f"""
LEFT ANY JOIN (
    SELECT trace_id AS child_trace_id, parent_span_id AS child_parent_id, count() AS child_count
    FROM telemetry.spans
    WHERE {WIDE} AND NOT {IS_ROOT}
    GROUP BY trace_id, parent_span_id
) AS children ON trace_id = child_trace_id AND span_id = child_parent_id
""".strip()

SPAN_VALUES: Final = {
    "start_ns": START_NS,
    "span_id": "span_id",
    "duration_ns": "duration_ns",
    "span_name": "name",
    "span_source": "source",
}
"""What is told of every span; in this order spans are sorted."""

BOUNDS: Final = f"""
SELECT trace_id, toUnixTimestamp64Second(min(first_ts)) AS first_s, toUnixTimestamp64Second(max(last_ts)) AS last_s
FROM telemetry.trace_bounds
WHERE tenant = {{tenant:String}}
    AND {SOME_TRACES}
GROUP BY trace_id
""".strip()
"""First and last second of each trace."""

SUMMARIES: Final = f"""
SELECT trace_id, service, count() AS spans, countIf(status_code = 2) AS errors,
    min({START_NS}) AS start_ns, max({START_NS} + greatest(duration_ns, 0)) AS end_ns,
    countIf({IS_ROOT}) AS roots, argMinIf(({START_NS}, span_id, name), (ts, span_id), {IS_ROOT}) AS root,
    tupleElement(root, 1) AS root_ns, tupleElement(root, 2) AS root_id, tupleElement(root, 3) AS root_name
FROM telemetry.spans
WHERE {during()}
    AND {SOME_TRACES}
GROUP BY trace_id, service
ORDER BY trace_id, service
""".strip()
"""One row a service of a trace; the trace's root is the earliest of the rows that have roots."""


def sources(columns: Mapping[str, str]) -> str:
    """Return the join that gives values of resources and scopes beside spans, by the name of each column."""
    listed = "".join(f", any({expression}) AS {name}" for name, expression in columns.items())
    return (
        f"LEFT ANY JOIN (\n    SELECT source AS described_source{listed}\n    FROM telemetry.sources\n"
        "    WHERE tenant = {tenant:String}\n    GROUP BY source\n) AS described ON source = described_source"
    )


def of_source(condition: str) -> str:
    """Return a condition on a span from one on its resource and scope."""
    return "source IN (SELECT source FROM telemetry.sources WHERE tenant = {tenant:String}" + f" AND {condition})"


def has_key(column: str, key: str) -> str:
    """Return that a map has a key; of spans it is asked of the column of the keys alone, a fourth of the cost."""
    return f"has(attributes.keys, {key})" if column == "attributes" else f"mapContains({column}, {key})"


def kind_of(keys: str, kinds: str, key: str) -> str:
    """Return the kind of an attribute in a map, empty when it is not there."""
    return f"substring({kinds}, indexOf(mapKeys({keys}), {key}), 1)"


def first_of(column: str, values: Sequence[tuple[str, str]], missing: str) -> str:
    """Return the value that belongs to the first name that is in a map; `values` are names and values."""
    if len(values) == 1:
        return values[0][1]
    tests = ", ".join(f"{has_key(column, key)}, {value}" for key, value in values)
    return f"multiIf({tests}, {missing})"


def all_of(conditions: Iterable[str], junction: str = "AND") -> str:
    """Return conditions joined, in brackets when there are several."""
    listed = list(conditions)
    return listed[0] if len(listed) == 1 else f"({f' {junction} '.join(listed)})"


def items(values: Sequence[str]) -> str:
    """Return that a span has one of these `key=value` items; the index of them prunes by it."""
    return has_any_item(values)


def _where(asked: "Asked", joins: Sequence[str]) -> str:
    """Return FROM and WHERE of spans; what only prunes stands apart, for it is the most costly of each row."""
    from_ = "\n".join(("FROM telemetry.spans", *joins))
    conditions = f"{during()}{also((*asked.of_trace, *asked.texts))}"
    if asked.prune is None:
        return f"{from_}\nWHERE {conditions}"
    return f"{from_}\nPREWHERE {conditions}\nWHERE {asked.prune}"


@dataclass(frozen=True, slots=True)
class Asked:
    """Hold what spans have to fulfil.

    Attributes:
        exact: the condition, "1" for none.
        prune: one that holds wherever it does and that an index knows.
        of_trace: further conditions, on their traces.
    """

    exact: str
    prune: str | None = None
    of_trace: tuple[str, ...] = ()

    @property
    def texts(self) -> tuple[str, ...]:
        """Return the condition, nothing for none."""
        return () if self.exact == "1" else (self.exact,)

    def also(self, condition: str) -> "Asked":
        """Return the same with one more condition."""
        return replace(self, exact=all_of((*self.texts, condition)))


def candidates(asked: Asked, *, joins: Sequence[str], having: str | None, after: bool) -> str:
    """Return the question for traces by their newest span that fulfils the conditions, newest first."""
    place = "(newest_ns, trace_id) < ({after_ns:Int64}, toFixedString(unhex({after_id:String}), 16))"
    listed = [condition for condition in (having, place if after else None) if condition is not None]
    return f"""
SELECT trace_id, max({START_NS}) AS newest_ns
{_where(asked, joins)}
GROUP BY trace_id{f"{chr(10)}HAVING {all_of(listed)}" if listed else ""}
ORDER BY newest_ns DESC, trace_id DESC
LIMIT {{rows:UInt32}}
""".strip()


def found(asked: Asked, *, columns: Sequence[str], joins: Sequence[str], spans_max: int) -> str:
    """Return the question for traces as `candidates` does, with their first spans that fulfil the conditions.

    Args:
        asked: what spans have to fulfil.
        columns: what is told of each span behind `SPAN_VALUES`.
        joins: what is joined.
        spans_max: of each trace.
    """
    told = ", ".join((*SPAN_VALUES.values(), *columns))
    return f"""
SELECT trace_id, max({START_NS}) AS newest_ns, count() AS matched,
    groupArraySorted({spans_max})(({told})) AS spans
{_where(asked, joins)}
GROUP BY trace_id
ORDER BY newest_ns DESC, trace_id DESC
LIMIT {{rows:UInt32}}
""".strip()


def rows(asked: Asked, *, columns: Mapping[str, str], joins: Sequence[str], per_trace: bool) -> str:
    """Return the question for spans of some traces, by start; with `per_trace` the first ones of each, and how many."""
    told = ",\n    ".join(f"{expression} AS {name}" for name, expression in (SPAN_VALUES | dict(columns)).items())
    counted = ",\n    count() OVER (PARTITION BY trace_id) AS matched" if per_trace else ""
    limit = "\nLIMIT {spans:UInt32} BY trace_id" if per_trace else ""
    return f"""
SELECT trace_id, parent_span_id,
    {told}{counted}
{_where(replace(asked, prune=None, of_trace=(SOME_TRACES,)), joins)}
ORDER BY start_ns, span_id{limit}
""".strip()


EXEMPLAR: Final = {
    "exemplar": f"argMax((trace_id, span_id, {START_NS}), duration_ns)",
    "exemplar_trace": "tupleElement(exemplar, 1)",
    "exemplar_span": "tupleElement(exemplar, 2)",
    "exemplar_ns": "tupleElement(exemplar, 3)",
}
"""The slowest span of a cell: what somebody who sees a peak wants to look at."""

BUCKET_CENTRE: Final = 1 + 1 / 256
"""By what a quantile is more, on average, than the same cut to eight binary digits: so it is right to 0.4 %."""


def measures(*, value: str | None, quantiles: Sequence[str]) -> dict[str, str]:
    """Return what is told of the spans of one cell, by name; every span counts as many as it stands for."""
    found = {"weights": "sum(weight)"}
    if quantiles:
        listed = ", ".join(quantiles)
        found["quantile_values"] = f"quantilesBFloat16Weighted({listed})({value}, toUInt64(round(weight * 1000)))"
    elif value is not None:
        found |= {"total": f"sum(weight * {value})", "lowest": f"min({value})", "highest": f"max({value})"}
    return found


def power_of_two(value: str) -> str:
    """Return the lowest power of two that is not less than a number, 0 for what is not above 0."""
    return f"if({value} > 0, exp2(ceil(log2({value}))), 0)"


def cells(asked: Asked, *, keys: Mapping[str, str], told: Mapping[str, str], joins: Sequence[str]) -> str:
    """Return the question for what is told of the spans of each step and combination of keys."""
    listed = "".join(f",\n    {expression} AS {name}" for name, expression in (*keys.items(), *told.items()))
    return f"""
SELECT intDiv({START_NS} - {{origin_ns:Int64}}, {{step_ns:Int64}}) AS step{listed}
{_where(asked, joins)}
GROUP BY {", ".join(("step", *keys))}
""".strip()


SOME_SPANS: Final = """
(trace_id, span_id) IN (
        SELECT toFixedString(substring(id, 1, 16), 16), toFixedString(substring(id, 17, 8), 8)
        FROM (SELECT unhex(arrayJoin(splitByChar(',', {spans:String}))) AS id)
    )
""".strip()
"""The condition that a row is one of several spans, given as hexadecimal ids of trace and span with commas between."""


def in_traces(asked: Asked, *, joins: Sequence[str], having: str) -> str:
    """Return the condition that a span's trace fulfils one over its spans."""
    inner = _where(asked, joins).replace("\n", "\n    ")
    return f"trace_id IN (\n    SELECT trace_id\n    {inner}\n    GROUP BY trace_id\n    HAVING {having}\n)"


def compared_intrinsics(asked: Asked, *, selected: str, joins: Sequence[str]) -> str:
    """Return the question for how many spans of each side have each name, status and kind."""
    return _compared(
        asked,
        selected=selected,
        joins=joins,
        columns="name AS span_name, status_code AS span_status, kind AS span_kind",
        keys="span_name, span_status, span_kind",
    )


def compared_sources(asked: Asked, *, selected: str, joins: Sequence[str]) -> str:
    """Return the question for how many spans of each side each source has."""
    return _compared(asked, selected=selected, joins=joins, columns="source AS span_source", keys="span_source")


def compared_attributes(asked: Asked, *, selected: str, joins: Sequence[str]) -> str:
    """Return the question for how many spans of each side have each value of each attribute.

    The values that are told are those that are the most frequent over the whole window.
    """
    inner = _compared(
        asked,
        selected=selected,
        joins=joins,
        columns="arrayJoin(arrayZip(mapKeys(attributes), mapValues(attributes),"
        " splitByString('', CAST(attribute_kinds, 'String')))) AS item",
        keys="item",
    )
    return f"""
SELECT selected, step, tupleElement(item, 1) AS key, tupleElement(item, 2) AS value,
    tupleElement(item, 3) AS value_kind, weights
FROM (
    SELECT *, sum(weights) OVER (PARTITION BY selected, item) AS of_all
    FROM (
        {inner.replace(chr(10), chr(10) + " " * 8)}
    )
)
QUALIFY dense_rank() OVER (PARTITION BY selected, key ORDER BY of_all DESC, value, value_kind) <= {{values:UInt32}}
LIMIT {{rows:UInt32}}
""".strip()


def _compared(asked: Asked, *, selected: str, joins: Sequence[str], columns: str, keys: str) -> str:
    return f"""
SELECT {selected} AS selected, intDiv({START_NS} - {{origin_ns:Int64}}, {{step_ns:Int64}}) AS step,
    {columns}, sum(weight) AS weights
{_where(asked, joins)}
GROUP BY selected, step, {keys}
""".strip()
