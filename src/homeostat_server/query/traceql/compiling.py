"""Expressions to SQL over a row of `telemetry.spans`. It runs nothing; what a caller says is bound.

A value is never wrong, only missing: where types do not fit, or a field is not there, a comparison is false, also `!=`.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from homeostat_server.query.binding import Binder
from homeostat_server.query.semconv import same_as, same_values
from homeostat_server.query.traceql import sql
from homeostat_server.query.traceql.checking import anchored, is_many
from homeostat_server.query.traceql.names import (
    INTRINSIC_TYPES,
    KIND_CODES,
    NUMERIC,
    OF_TRACE,
    STATUS_CODES,
    Intrinsic,
    Scope,
    Type,
)
from homeostat_server.query.traceql.tree import (
    ARITHMETIC,
    EQUALITY,
    MATCHING,
    NEGATIVE,
    Attribute,
    Binary,
    Expression,
    IntrinsicField,
    Junction,
    Literal,
    Logical,
    Minus,
    Not,
    Operator,
)

SERVICE_NAME: Final = "service.name"

_FLIPPED: Final = {
    Operator.LESS: Operator.GREATER,
    Operator.LESS_EQUAL: Operator.GREATER_EQUAL,
    Operator.GREATER: Operator.LESS,
    Operator.GREATER_EQUAL: Operator.LESS_EQUAL,
}
_POSITIVE: Final = {Operator.NOT_EQUAL: Operator.EQUAL, Operator.NOT_MATCH: Operator.MATCH}
_FUNCTIONS: Final = {Operator.POWER: "pow", Operator.MODULO: "modulo"}


@dataclass(frozen=True, slots=True)
class Value:
    """Hold the SQL of a value.

    Attributes:
        type: ATTRIBUTE when `kind` says it of each span.
        text: the value; of an attribute always a text.
        kind: the digit of its kind, empty when it is not there; only of attributes.
        nullable: whether it can be missing; only of other types.
    """

    type: Type
    text: str
    kind: str = ""
    nullable: bool = False


@dataclass(frozen=True, slots=True)
class Condition:
    """Hold the SQL of a condition, and one that holds wherever it does and that an index knows, None without."""

    sql: str
    prune: str | None = None


_INTRINSICS: Final = {
    Intrinsic.NAME: "name",
    Intrinsic.STATUS: "status_code",
    Intrinsic.STATUS_MESSAGE: "status_message",
    Intrinsic.DURATION: "duration_ns",
    Intrinsic.KIND: "kind",
    Intrinsic.CHILD_COUNT: "toInt64(child_count)",
    Intrinsic.SPAN_ID: "lower(hex(span_id))",
    Intrinsic.TRACE_ID: "lower(hex(trace_id))",
    Intrinsic.NESTED_SET_PARENT: f"if({sql.IS_ROOT}, -1, 1)",
    Intrinsic.PARENT_ID: f"if({sql.IS_ROOT}, NULL, lower(hex(parent_span_id)))",
    Intrinsic.ROOT_NAME: "trace_root_name",
    Intrinsic.ROOT_SERVICE: "trace_root_service",
    Intrinsic.TRACE_DURATION: "trace_duration_ns",
    Intrinsic.EVENT_NAME: "item",
    Intrinsic.EVENT_TIME_SINCE_START: f"(toUnixTimestamp64Nano(item) - {sql.START_NS})",
    Intrinsic.LINK_TRACE_ID: "lower(hex(item))",
    Intrinsic.LINK_SPAN_ID: "lower(hex(item))",
}
_NULLABLE: Final = frozenset({Intrinsic.PARENT_ID, Intrinsic.ROOT_NAME, Intrinsic.ROOT_SERVICE})
_ITEM_COLUMNS: Final = {
    Intrinsic.EVENT_NAME: "`events.name`",
    Intrinsic.EVENT_TIME_SINCE_START: "`events.ts`",
    Intrinsic.LINK_TRACE_ID: "`links.trace_id`",
    Intrinsic.LINK_SPAN_ID: "`links.span_id`",
}
_OF_SOURCE: Final = {Intrinsic.SCOPE_NAME: "scope_name", Intrinsic.SCOPE_VERSION: "scope_version"}
_ID_BYTES: Final = {Intrinsic.TRACE_ID: ("trace_id", 16), Intrinsic.SPAN_ID: ("span_id", 8)}


def is_of_source(expression: Expression) -> bool:
    """Say whether a field is told by a span's resource and scope."""
    if isinstance(expression, Attribute):
        return expression.scope in {Scope.RESOURCE, Scope.INSTRUMENTATION} and not _is_service(expression)
    return isinstance(expression, IntrinsicField) and expression.intrinsic in _OF_SOURCE


