"""Spans whose tags are listed while a query is being written: what of it can be told of a single span already.

Whatever cannot is left out: a list that is too long helps a writer, one that is too short does not. That is also what
Tempo does with a query that is not finished.
"""

import re
from collections.abc import Iterable, Mapping
from typing import Final

from homeostat_server.exceptions import InvalidRequest, QueryLimit
from homeostat_server.query.attributes.conditions import AttributeCondition, AttributeScope, Operator
from homeostat_server.query.binding import Binder
from homeostat_server.query.search.filters import Choice, SpanKind, SpanStatus
from homeostat_server.query.traceql import tree
from homeostat_server.query.traceql.checking import parse
from homeostat_server.query.traceql.names import Intrinsic, Scope

PARTS_MAX: Final = 20
QUERY_LENGTH_MAX: Final = 4_096

_SCOPES: Final[Mapping[Scope, tuple[AttributeScope, ...]]] = {
    Scope.ANY: (AttributeScope.SPAN, AttributeScope.RESOURCE),
    Scope.SPAN: (AttributeScope.SPAN,),
    Scope.RESOURCE: (AttributeScope.RESOURCE,),
    Scope.EVENT: (AttributeScope.EVENT,),
    Scope.LINK: (AttributeScope.LINK,),
    Scope.INSTRUMENTATION: (AttributeScope.SCOPE,),
}
_OPERATORS: Final[Mapping[tree.Operator, Operator]] = {
    tree.Operator.EQUAL: Operator.EQUAL,
    tree.Operator.NOT_EQUAL: Operator.NOT_EQUAL,
    tree.Operator.LESS: Operator.LESS,
    tree.Operator.LESS_EQUAL: Operator.LESS_OR_EQUAL,
    tree.Operator.GREATER: Operator.GREATER,
    tree.Operator.GREATER_EQUAL: Operator.GREATER_OR_EQUAL,
    tree.Operator.MATCH: Operator.MATCHES,
    tree.Operator.NOT_MATCH: Operator.NOT_MATCHES,
}
_COMPARED: Final = frozenset(tree.ORDERING | tree.EQUALITY)
_BRACES: Final = re.compile(r"\{(.*?)\}?\s*$", re.DOTALL)


def choice_of(text: str, binder: Binder) -> Choice:
    """Return what a span has to fulfil to be found by what there is of a query; its values are in the binder."""
    conditions = [_condition(expression, binder) for expression in _expressions(text)]
    told = [condition for condition in conditions if condition is not None]
    cheap = tuple(condition for condition in told if condition.startswith(_CHEAP))
    return Choice(cheap=cheap, exact=tuple(condition for condition in told if condition not in cheap))


_CHEAP: Final = ("service = ", "name = ", "status_code ", "kind ", "duration_ns ")


def _expressions(text: str) -> Iterable[tree.Expression]:
    """Yield the conditions of a query that is one spanset, or of the parts of it that can be read already."""
    if not text.strip() or len(text) > QUERY_LENGTH_MAX:
        return
    whole = _expression(text)
    if whole is not None:
        yield whole
        return
    inside = _BRACES.search(text)
    for part in (inside[1].split("&&") if inside else [])[:PARTS_MAX]:
        read = _expression(f"{{ {part} }}")
        if read is not None:
            yield read


def _expression(text: str) -> tree.Expression | None:
    try:
        query = parse(text)
    except (InvalidRequest, QueryLimit):
        return None
    first = query.pipeline.stages[0]
    return first.condition if isinstance(first, tree.Filter) else None


def _condition(expression: tree.Expression, binder: Binder) -> str | None:
    """Return a condition that holds wherever the expression does, None when nothing can be said."""
    match expression:
        case tree.Logical(junction=tree.Junction.AND):
            known = [each for each in (_condition(term, binder) for term in expression.terms) if each is not None]
            return f"({' AND '.join(known)})" if known else None
        case tree.Logical():
            all_terms = [_condition(term, binder) for term in expression.terms]
            known = [each for each in all_terms if each is not None]
            return f"({' OR '.join(known)})" if len(known) == len(all_terms) else None
        case tree.Binary(left=tree.Attribute() as field, right=tree.Literal() as value):
            return _of_attribute(field, expression.operator, value, binder)
        case tree.Binary(left=tree.IntrinsicField() as field, right=tree.Literal() as value):
            return _of_intrinsic(field.intrinsic, expression.operator, value, binder)
        case _:
            return None


def _of_attribute(field: tree.Attribute, operator: tree.Operator, value: tree.Literal, binder: Binder) -> str | None:
    asked = _OPERATORS.get(operator)
    if asked is None:
        return None
    text = _text(value)
    if value.value is None:
        asked = Operator.EXISTS if operator is tree.Operator.NOT_EQUAL else Operator.ABSENT
    elif operator in tree.MATCHING:
        text = f"^(?:{text})$"
    try:
        places = [
            AttributeCondition(scope=scope, key=field.key, operator=asked, value=text).sql(binder)
            for scope in _SCOPES[field.scope]
        ]
    except InvalidRequest:
        return None
    word = " AND " if asked is Operator.ABSENT else " OR "
    return places[0] if len(places) == 1 else f"({word.join(places)})"


def _text(value: tree.Literal) -> str:
    if isinstance(value.value, bool):
        return "true" if value.value else "false"
    return "" if value.value is None else str(value.value)


def _of_intrinsic(intrinsic: Intrinsic, operator: tree.Operator, value: tree.Literal, binder: Binder) -> str | None:
    if operator not in _COMPARED or value.value is None:
        return None
    sign = operator.value
    if intrinsic is Intrinsic.NAME and operator in tree.EQUALITY:
        return f"name {sign} {binder.text(_text(value))}"
    if intrinsic is Intrinsic.DURATION and isinstance(value.value, int):
        return f"duration_ns {sign} {binder.integer(value.value)}"
    number = _word_number(intrinsic, _text(value))
    column = "kind" if intrinsic is Intrinsic.KIND else "status_code"
    return None if number is None or operator not in tree.EQUALITY else f"{column} {sign} {number}"


def _word_number(intrinsic: Intrinsic, word: str) -> int | None:
    """Return OTLP's number of a status or a kind."""
    if intrinsic is Intrinsic.STATUS and word in tuple(SpanStatus):
        return SpanStatus(word).code
    if intrinsic is Intrinsic.KIND and word in tuple(SpanKind):
        return SpanKind(word).code
    return None
