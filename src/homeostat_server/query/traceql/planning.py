"""What is asked of the engine for a pipeline: which traces can fulfil it, and whether that is already the answer.

It knows the SQL of conditions and runs nothing.
"""

from dataclasses import dataclass

from homeostat_server.query.traceql import sql
from homeostat_server.query.traceql.compiling import ALWAYS, Compiler, Condition, join
from homeostat_server.query.traceql.tree import (
    Aggregate,
    Coalesce,
    Combination,
    Filter,
    Form,
    GroupBy,
    Junction,
    Literal,
    Operator,
    Pipeline,
    Scalar,
    ScalarFilter,
    Select,
    Spanset,
    Structure,
    filters,
)


@dataclass(frozen=True, slots=True)
class Narrowing:
    """Hold what a trace has to fulfil to be in the answer.

    Attributes:
        rows: which spans are in the answer, of a trace that fulfils `having`; None when it is not told of single spans.
        having: what a trace has to fulfil, over its spans; None for nothing.
        exact: whether a trace that fulfils `having` is in the answer.
        is_of_spans: whether each span decides for itself, so that `having` only says that there is one.
    """

    rows: Condition | None
    having: str | None
    exact: bool
    is_of_spans: bool


def narrow(pipeline: Pipeline, compiler: Compiler) -> Narrowing:
    """Return what a trace has to fulfil to be in the answer of a pipeline."""
    first = pipeline.stages[0]
    is_spanset = isinstance(first, Filter | Combination | Structure)
    narrowing = _spanset(first, compiler) if is_spanset else _of_spans(ALWAYS)  # type: ignore[arg-type] # just seen
    is_divided = False
    for stage in pipeline.stages[1 if is_spanset else 0 :]:
        match stage:
            case ScalarFilter():
                narrowing = _behind_scalar(narrowing, stage, compiler, is_divided=is_divided)
            case GroupBy():
                is_divided = True
            case Coalesce():
                is_divided = False
            case Select():
                pass
            case _:
                narrowing = _behind(narrowing, _spanset(stage, compiler))
    return narrowing


def any_filter(pipeline: Pipeline, compiler: Compiler) -> Condition:
    """Return that a span fulfils one of the filters of a pipeline."""
    terms = list(dict.fromkeys(filter_.condition for filter_ in filters(pipeline)))
    if not terms or None in terms or not isinstance(pipeline.stages[0], Filter | Combination | Structure):
        return ALWAYS
    return join([compiler.condition(term) for term in terms if term is not None], Junction.OR)


def _of_spans(condition: Condition) -> Narrowing:
    return Narrowing(condition, None, exact=True, is_of_spans=True)


def _exists(narrowing: Narrowing) -> str | None:
    if narrowing.is_of_spans and narrowing.rows is not None:
        return None if narrowing.rows.sql == "1" else f"countIf({narrowing.rows.sql}) > 0"
    return narrowing.having


def _both(*conditions: str | None) -> str | None:
    listed = [condition for condition in conditions if condition is not None]
    return sql.all_of(listed) if listed else None


def _spanset(spanset: Spanset, compiler: Compiler) -> Narrowing:
    match spanset:
        case Filter(condition=None):
            return _of_spans(ALWAYS)
        case Filter(condition=condition):
            return _of_spans(compiler.condition(condition))  # type: ignore[arg-type] # None is above
        case Pipeline():
            return narrow(spanset, compiler)
        case Structure():
            left, right = _spanset(spanset.left, compiler), _spanset(spanset.right, compiler)
            needed = _exists(right) if spanset.form is Form.NOT else _both(_exists(left), _exists(right))
            return Narrowing(None, needed, exact=False, is_of_spans=False)
        case _:
            return _combination(spanset, compiler)


def _combination(spanset: Combination, compiler: Compiler) -> Narrowing:
    left, right = _spanset(spanset.left, compiler), _spanset(spanset.right, compiler)
    rows = None if left.rows is None or right.rows is None else join([left.rows, right.rows], Junction.OR)
    if spanset.junction is Junction.AND:
        having = _both(_exists(left), _exists(right))
        return Narrowing(rows, having, exact=left.exact and right.exact and rows is not None, is_of_spans=False)
    if left.is_of_spans and right.is_of_spans and rows is not None:
        return Narrowing(rows, None, exact=True, is_of_spans=True)
    needed = (_exists(left), _exists(right))
    having = None if None in needed else sql.all_of((condition for condition in needed if condition), "OR")
    return Narrowing(None, having, exact=False, is_of_spans=False)


def _behind(before: Narrowing, stage: Narrowing) -> Narrowing:
    """Return what a spanset behind another stage asks, of the spans that are left."""
    if before.is_of_spans and stage.is_of_spans and before.rows is not None and stage.rows is not None:
        return _of_spans(join([before.rows, stage.rows], Junction.AND))
    having = _both(_exists(before), _exists(stage))
    return Narrowing(None, having, exact=False, is_of_spans=False)


def _behind_scalar(before: Narrowing, stage: ScalarFilter, compiler: Compiler, *, is_divided: bool) -> Narrowing:
    if before.rows is None or not before.exact or is_divided:
        return Narrowing(None, _exists(before), exact=False, is_of_spans=False)
    left, right = (_scalar(side, before.rows.sql, compiler) for side in (stage.left, stage.right))
    # No number is NULL: a trace without one is not in the answer.
    compared = f"({left} {stage.operator} {right})"
    having = _both(_exists(before), compared)
    return Narrowing(before.rows, having, exact=True, is_of_spans=False)


_SQL_FUNCTIONS = {Operator.POWER: "pow", Operator.MODULO: "modulo"}


def _scalar(scalar: Scalar, rows: str, compiler: Compiler) -> str:
    if isinstance(scalar, Literal):
        return compiler.binder.real(float(scalar.value or 0))
    if isinstance(scalar, Aggregate):
        if scalar.operand is None:
            return f"toFloat64(countIf({rows}))"
        number = compiler.number(scalar.operand)
        return f"if(countIf({rows} AND isNotNull({number})) > 0, {scalar.function}If({number}, {rows}), NULL)"
    left, right = _scalar(scalar.left, rows, compiler), _scalar(scalar.right, rows, compiler)
    function = _SQL_FUNCTIONS.get(scalar.operator)
    return f"{function}({left}, {right})" if function else f"({left} {scalar.operator} {right})"