def _is_service(expression: Expression) -> bool:
    return isinstance(expression, Attribute) and (expression.scope, expression.key) == (Scope.RESOURCE, SERVICE_NAME)


class Compiler:
    """Turn expressions of one statement into SQL; it collects what they need to be joined with."""

    def __init__(self, binder: Binder) -> None:
        """Bind values with a binder."""
        self.binder = binder
        self._needs_trace = False
        self._needs_children = False
        self._described: dict[str, str] = {}

    @property
    def joins(self) -> list[str]:
        """Return what stands behind FROM so that the expressions made so far have all that they name."""
        joins = [sql.TRACE_FACTS] if self._needs_trace else []
        joins += [sql.CHILDREN] if self._needs_children else []
        return joins + ([sql.sources(self._described)] if self._described else [])

    def condition(self, expression: Expression) -> Condition:
        """Return a condition, never NULL."""
        match expression:
            case Logical():
                return self._logical(expression)
            case Not():
                return Condition(self._negation(expression.operand))
            case Binary() if expression.operator not in ARITHMETIC:
                return self._comparison(expression)
            case _:
                return Condition(self._truth(expression, word="true"))

    def value(self, expression: Expression) -> Value:
        """Return a value."""
        match expression:
            case Literal():
                return self._literal(expression)
            case Attribute():
                return self._attribute(expression)
            case IntrinsicField():
                return self._intrinsic(expression.intrinsic)
            case Minus():
                return Value(Type.REAL, f"(-{self.number(expression.operand)})", nullable=True)
            case Binary(operator=operator) if operator in ARITHMETIC:
                return Value(Type.REAL, self._calculation(expression), nullable=True)
            case _:
                return Value(Type.BOOLEAN, self.condition(expression).sql)

    def number(self, expression: Expression) -> str:
        """Return a number as a real one, NULL where there is none."""
        value = self.value(expression)
        if value.type is Type.ATTRIBUTE:
            kinds = f"{sql.INTEGER_KIND}, {sql.REAL_KIND}"
            return f"if({value.kind} IN ({kinds}), toFloat64OrNull({value.text}), NULL)"
        if value.type not in NUMERIC:
            return sql.NO_NUMBER
        return value.text if value.type is Type.REAL else f"toFloat64({value.text})"

    def _logical(self, expression: Logical) -> Condition:
        return join([self.condition(term) for term in expression.terms], expression.junction)

    def _negation(self, operand: Expression) -> str:
        """Return that an expression is false; a field that is not there is neither true nor false."""
        if isinstance(operand, Attribute):
            return self._truth(operand, word="false")
        return f"NOT {self.condition(operand).sql}"

    def _truth(self, expression: Expression, *, word: str) -> str:
        if isinstance(expression, Literal):
            return "1" if expression.value else "0"
        value = self.value(expression)
        if value.type is Type.ATTRIBUTE:
            return f"({value.kind} = {sql.BOOLEAN_KIND} AND {value.text} = '{word}')"
        # The service's name is an attribute, and always a text.
        return value.text if value.type is Type.BOOLEAN else "0"

    def _comparison(self, expression: Binary) -> Condition:
        operator, left, right = expression.operator, expression.left, expression.right
        if isinstance(left, Literal) and not isinstance(right, Literal):
            operator, left, right = _FLIPPED.get(operator, operator), right, left
        if isinstance(right, Literal):
            if isinstance(left, Attribute | IntrinsicField) and is_many(left):
                return Condition(self._many(operator, left, right))
            if is_of_source(left):
                return Condition(sql.of_source(self._with_constant(operator, self._in_source(left), left, right).sql))
            if isinstance(left, Attribute) and left.scope is Scope.ANY:
                return Condition(self._anywhere(operator, left, right))
            return self._with_constant(operator, self.value(left), left, right)
        return Condition(self._of_two(operator, self.value(left), self.value(right)))

    def _with_constant(self, operator: Operator, value: Value, left: Expression, constant: Literal) -> Condition:
        if constant.type is Type.NIL:
            return Condition(_is_nil(value) if operator is Operator.EQUAL else f"NOT {_is_nil(value)}")
        if _is_service(left):
            return Condition(self._of_service(operator, constant))
        if constant.type is Type.STRING and value.type is Type.ATTRIBUTE:
            return self._with_text(operator, value, left, str(constant.value))
        if isinstance(left, IntrinsicField) and left.intrinsic in _ID_BYTES and operator is Operator.EQUAL:
            column, size = _ID_BYTES[left.intrinsic]
            given = self.binder.text(str(constant.value).zfill(2 * size))
            # The column itself is what the sorting key and the parts' order know.
            return Condition(f"{column} = toFixedString(unhex({given}), {size})") if _is_id(constant, size) else _NEVER
        pattern = self._pattern(constant) if operator in MATCHING else self._literal(constant)
        return Condition(self._of_two(operator, value, pattern))

    def _of_service(self, operator: Operator, constant: Literal) -> str:
        """Return a comparison of the service's name, which has a column of its own that is sorted and indexed."""
        if constant.type is not Type.STRING:
            return "0"
        bound = self.binder.text(str(constant.value))
        if operator in MATCHING:
            tested = self._matching(operator, Value(Type.STRING, "service"), self._pattern(constant))
        else:
            tested = f"service {operator} {bound}"
        return tested if operator is Operator.EQUAL and constant.value else f"({tested} AND service != '')"

    def _pattern(self, constant: Literal) -> Value:
        return Value(Type.STRING, self.binder.text(anchored(str(constant.value))))

    def _with_text(self, operator: Operator, value: Value, left: Expression, text: str) -> Condition:
        """Return that an attribute is a text that compares so with a constant."""
        key = left.key if isinstance(left, Attribute) else ""
        is_text = f"{value.kind} = {sql.STRING_KIND}"
        positive = _POSITIVE.get(operator, operator)
        texts = same_values(key, text) if positive is Operator.EQUAL else (text,)
        bound = [self.binder.text(item) for item in texts]
        if positive is Operator.MATCH:
            test = f"match({value.text}, {self.binder.text(anchored(text))})"
        else:
            test = f"{value.text} IN ({', '.join(bound)})" if len(bound) > 1 else f"{value.text} {positive} {bound[0]}"
        condition = f"({is_text} AND {'NOT ' if operator in NEGATIVE else ''}{test})"
        if operator is not Operator.EQUAL or not isinstance(left, Attribute) or left.scope is not Scope.SPAN:
            return Condition(condition)
        items = [self.binder.text(f"{name}={item}") for name in same_as(key) for item in texts]
        return Condition(condition, sql.items(items))

    def _of_two(self, operator: Operator, left: Value, right: Value) -> str:
        """Return a comparison of two values of any types; false where they do not fit."""
        if operator in MATCHING:
            return self._matching(operator, left, right)
        if not _comparable(operator, left.type, right.type):
            return "0"
        if left.type is Type.ATTRIBUTE and right.type is Type.ATTRIBUTE:
            return _of_attributes(operator, left, right)
        if left.type is Type.ATTRIBUTE:
            return _of_attribute(operator, left, right)
        if right.type is Type.ATTRIBUTE:
            return _of_attribute(_FLIPPED.get(operator, operator), right, left)
        compared = f"({left.text} {operator} {right.text})"
        return f"ifNull({compared}, 0)" if left.nullable or right.nullable else compared

    def _matching(self, operator: Operator, left: Value, right: Value) -> str:
        matched = f"match({left.text}, {right.text})"
        tested = f"NOT {matched}" if operator is Operator.NOT_MATCH else matched
        return f"ifNull({tested}, 0)" if left.nullable else f"({tested})"

    def _many(self, operator: Operator, field: Attribute | IntrinsicField, constant: Literal) -> str:
        """Return that one of a span's events or links compares so; with `!=` and `!~` that none does and one could."""
        positive = _POSITIVE.get(operator, operator)
        item = self._item(field) if isinstance(field, Attribute) else self._intrinsic(field.intrinsic)
        there = _exists(field, f"{item.kind} != ''" if item.kind else "1")
        if constant.type is Type.NIL:
            return f"NOT {there}" if operator is Operator.EQUAL else there
        found = _exists(field, self._with_constant(positive, item, field, constant).sql)
        return f"({there} AND NOT {found})" if operator in NEGATIVE else found

    def _anywhere(self, operator: Operator, field: Attribute, constant: Literal) -> str:
        """Return a comparison of an attribute that is the span's, or else the resource's."""
        of_span = self._with_constant(
            operator, self._in_map("attributes", "attribute_kinds", field.key), field, constant
        )
        resource = Attribute(Scope.RESOURCE, field.key)
        of_resource = self._comparison(Binary(operator, resource, constant)).sql
        there = sql.all_of((sql.has_key("attributes", key) for key in self._keys(field.key)), "OR")
        if constant.type is Type.NIL:
            return sql.all_of((of_span.sql, of_resource), "AND" if operator is Operator.EQUAL else "OR")
        return f"if({there}, {of_span.sql}, {of_resource})"

    def _keys(self, key: str) -> list[str]:
        return [self.binder.text(name) for name in same_as(key)]

    def _in_map(self, column: str, kinds: str, key: str) -> Value:
        keys = self._keys(key)
        kind = sql.first_of(column, [(name, sql.kind_of(column, kinds, name)) for name in keys], "''")
        return Value(
            Type.ATTRIBUTE, sql.first_of(column, [(name, f"{column}[{name}]") for name in keys], "''"), kind=kind
        )

    def _item(self, field: Attribute) -> Value:
        return self._in_map("item", "item_kinds", field.key)

    def _in_source(self, field: Expression) -> Value:
        """Return a field of a resource or scope as the table of sources has it."""
        if isinstance(field, IntrinsicField):
            return Value(Type.STRING, _OF_SOURCE[field.intrinsic])
        assert isinstance(field, Attribute)
        column = "resource" if field.scope is Scope.RESOURCE else "scope"
        return self._in_map(column, f"{column}_kinds", field.key)

    def _attribute(self, field: Attribute) -> Value:
        if _is_service(field):
            return Value(Type.STRING, "nullIf(service, '')", nullable=True)
        if field.scope is Scope.SPAN:
            return self._in_map("attributes", "attribute_kinds", field.key)
        if field.scope is Scope.ANY:
            return self._span_or_resource(field)
        return self._beside(self._in_source(field))

    def _span_or_resource(self, field: Attribute) -> Value:
        own = self._in_map("attributes", "attribute_kinds", field.key)
        other = self._beside(self._in_source(Attribute(Scope.RESOURCE, field.key)))
        there = sql.all_of((sql.has_key("attributes", key) for key in self._keys(field.key)), "OR")
        return Value(
            Type.ATTRIBUTE,
            f"if({there}, {own.text}, {other.text})",
            kind=f"if({there}, {own.kind}, {other.kind})",
        )

    def _beside(self, value: Value) -> Value:
        """Return a value of the table of sources as it is joined to spans."""
        return Value(value.type, self._describe(value.text), kind=self._describe(value.kind) if value.kind else "")

    def _describe(self, expression: str) -> str:
        for name, known in self._described.items():
            if known == expression:
                return name
        name = f"described_{len(self._described)}"
        self._described[name] = expression
        return name

    def _intrinsic(self, intrinsic: Intrinsic) -> Value:
        if intrinsic in _OF_SOURCE:
            return self._beside(Value(Type.STRING, _OF_SOURCE[intrinsic]))
        self._needs_trace |= intrinsic in OF_TRACE
        self._needs_children |= intrinsic is Intrinsic.CHILD_COUNT
        return Value(INTRINSIC_TYPES[intrinsic], _INTRINSICS[intrinsic], nullable=intrinsic in _NULLABLE)

    def _literal(self, literal: Literal) -> Value:
        value = literal.value
        bind: dict[Type, Callable[[], str]] = {
            Type.STRING: lambda: self.binder.text(str(value)),
            Type.INTEGER: lambda: self.binder.integer(int(value or 0)),
            Type.DURATION: lambda: self.binder.integer(int(value or 0)),
            Type.REAL: lambda: self.binder.real(float(value or 0)),
            Type.BOOLEAN: lambda: "1" if value else "0",
            Type.STATUS: lambda: str(STATUS_CODES[str(value)]),
            Type.KIND: lambda: str(KIND_CODES[str(value)]),
        }
        return Value(literal.type, bind[literal.type]())

    def _calculation(self, expression: Binary) -> str:
        left, right = self.number(expression.left), self.number(expression.right)
        function = _FUNCTIONS.get(expression.operator)
        return f"{function}({left}, {right})" if function else f"({left} {expression.operator} {right})"


