"""The pipeline of a query over spans that were read, exactly, many traces at once. It knows no SQL and no store.

Every span is a row. A spanset is a number that its rows have in common; a row that no spanset has any more has -1.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
import numpy.typing as npt

from homeostat_server.query.traceql import structure
from homeostat_server.query.traceql.checking import field_type
from homeostat_server.query.traceql.names import NUMERIC, Type
from homeostat_server.query.traceql.printing import show_aggregate, show_expression
from homeostat_server.query.traceql.results import NamedValue, TypedValue
from homeostat_server.query.traceql.structure import Bits, Numbers, Tree
from homeostat_server.query.traceql.tree import (
    Aggregate,
    Coalesce,
    Combination,
    Expression,
    Filter,
    Form,
    GroupBy,
    IntrinsicField,
    Junction,
    Literal,
    Operator,
    Pipeline,
    Relation,
    Scalar,
    ScalarFilter,
    Select,
    Spanset,
    Structure,
    aggregates,
)

Reals = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Rows:
    """Hold spans as columns.

    Attributes:
        trace: number of each span's trace, from 0.
        chosen: which spans fulfil each filter.
        numbers: what aggregates are about, NaN where there is none.
        values: what spansets are divided by: a number for each span, and what the numbers stand for.
        tree: gives how the spans lie to each other, when it is asked for.
    """

    trace: Numbers
    chosen: Mapping[Filter, Bits]
    numbers: Mapping[Expression, Reals]
    values: Mapping[Expression, tuple[Numbers, Sequence[TypedValue]]]
    tree: Callable[[], Tree]


@dataclass(frozen=True, slots=True)
class Spansets:
    """Hold the spanset of each row, -1 for none, and by spanset its trace and what is told of it."""

    of_row: Numbers
    trace: Numbers
    told: tuple[tuple[NamedValue, ...], ...]

    @property
    def count(self) -> int:
        """Return how many numbers there are; some may have no rows left."""
        return len(self.trace)

    def present(self, rows: Bits) -> Bits:
        """Return which spansets have one of these rows."""
        return np.bincount(self.of_row[rows], minlength=self.count) > 0

    def keep(self, rows: Bits) -> "Spansets":
        """Return the same with these rows only."""
        return replace(self, of_row=np.where(rows, self.of_row, -1))


def evaluate(pipeline: Pipeline, rows: Rows) -> Spansets:
    """Return the spansets that a pipeline gives, when each trace begins as one spanset of all its spans."""
    traces = int(rows.trace.max(initial=-1)) + 1
    everything = Spansets(rows.trace, np.arange(traces, dtype=np.int64), ((),) * traces)
    return _pipeline(pipeline, everything, rows)


def _pipeline(pipeline: Pipeline, spansets: Spansets, rows: Rows) -> Spansets:
    for stage in pipeline.stages:
        match stage:
            case ScalarFilter():
                spansets = _scalar_filter(stage, spansets, rows)
            case GroupBy():
                spansets = _divide(stage, spansets, rows)
            case Coalesce():
                spansets = _join(spansets, rows)
            case Select():
                pass
            case _:
                spansets = spansets.keep(_choose(stage, spansets, rows))
    return spansets


def _choose(spanset: Spanset, among: Spansets, rows: Rows) -> Bits:
    """Return the rows of spansets that a spanset expression gives."""
    match spanset:
        case Filter():
            return (among.of_row >= 0) & rows.chosen[spanset]
        case Pipeline():
            return _pipeline(spanset, among, rows).of_row >= 0
        case Combination():
            left, right = _choose(spanset.left, among, rows), _choose(spanset.right, among, rows)
            if spanset.junction is Junction.OR:
                return left | right
            both = among.present(left) & among.present(right)
            # Row -1 reads the last spanset's bit, which `left | right` never lets through.
            return (left | right) & (both[among.of_row] if len(both) else False)
        case _:
            return _relate(spanset, among, rows)


_RELATED: Final[Mapping[Relation, Callable[[Tree, Bits], Bits]]] = {
    Relation.CHILD: structure.children_of,
    Relation.PARENT: structure.parents_of,
    Relation.DESCENDANT: structure.descendants_of,
    Relation.ANCESTOR: structure.ancestors_of,
    Relation.SIBLING: structure.siblings_of,
}
_OPPOSITE: Final = {
    Relation.CHILD: Relation.PARENT,
    Relation.PARENT: Relation.CHILD,
    Relation.DESCENDANT: Relation.ANCESTOR,
    Relation.ANCESTOR: Relation.DESCENDANT,
    Relation.SIBLING: Relation.SIBLING,
}


def _relate(spanset: Structure, among: Spansets, rows: Rows) -> Bits:
    left, right = _choose(spanset.left, among, rows), _choose(spanset.right, among, rows)
    tree = rows.tree()
    related = _RELATED[spanset.relation](tree, left)
    if spanset.form is Form.NOT:
        return right & ~related
    if spanset.form is Form.PLAIN:
        return right & related
    return (right & related) | (left & _RELATED[_OPPOSITE[spanset.relation]](tree, right))


def _divide(stage: GroupBy, spansets: Spansets, rows: Rows) -> Spansets:
    codes, values = rows.values[stage.expression]
    member = spansets.of_row >= 0
    pairs = spansets.of_row * (len(values) + 1) + codes
    found, inverse = np.unique(pairs[member], return_inverse=True)
    of_row = np.full(len(codes), -1, dtype=np.int64)
    of_row[member] = inverse
    before, code = np.divmod(found, len(values) + 1)
    name = f"by({show_expression(stage.expression)})"
    told = tuple(
        (*spansets.told[spanset], NamedValue(name, values[value])) for spanset, value in zip(before, code, strict=True)
    )
    return Spansets(of_row, spansets.trace[before], told)


def _join(spansets: Spansets, rows: Rows) -> Spansets:
    traces = int(rows.trace.max(initial=-1)) + 1
    of_row = np.where(spansets.of_row >= 0, rows.trace, -1)
    return Spansets(of_row, np.arange(traces, dtype=np.int64), ((),) * traces)


_COMPARE: Final[Mapping[Operator, Callable[[Reals, Reals], Bits]]] = {
    Operator.EQUAL: np.equal,
    Operator.NOT_EQUAL: np.not_equal,
    Operator.LESS: np.less,
    Operator.LESS_EQUAL: np.less_equal,
    Operator.GREATER: np.greater,
    Operator.GREATER_EQUAL: np.greater_equal,
}
_CALCULATE: Final[Mapping[Operator, Callable[[Reals, Reals], Reals]]] = {
    Operator.ADD: np.add,
    Operator.SUBTRACT: np.subtract,
    Operator.MULTIPLY: np.multiply,
    Operator.DIVIDE: np.divide,
    Operator.MODULO: np.fmod,
    Operator.POWER: np.power,
}


def _scalar_filter(stage: ScalarFilter, spansets: Spansets, rows: Rows) -> Spansets:
    with np.errstate(all="ignore"):
        left, right = _scalar(stage.left, spansets, rows), _scalar(stage.right, spansets, rows)
        holds = _COMPARE[stage.operator](left, right) & ~np.isnan(left) & ~np.isnan(right)
    kept = spansets.keep((spansets.of_row >= 0) & holds[spansets.of_row] if len(holds) else spansets.of_row >= 0)
    told = list(kept.told)
    for aggregate in (item for side in (stage.left, stage.right) for item in aggregates(side)):
        numbers = _aggregate(aggregate, spansets, rows)
        for spanset in np.flatnonzero(kept.present(kept.of_row >= 0)):
            told[spanset] = (*told[spanset], NamedValue(show_aggregate(aggregate), _told(aggregate, numbers[spanset])))
    return replace(kept, told=tuple(told))


def _told(aggregate: Aggregate, number: float) -> TypedValue:
    operand = aggregate.operand
    if operand is None:
        return TypedValue(Type.INTEGER, int(number))
    if isinstance(operand, IntrinsicField) and field_type(operand) is Type.DURATION:
        return TypedValue(Type.DURATION, round(number))
    return TypedValue(Type.REAL, float(number))


def _scalar(scalar: Scalar, spansets: Spansets, rows: Rows) -> Reals:
    """Return a number of each spanset, NaN where there is none."""
    if isinstance(scalar, Literal):
        assert scalar.type in NUMERIC
        return np.full(spansets.count, float(scalar.value or 0))
    if isinstance(scalar, Aggregate):
        return _aggregate(scalar, spansets, rows)
    left, right = _scalar(scalar.left, spansets, rows), _scalar(scalar.right, spansets, rows)
    return _CALCULATE[scalar.operator](left, right)


def _aggregate(aggregate: Aggregate, spansets: Spansets, rows: Rows) -> Reals:
    member = spansets.of_row >= 0
    if aggregate.operand is None:
        return np.bincount(spansets.of_row[member], minlength=spansets.count).astype(np.float64)
    values = rows.numbers[aggregate.operand]
    member = member & ~np.isnan(values)
    groups, values = spansets.of_row[member], values[member]
    counts = np.bincount(groups, minlength=spansets.count)
    if aggregate.function in {"min", "max"}:
        begin = np.inf if aggregate.function == "min" else -np.inf
        result = np.full(spansets.count, begin)
        (np.minimum if aggregate.function == "min" else np.maximum).at(result, groups, values)
    else:
        result = np.bincount(groups, weights=values, minlength=spansets.count)
        if aggregate.function == "avg":
            result = result / np.maximum(counts, 1)
    return np.where(counts > 0, result, np.nan)
