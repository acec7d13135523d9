"""Spans with attributes of every kind, and what conditions on them should find, worked out slowly and obviously."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from hypothesis import strategies as st
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, ArrayValue, InstrumentationScope, KeyValue
from opentelemetry.proto.resource.v1.resource_pb2 import Resource
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from homeostat_server.query.attributes.conditions import AttributeCondition, AttributeScope, Operator
from tests import otlp

Value = str | bool | int | float | list[str]
Attributes = Mapping[str, Value]

SAME_NAMES = (
    ("http.method", "http.request.method"),
    ("db.system", "db.system.name"),
    ("a",),
    ("a=b",),
)
SAME_VALUES = (("mssql", "microsoft.sql_server"),)
OPERATORS = list(Operator)
SCOPE_NAMES = ("tests", "lib")

REALS = {
    0.5: "0.5",
    200.0: "200",
    1e-7: "1e-7",
    2.5e10: "25000000000",
    1e21: "1e21",
    -1.25e300: "-1.25e300",
    0.00001234: "0.00001234",
}
"""Real numbers and how the store writes them."""

KEYS = st.sampled_from([key for names in SAME_NAMES for key in names])
TEXTS = st.sampled_from(["", "GET", "200", "200.0", "true", "mssql", "microsoft.sql_server", "b=c", "c", "0.5", "é 1"])
VALUES: st.SearchStrategy[Value] = st.one_of(
    TEXTS,
    st.booleans(),
    st.sampled_from([0, 1, 200, -7, 2**53]),
    st.sampled_from(list(REALS)),
    st.just(["x", "y"]),
)
MAPS: st.SearchStrategy[Attributes] = st.dictionaries(KEYS, VALUES, max_size=3)


@dataclass(frozen=True, slots=True)
class Described:
    """Hold a span by what is said of it."""

    span: Attributes
    resource: Attributes = field(default_factory=dict)
    scope: Attributes = field(default_factory=dict)
    scope_name: str = "tests"
    events: tuple[Attributes, ...] = ()
    links: tuple[Attributes, ...] = ()


SPANS = st.lists(
    st.builds(
        Described,
        span=MAPS,
        resource=MAPS,
        scope=MAPS,
        scope_name=st.sampled_from(["", *SCOPE_NAMES]),
        events=st.lists(MAPS, max_size=2).map(tuple),
        links=st.lists(MAPS, max_size=2).map(tuple),
    ),
    min_size=1,
    max_size=8,
)
PATTERNS = ["^G", "0", "^200$", "true|GET", "", "é", "."]
NUMBERS = ["200", "0.5", "-7", "1e-7", "2.50e10", "1e21", "+1", "0"]


def _value_of(operator: Operator) -> st.SearchStrategy[str]:
    if operator in (Operator.EXISTS, Operator.ABSENT):
        return st.just("")
    if operator in (Operator.MATCHES, Operator.NOT_MATCHES):
        return st.sampled_from(PATTERNS)
    if operator in (Operator.EQUAL, Operator.NOT_EQUAL):
        return st.one_of(TEXTS, st.sampled_from(NUMBERS))
    return st.sampled_from(NUMBERS)


CONDITIONS = st.sampled_from(OPERATORS).flatmap(
    lambda operator: st.builds(
        AttributeCondition,
        scope=st.sampled_from(list(AttributeScope)),
        key=KEYS,
        operator=st.just(operator),
        value=_value_of(operator),
    )
)
SCOPE_NAME_CONDITIONS = st.builds(
    AttributeCondition,
    scope=st.just(AttributeScope.SCOPE),
    key=st.sampled_from(["otel.scope.name", "otel.library.name"]),
    operator=st.sampled_from([Operator.EQUAL, Operator.NOT_EQUAL, Operator.EXISTS, Operator.ABSENT]),
    value=st.sampled_from(SCOPE_NAMES),
)


def span_of(number: int, described: Described) -> ExportTraceServiceRequest:
    """Return the request of one span whose id is a number."""
    span = otlp.span(
        span_id=(number + 1).to_bytes(8),
        attributes=_attributes(described.span),
        events=[Span.Event(name="e", attributes=_attributes(event)) for event in described.events],
        links=[
            Span.Link(trace_id=otlp.TRACE_ID, span_id=otlp.SPAN_ID, attributes=_attributes(link))
            for link in described.links
        ],
    )
    resource = Resource(attributes=_attributes(described.resource))
    scope = InstrumentationScope(name=described.scope_name, attributes=_attributes(described.scope))
    return otlp.traces(span, resource=resource, scope=scope)


def holds(condition: AttributeCondition, described: Described) -> bool:
    """Say whether a span fulfils a condition."""
    if condition.scope is AttributeScope.SCOPE and condition.key.startswith("otel."):
        names = [described.scope_name] if described.scope_name else []
        return _holds(condition, names)
    candidates: dict[AttributeScope, Iterable[Attributes]] = {
        AttributeScope.SPAN: [described.span],
        AttributeScope.RESOURCE: [described.resource],
        AttributeScope.SCOPE: [described.scope],
        AttributeScope.EVENT: described.events,
        AttributeScope.LINK: described.links,
    }
    return any(_holds(condition, _said(attributes, condition.key)) for attributes in candidates[condition.scope])


def _said(attributes: Attributes, key: str) -> list[Value]:
    names = next(names for names in SAME_NAMES if key in names)
    return [attributes[name] for name in names if name in attributes]


def _holds(condition: AttributeCondition, said: list[Value] | list[str]) -> bool:
    asked, operator = condition.value, condition.operator
    if operator is Operator.EXISTS:
        return bool(said)
    if operator is Operator.ABSENT:
        return not said
    if operator in (Operator.EQUAL, Operator.NOT_EQUAL):
        found = any(_equal(value, asked) for value in said)
    elif operator in (Operator.MATCHES, Operator.NOT_MATCHES):
        found = any(_found(value, asked) for value in said)
    else:
        return any(_compare(_number(value), operator, float(asked)) for value in said)
    return bool(said) and found == (operator in (Operator.EQUAL, Operator.MATCHES))


def _equal(value: Value, asked: str) -> bool:
    if isinstance(value, list):
        return False
    if isinstance(value, bool):
        return asked == ("true" if value else "false")
    if isinstance(value, int | float):
        return _number(asked) == value
    number = _number(asked)
    whole = str(int(number)) if number is not None and number.is_integer() and abs(number) < 1e15 else None
    same = next((words for words in SAME_VALUES if asked in words), (asked,))
    return value in same or (whole is not None and value == whole) or (asked == "+1" and value == "1")


def _text(value: Value) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return REALS[value] if isinstance(value, float) else str(value)


def _found(value: Value, pattern: str) -> bool:
    if isinstance(value, list):
        value = "\n\x03\n\x01x\n\x03\n\x01y"
    return re.search(pattern, _text(value), re.DOTALL) is not None


def _number(value: Value) -> float | None:
    if isinstance(value, bool | list):
        return None
    try:
        return float(value)
    except ValueError:
        return None


def _compare(value: float | None, operator: Operator, asked: float) -> bool:
    if value is None:
        return False
    match operator:
        case Operator.LESS:
            return value < asked
        case Operator.LESS_OR_EQUAL:
            return value <= asked
        case Operator.GREATER:
            return value > asked
        case _:
            return value >= asked


def _attributes(attributes: Attributes) -> list[KeyValue]:
    return [KeyValue(key=key, value=_any_value(value)) for key, value in attributes.items()]


def _any_value(value: Value) -> AnyValue:
    if isinstance(value, str):
        return AnyValue(string_value=value)
    if isinstance(value, bool):
        return AnyValue(bool_value=value)
    if isinstance(value, int):
        return AnyValue(int_value=value)
    if isinstance(value, float):
        return AnyValue(double_value=value)
    return AnyValue(array_value=ArrayValue(values=[AnyValue(string_value=text) for text in value]))