def _exists(field: Attribute | IntrinsicField, condition: str) -> str:
    """Return that one of a span's events or links fulfils a condition on `item`."""
    if isinstance(field, IntrinsicField):
        return f"arrayExists(item -> {condition}, {_ITEM_COLUMNS[field.intrinsic]})"
    columns = f"`{field.scope}s.attributes`, `{field.scope}s.attribute_kinds`"
    return f"arrayExists((item, item_kinds) -> {condition}, {columns})"


_NEVER: Final = Condition("0")
ALWAYS: Final = Condition("1")


def join(terms: Sequence[Condition], junction: Junction) -> Condition:
    """Return several conditions as one; for `||` each has to say of itself what all shall say."""
    word = "AND" if junction is Junction.AND else "OR"

    def of_terms(found: list[str | None]) -> str | None:
        told = [text for text in found if text is not None]
        return sql.all_of(told, word) if told and (word == "AND" or len(told) == len(terms)) else None

    return Condition(
        sql.all_of((term.sql for term in terms), word),
        of_terms([term.prune for term in terms]),
    )


def _is_id(constant: Literal, size: int) -> bool:
    text = str(constant.value)
    return len(text) <= 2 * size and all(character in "0123456789abcdef" for character in text)


def _comparable(operator: Operator, left: Type, right: Type) -> bool:
    if Type.ATTRIBUTE in {left, right} or (left in NUMERIC and right in NUMERIC):
        return True
    return left is right and (operator in EQUALITY or left is Type.STRING)


