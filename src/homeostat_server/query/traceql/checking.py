"""Whether the values of a query fit together, and whether it is one that is answered here. It knows no SQL."""

from collections.abc import Iterator
from typing import Final

import pyarrow as pa
import pyarrow.compute as pc

from homeostat_server.exceptions import QueryLimit
from homeostat_server.query.traceql.errors import TraceqlError, TraceqlUnsupported
from homeostat_server.query.traceql.names import (
    HINTS,
    INTRINSIC_TYPES,
    MANY,
    NUMERIC,
    OF_MANY,
    Intrinsic,
    Type,
)
from homeostat_server.query.traceql.parsing import parse_tree
from homeostat_server.query.traceql.printing import show_expression, show_field
from homeostat_server.query.traceql.tree import (
    ARITHMETIC,
    EQUALITY,
    MATCHING,
    ORDERING,
    Aggregate,
    Attribute,
    Binary,
    Coalesce,
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
    ScalarFilter,
    Select,
    Spanset,
    Stage,
    Structure,
    aggregates,
    expressions,
)

DEPTH_MAX: Final = 48
"""Of brackets and operators within each other; each is some frames of Python's stack."""

FILTERS_MAX: Final = 32
"""Of one query: each is a bit of a word beside every span."""

NODES_MAX: Final = 512
"""Values and operators of one query."""

BY_MAX: Final = 5
QUANTILES_MAX: Final = 10
COMPARED_MAX: Final = 100

_ROOT_NUMBERS: Final = frozenset({-1, 0})


def parse(text: str) -> Query:
    """Return the tree of a query whose types fit and that is answered here.

    Raises:
        TraceqlError: it is not TraceQL or its types do not fit; the error says where, and what would.
        TraceqlUnsupported: it asks for something by name that is not answered here.
        QueryLimit: it is too long, too deep, or has too many parts.
    """
    query = parse_tree(text)
    _check_size(query)
    _check_pipeline(query.pipeline)
    if isinstance(query.metric, Metric):
        _check_metric(query.metric)
    if isinstance(query.metric, Comparison):
        _check_comparison(query.metric)
    for refinement in query.refinements:
        if isinstance(refinement, Rank) and refinement.count < 1:
            raise TraceqlError(f"{refinement.function} of no series", place=refinement.place, hint="At least 1.")
    for hint in query.hints:
        if hint.key not in HINTS:
            raise TraceqlUnsupported(
                f"the hint {hint.key}", place=hint.place, hint=f"There are {', '.join(HINTS)}; leave it out."
            )
    return query


def type_of(expression: Expression) -> Type:
    """Return the type of an expression, checked together with all below it.

    Raises:
        TraceqlError: the types of its parts do not fit.
    """
    found = Type.BOOLEAN
    match expression:
        case Literal():
            found = expression.type
        case Attribute() | IntrinsicField():
            _refuse_many(expression)
            _refuse_nested_set(expression)
            found = field_type(expression)
        case Not():
            _expect_boolean(expression.operand)
        case Minus():
            found = _number(expression.operand)
        case Logical():
            for term in expression.terms:
                _expect_boolean(term)
        case _:
            found = _binary(expression)
    return found


def field_type(field: Field) -> Type:
    """Return the type of a field, ATTRIBUTE for one that each span decides for itself."""
    return Type.ATTRIBUTE if isinstance(field, Attribute) else INTRINSIC_TYPES[field.intrinsic]


def is_many(expression: Expression) -> bool:
    """Say whether a span has several values of a field: its events' and its links'."""
    if isinstance(expression, Attribute):
        return expression.scope in MANY
    return isinstance(expression, IntrinsicField) and expression.intrinsic in OF_MANY


def _refuse_many(field: Field) -> None:
    if is_many(field):
        raise TraceqlUnsupported(
            f"{show_field(field)} beside anything but a constant",
            place=field.place,
            hint="A span has several events and links: compare with a constant.",
        )


def _refuse_nested_set(field: Field) -> None:
    if isinstance(field, IntrinsicField) and field.intrinsic is Intrinsic.NESTED_SET_PARENT:
        raise TraceqlUnsupported(
            "nestedSetParent other than of roots",
            place=field.place,
            hint="Roots are { nestedSetParent < 0 }, all others { nestedSetParent >= 0 }.",
        )


def _expect_boolean(expression: Expression) -> None:
    found = type_of(expression)
    if found not in {Type.BOOLEAN, Type.ATTRIBUTE}:
        raise TraceqlError(
            f"{show_expression(expression)} is of type {found}, not a condition",
            place=expression.place,
            hint="Compare it with something.",
        )


