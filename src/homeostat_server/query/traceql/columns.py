"""Fields of spans as columns of an answer, and back as typed values. It asks nothing itself."""

from base64 import b64encode
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import orjson
import pyarrow as pa
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue

from homeostat_server.query.semconv import same_as
from homeostat_server.query.sources import Source
from homeostat_server.query.traceql.compiling import SERVICE_NAME, Compiler, Value, is_of_source
from homeostat_server.query.traceql.names import KIND_CODES, STATUS_CODES, Intrinsic, Scope, Type
from homeostat_server.query.traceql.results import NIL, TypedValue
from homeostat_server.query.traceql.tree import Attribute, Expression, IntrinsicField
from homeostat_server.query.values import value_json

Sources = Mapping[int, Source]

_STATUS_WORDS: Final = {code: word for word, code in STATUS_CODES.items()}
_KIND_WORDS: Final = {code: word for word, code in KIND_CODES.items()}


@dataclass(frozen=True, slots=True)
class Column:
    """Hold how an expression is read beside spans.

    Attributes:
        expression: what is read.
        name: of its column; with `_kind` behind it of the column of its kind.
        value: its SQL, None when the source tells it all.
        from_source: the field to look for in a span's source where the span has none.
    """

    expression: Expression
    name: str
    value: Value | None
    from_source: Expression | None

    def selected(self) -> dict[str, str]:
        """Return the columns to select, by their names."""
        if self.value is None:
            return {}
        return {self.name: self.value.text, **({f"{self.name}_kind": self.value.kind} if self.value.kind else {})}

    def read(self, table: pa.Table, sources: Sources) -> list[TypedValue]:
        """Return the value of each row."""
        own = [NIL] * table.num_rows if self.value is None else self._own(table, self.value)
        if self.from_source is None:
            return own
        found = {number: source_value(self.from_source, source) for number, source in sources.items()}
        numbers = table["span_source"].to_pylist()
        return [found.get(number, NIL) if value is NIL else value for value, number in zip(own, numbers, strict=True)]

    def _own(self, table: pa.Table, value: Value) -> list[TypedValue]:
        texts = table[self.name].to_pylist()
        if not value.kind:
            return [typed(value.type, text) for text in texts]
        return [attribute(kind, text) for kind, text in zip(table[f"{self.name}_kind"].to_pylist(), texts, strict=True)]


def column(expression: Expression, name: str, compiler: Compiler) -> Column:
    """Return how an expression is read; what a source tells is left to Python, which has few sources to look at."""
    if is_of_source(expression):
        return Column(expression, name, None, expression)
    if isinstance(expression, Attribute) and expression.scope is Scope.ANY:
        own = compiler.value(Attribute(Scope.SPAN, expression.key))
        return Column(expression, name, own, Attribute(Scope.RESOURCE, expression.key))
    return Column(expression, name, compiler.value(expression), None)


def joined_column(expression: Expression, name: str, compiler: Compiler) -> Column:
    """Return how an expression is read when the engine has to group by its very value."""
    return Column(expression, name, compiler.value(expression), None)


def typed(kind: Type, value: object) -> TypedValue:
    """Return a value of a known type as the engine gives it."""
    if isinstance(value, bytes):
        return TypedValue(kind, value.decode("utf-8", "replace"))
    if not isinstance(value, int | float):
        return NIL
    words = _WORDS.get(kind)
    if words is not None:
        return TypedValue(kind, words.get(int(value), str(value)))
    return TypedValue(kind, bool(value) if kind is Type.BOOLEAN else value)


def attribute(kind: bytes, stored: bytes) -> TypedValue:
    """Return an attribute as it is stored; arrays and maps as the JSON of OTLP, bytes in base64."""
    decode = _STORED.get(kind)
    return NIL if decode is None else decode(stored)


def _nested(number: int) -> Callable[[bytes], TypedValue]:
    return lambda stored: TypedValue(Type.STRING, orjson.dumps(value_json(number, stored)).decode())


_WORDS: Final = {Type.STATUS: _STATUS_WORDS, Type.KIND: _KIND_WORDS}
_STORED: Final[Mapping[bytes, Callable[[bytes], TypedValue]]] = {
    b"1": lambda stored: TypedValue(Type.STRING, stored.decode("utf-8", "replace")),
    b"2": lambda stored: TypedValue(Type.BOOLEAN, stored == b"true"),
    b"3": lambda stored: TypedValue(Type.INTEGER, int(stored)),
    b"4": lambda stored: TypedValue(Type.REAL, float(stored)),
    b"5": _nested(5),
    b"6": _nested(6),
    b"7": lambda stored: TypedValue(Type.STRING, b64encode(stored).decode("ascii")),
}
"""By the digit of the kind that was sent."""


def source_value(field: Expression, source: Source) -> TypedValue:
    """Return a field that a resource or a scope tells."""
    if isinstance(field, IntrinsicField):
        text = source.scope.name if field.intrinsic is Intrinsic.SCOPE_NAME else source.scope.version
        return TypedValue(Type.STRING, text)
    assert isinstance(field, Attribute)
    if field.scope is Scope.RESOURCE and field.key == SERVICE_NAME:
        return TypedValue(Type.STRING, source.service) if source.service else NIL
    described = source.resource.attributes if field.scope is Scope.RESOURCE else source.scope.attributes
    return _among(described, same_as(field.key))


def _among(attributes: Sequence[KeyValue], keys: Sequence[str]) -> TypedValue:
    found = {item.key: item.value for item in reversed(attributes)}
    value = next((found[key] for key in keys if key in found), None)
    return NIL if value is None else any_value(value)


def any_value(value: AnyValue) -> TypedValue:
    """Return a value of OTLP."""
    which = value.WhichOneof("value")
    if which is None:
        return NIL
    member = getattr(value, which)
    plain = _PLAIN.get(which)
    if plain is not None:
        return TypedValue(plain, member)
    if isinstance(member, bytes):
        return TypedValue(Type.STRING, b64encode(member).decode("ascii"))
    number = AnyValue.DESCRIPTOR.fields_by_name[which].number
    return _nested(number)(member.SerializeToString())


_PLAIN: Final = {
    "string_value": Type.STRING,
    "bool_value": Type.BOOLEAN,
    "int_value": Type.INTEGER,
    "double_value": Type.REAL,
}