def _is_nil(value: Value) -> str:
    if value.type is Type.ATTRIBUTE:
        return f"({value.kind} = '')"
    return f"({value.text} IS NULL)" if value.nullable else "0"


def _of_attribute(operator: Operator, left: Value, right: Value) -> str:
    """Return a comparison of an attribute with a value whose type is known."""
    if right.type in NUMERIC:
        as_real = f"toFloat64OrZero({left.text}) {operator} {right.text}"
        # Whole numbers are compared as such: reals do not tell those beyond 2^53 apart.
        as_integer = as_real if right.type is Type.REAL else f"toInt64OrZero({left.text}) {operator} {right.text}"
        compared = (
            f"multiIf({left.kind} = {sql.INTEGER_KIND}, {as_integer}, {left.kind} = {sql.REAL_KIND}, {as_real}, 0)"
        )
        return f"ifNull({compared}, 0)" if right.nullable else compared
    if right.type is Type.BOOLEAN:
        return f"({left.kind} = {sql.BOOLEAN_KIND} AND ({left.text} = 'true') {operator} {right.text})"
    compared = f"({left.kind} = {sql.STRING_KIND} AND {left.text} {operator} {right.text})"
    return f"ifNull({compared}, 0)" if right.nullable else compared


def _of_attributes(operator: Operator, left: Value, right: Value) -> str:
    """Return a comparison of two attributes: both texts, both numbers, or both booleans for equality."""
    kinds = f"concat({left.kind}, {right.kind})"
    ordered = "" if operator not in {Operator.EQUAL, Operator.NOT_EQUAL} else ", '22'"
    return (
        f"multiIf({kinds} IN ('11'{ordered}), {left.text} {operator} {right.text},"
        f" {kinds} = '33', toInt64OrZero({left.text}) {operator} toInt64OrZero({right.text}),"
        f" {kinds} IN ('34', '43', '44'), toFloat64OrZero({left.text}) {operator} toFloat64OrZero({right.text}), 0)"
    )