def _number(expression: Expression) -> Type:
    found = type_of(expression)
    if found not in NUMERIC and found is not Type.ATTRIBUTE:
        raise TraceqlError(f"{show_expression(expression)} is of type {found}, not a number", place=expression.place)
    return Type.REAL


def _binary(expression: Binary) -> Type:
    operator, left, right = expression.operator, expression.left, expression.right
    if operator in ARITHMETIC:
        _number(left)
        return _number(right)
    if operator in MATCHING:
        _check_match(expression)
        return Type.BOOLEAN
    left_type, right_type = _side_type(expression, left, right), _side_type(expression, right, left)
    if Type.NIL in {left_type, right_type}:
        _check_nil(expression)
    elif not _fits(left_type, right_type):
        raise TraceqlError(
            f"{left_type} and {right_type} are never compared",
            place=expression.place,
            hint=_unlike(left_type, right_type),
        )
    elif operator in ORDERING and not {left_type, right_type} <= {*NUMERIC, Type.STRING, Type.ATTRIBUTE}:
        raise TraceqlError(
            f"{left_type} has no order", place=expression.place, hint="Numbers and texts have one; write = or !=."
        )
    assert operator in EQUALITY | ORDERING
    return Type.BOOLEAN


def _side_type(expression: Binary, side: Expression, other: Expression) -> Type:
    """Return the type of one side; what has many values may stand beside a constant only."""
    if isinstance(other, Literal) and isinstance(side, Attribute | IntrinsicField):
        if isinstance(side, IntrinsicField) and side.intrinsic is Intrinsic.NESTED_SET_PARENT:
            if other.value not in _ROOT_NUMBERS or isinstance(other.value, bool):
                _refuse_nested_set(side)
            _check_root_test(expression, side, other)
        return field_type(side)
    return type_of(side)


def _check_root_test(expression: Binary, side: IntrinsicField, other: Literal) -> None:
    """Refuse comparisons whose answer depends on more than whether a span is a root."""
    is_left = expression.left is side
    words = (expression.operator.value, other.value)
    right_ones = {("<", 0), ("=", -1), ("!=", -1), (">=", 0), (">", -1), ("<=", -1)}
    left_ones = {(">", 0), ("=", -1), ("!=", -1), ("<=", 0), ("<", -1), (">=", -1)}
    if words not in (right_ones if is_left else left_ones):
        _refuse_nested_set(side)


def _fits(left: Type, right: Type) -> bool:
    if Type.ATTRIBUTE in {left, right}:
        return not {left, right} & {Type.STATUS, Type.KIND}
    return left is right or (left in NUMERIC and right in NUMERIC)


def _unlike(left: Type, right: Type) -> str:
    if Type.ATTRIBUTE in {left, right}:
        return 'Attributes are texts, numbers or booleans: write "error" for the text, or status = error.'
    if {left, right} <= {Type.STRING, *NUMERIC}:
        return "A number in quotes is a text: write 200 for the number."
    return ""


def _check_nil(expression: Binary) -> None:
    sides = (expression.left, expression.right)
    has_field = any(isinstance(side, Attribute | IntrinsicField) for side in sides)
    if not has_field or expression.operator not in EQUALITY:
        raise TraceqlError(
            "nil says that a field is not there", place=expression.place, hint="Write .x = nil or .x != nil."
        )


def _check_match(expression: Binary) -> None:
    pattern = expression.right
    left = _side_type(expression, expression.left, pattern)
    if left not in {Type.STRING, Type.ATTRIBUTE}:
        raise TraceqlError(
            f"{show_expression(expression.left)} is of type {left}, not a text",
            place=expression.place,
            hint="Only texts match patterns.",
        )
    if not isinstance(pattern, Literal) or pattern.type is not Type.STRING:
        raise TraceqlError(
            "a pattern that is no constant text", place=pattern.place, hint='Write .x =~ "a|b"; it matches the whole.'
        )
    try:
        pc.match_substring_regex(pa.array([""]), anchored(str(pattern.value)))
    except pa.ArrowInvalid as error:
        reason = str(error).split("regular expression: ", 1)[-1]
        raise TraceqlError(
            f"a pattern that is none: {reason}", place=pattern.place, hint="Patterns are those of RE2."
        ) from None


def anchored(pattern: str) -> str:
    """Return a pattern that has to match the whole text."""
    return f"^(?s:{pattern})$"


