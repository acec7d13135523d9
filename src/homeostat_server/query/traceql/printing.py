"""Tree to text: the text, read again, gives the same tree. Where brackets could matter, they are written."""

from homeostat_server.query.traceql.literals import quote, show_duration, show_key
from homeostat_server.query.traceql.names import NUMERIC, Type
from homeostat_server.query.traceql.tree import (
    Aggregate,
    Attribute,
    Calculation,
    Coalesce,
    Combination,
    Comparison,
    Expression,
    Field,
    Filter,
    GroupBy,
    IntrinsicField,
    Literal,
    Logical,
    Metric,
    Minus,
    Not,
    Pipeline,
    Query,
    Rank,
    Scalar,
    ScalarFilter,
    Select,
    Spanset,
    Stage,
    Structure,
    Threshold,
)


def show(query: Query) -> str:
    """Return a query as text."""
    parts = [_pipeline(query.pipeline)]
    if query.metric is not None:
        parts.append(f" | {show_metric(query.metric)}")
    parts += [_refinement(refinement) for refinement in query.refinements]
    if query.hints:
        parts.append(f" with ({', '.join(f'{hint.key}={_literal(hint.value)}' for hint in query.hints)})")
    return "".join(parts)


def show_field(field: Field) -> str:
    """Return a field as text; it is the label of what is grouped by it."""
    if isinstance(field, IntrinsicField):
        return field.intrinsic.value
    return f"{field.scope.value}.{show_key(field.key)}"


def show_expression(expression: Expression) -> str:
    """Return an expression as text, without brackets around it."""
    if isinstance(expression, Literal):
        return _literal(expression)
    if isinstance(expression, Attribute | IntrinsicField):
        return show_field(expression)
    if isinstance(expression, Not):
        return f"!{_operand(expression.operand)}"
    if isinstance(expression, Minus):
        return f"-{_operand(expression.operand)}"
    if isinstance(expression, Logical):
        return f" {expression.junction} ".join(_operand(term, loose=True) for term in expression.terms)
    return f"{_operand(expression.left)} {expression.operator} {_operand(expression.right)}"


def show_aggregate(aggregate: Aggregate) -> str:
    """Return an aggregate as text; it is the name of its value."""
    return f"{aggregate.function}({'' if aggregate.operand is None else show_expression(aggregate.operand)})"


def show_metric(metric: Metric | Comparison) -> str:
    """Return what is measured as text."""
    if isinstance(metric, Comparison):
        numbers = [metric.values_max, metric.start_ns, metric.end_ns]
        return f"compare({', '.join([_spanset(metric.selection), *map(str, numbers)])})"
    inner = [] if metric.operand is None else [show_field(metric.operand)]
    by = f" by({', '.join(map(show_field, metric.by))})" if metric.by else ""
    return f"{metric.function}({', '.join([*inner, *map(repr, metric.quantiles)])}){by}"


def _operand(expression: Expression, *, loose: bool = False) -> str:
    """Return an expression as it stands beside an operator; `loose` ones bind looser than comparisons."""
    shown = show_expression(expression)
    if isinstance(expression, Literal):
        return f"({shown})" if shown.startswith("-") else shown
    is_plain = isinstance(expression, Attribute | IntrinsicField)
    return shown if is_plain or (loose and not isinstance(expression, Logical)) else f"({shown})"


def _literal(literal: Literal) -> str:
    value = literal.value
    if literal.type is Type.STRING:
        return quote(str(value))
    if literal.type is Type.DURATION and isinstance(value, int):
        return show_duration(value)
    if literal.type in NUMERIC:
        return repr(value)
    if value is None:
        return "nil"
    return str(value).lower() if isinstance(value, bool) else str(value)


def _pipeline(pipeline: Pipeline) -> str:
    return " | ".join(_stage(stage) for stage in pipeline.stages)


def _stage(stage: Stage) -> str:
    match stage:
        case ScalarFilter():
            return f"{_scalar(stage.left)} {stage.operator} {_scalar(stage.right)}"
        case GroupBy():
            return f"by({show_expression(stage.expression)})"
        case Coalesce():
            return "coalesce()"
        case Select():
            return f"select({', '.join(map(show_field, stage.fields))})"
        case _:
            return _spanset(stage)


def _spanset(spanset: Spanset) -> str:
    match spanset:
        case Filter(condition=None):
            return "{ }"
        case Filter(condition=condition):
            return f"{{ {show_expression(condition)} }}"  # type: ignore[arg-type] # None is above
        case Combination():
            return f"{_side(spanset.left)} {spanset.junction} {_side(spanset.right)}"
        case Structure():
            return f"{_side(spanset.left)} {spanset.form}{spanset.relation} {_side(spanset.right)}"
        case _:
            return _pipeline(spanset)


def _side(spanset: Spanset) -> str:
    shown = _spanset(spanset)
    return shown if isinstance(spanset, Filter) else f"({shown})"


def _scalar(scalar: Scalar) -> str:
    if isinstance(scalar, Aggregate):
        return show_aggregate(scalar)
    if isinstance(scalar, Literal):
        return _literal(scalar)
    return f"{_factor(scalar.left)} {scalar.operator} {_factor(scalar.right)}"


def _factor(scalar: Scalar) -> str:
    return f"({_scalar(scalar)})" if isinstance(scalar, Calculation) else _scalar(scalar)


def _refinement(refinement: Rank | Threshold) -> str:
    if isinstance(refinement, Rank):
        return f" | {refinement.function}({refinement.count})"
    return f" {refinement.operator} {refinement.value!r}"