def _check_pipeline(pipeline: Pipeline) -> None:
    divided = False
    for position, stage in enumerate(pipeline.stages):
        if isinstance(stage, Coalesce) and not position:
            raise TraceqlError("coalesce() without spansets before it", hint="Write { … } | by(…) | coalesce().")
        if divided and isinstance(stage, Structure):
            raise TraceqlUnsupported("structure behind by()", place=stage.place, hint="Write it before by().")
        divided = isinstance(stage, GroupBy) or (divided and not isinstance(stage, Coalesce))
        _check_stage(stage)


def _check_stage(stage: Stage) -> None:
    match stage:
        case ScalarFilter():
            _check_scalar_filter(stage)
        case GroupBy():
            type_of(stage.expression)
            _expect_field(stage.expression, "by()")
        case Select():
            for field in stage.fields:
                type_of(field)
        case Coalesce():
            pass
        case _:
            _check_spanset(stage)


def _check_spanset(spanset: Spanset) -> None:
    if isinstance(spanset, Filter):
        if spanset.condition is not None:
            _expect_boolean(spanset.condition)
    elif isinstance(spanset, Pipeline):
        _check_pipeline(spanset)
    else:
        _check_spanset(spanset.left)
        _check_spanset(spanset.right)


def _check_scalar_filter(stage: ScalarFilter) -> None:
    found = [aggregate for side in (stage.left, stage.right) for aggregate in aggregates(side)]
    if not found:
        raise TraceqlError(
            "a condition on nothing", place=stage.place, hint="Write an aggregate: count() > 2, max(duration) > 1s."
        )
    for aggregate in found:
        _check_aggregate(aggregate)


def _check_aggregate(aggregate: Aggregate) -> None:
    if aggregate.operand is not None:
        _number(aggregate.operand)
        _expect_field(aggregate.operand, f"{aggregate.function}()")


def _expect_field(expression: Expression, where: str) -> None:
    if not any(isinstance(part, Attribute | IntrinsicField) for part in expressions(expression)):
        raise TraceqlError(
            f"{where} of a constant", place=expression.place, hint="Name a field: duration, span.x, resource.x."
        )


def _check_metric(metric: Metric) -> None:
    if metric.operand is not None:
        _number(metric.operand)
    if len(metric.by) > BY_MAX:
        raise QueryLimit("group a TraceQL metric", value=f"{len(metric.by)} fields", hint=f"At most {BY_MAX}.")
    for field in metric.by:
        type_of(field)
    if len(metric.quantiles) > QUANTILES_MAX:
        raise QueryLimit("ask for quantiles", value=len(metric.quantiles), hint=f"At most {QUANTILES_MAX}.")
    if not all(0 <= quantile <= 1 for quantile in metric.quantiles):
        raise TraceqlError("a quantile out of range", place=metric.place, hint="Quantiles are from 0 to 1.")


def _check_comparison(comparison: Comparison) -> None:
    _check_spanset(comparison.selection)
    if not 1 <= comparison.values_max <= COMPARED_MAX:
        raise TraceqlError(
            f"compare with {comparison.values_max} values",
            place=comparison.place,
            hint=f"From 1 to {COMPARED_MAX} of each attribute.",
        )
    if comparison.start_ns > comparison.end_ns:
        raise TraceqlError("a selection that ends before it starts", place=comparison.place)


def _check_size(query: Query) -> None:
    """Refuse what is too large before anything walks it by recursion."""
    found = sum(1 for stage in query.pipeline.stages for _ in _filters(stage))
    if found > FILTERS_MAX:
        raise QueryLimit("read the TraceQL query", value=f"{found} filters", hint=f"It has at most {FILTERS_MAX}.")
    waiting: list[tuple[object, int]] = [(query, 0)]
    nodes = 0
    while waiting:
        node, depth = waiting.pop()
        nodes += 1
        if depth > DEPTH_MAX or nodes > NODES_MAX:
            raise QueryLimit(
                "read the TraceQL query",
                value=f"more than {DEPTH_MAX} levels or {NODES_MAX} parts",
                hint="Ask in several queries.",
            )
        waiting.extend((child, depth + 1) for child in _children(node))


def _filters(stage: Stage) -> Iterator[Filter]:
    """Yield the filters of a stage without recursion."""
    waiting: list[object] = [stage]
    while waiting:
        node = waiting.pop()
        if isinstance(node, Filter):
            yield node
        else:
            waiting.extend(_children(node))


def _children(node: object) -> Iterator[object]:
    slots = getattr(type(node), "__slots__", ())
    for value in (getattr(node, name) for name in slots if name != "place"):
        members = value if isinstance(value, tuple) else (value,)
        yield from (member for member in members if type(member).__module__ == Query.__module__)
