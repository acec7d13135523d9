"""Attribute values from how they are stored to how OTLP says them, as messages and as JSON.

Stored are a text and, beside it, the kind that was sent: the field number of the member of OTLP's AnyValue, 0 for a
value that is not set. Arrays and maps are stored as the bytes of their message. Nothing is lost on the way.
"""

from base64 import b64encode
from collections.abc import Callable, Iterable, Mapping, Sequence
from math import isfinite
from typing import Any, Final, Protocol

from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue

from homeostat_server.model.otlp_json import to_otlp_json
from homeostat_server.query.rows import Pairs

Json = dict[str, Any]
"""An object of OTLP/JSON."""

UNSET: Final = 0


class _KeyValues(Protocol):
    def add(self) -> KeyValue: ...


def fill_value(value: AnyValue, *, kind: int, stored: bytes) -> None:
    """Set an empty AnyValue to what was stored; a value that was not set stays so."""
    if kind != UNSET:
        _FILL[kind](value, stored)


def fill_attributes(attributes: _KeyValues, *, stored: Pairs, kinds: Sequence[int]) -> None:
    """Add stored attributes to a repeated field, in their order."""
    for (key, value), kind in zip(stored, kinds, strict=True):
        attribute = attributes.add()
        attribute.key = key.decode("utf-8", "replace")
        # Touched also when nothing is set in it: a value that is empty is not a value that is missing.
        attribute.value.SetInParent()
        fill_value(attribute.value, kind=kind, stored=value)


def value_json(kind: int, stored: bytes) -> Json:
    """Return a stored value as the AnyValue of OTLP/JSON; a value that was not set is an empty object."""
    return {} if kind == UNSET else _JSON[kind](stored)


def attributes_json(stored: Pairs, kinds: Iterable[int]) -> list[Json]:
    """Return stored attributes as the key-value list of OTLP/JSON, in their order."""
    return [
        {"key": key.decode("utf-8", "replace"), "value": value_json(kind, value)}
        for (key, value), kind in zip(stored, kinds, strict=True)
    ]


def real_json(number: float) -> float | str:
    """Return a real number as protobuf's JSON says it: JSON itself has no NaN and no infinities."""
    if isfinite(number):
        return number
    return "NaN" if number != number else "Infinity" if number > 0 else "-Infinity"  # noqa: PLR0124 - only NaN is


def _fill_string(value: AnyValue, stored: bytes) -> None:
    value.string_value = stored.decode("utf-8", "replace")


def _fill_bool(value: AnyValue, stored: bytes) -> None:
    value.bool_value = stored == b"true"


def _fill_int(value: AnyValue, stored: bytes) -> None:
    value.int_value = int(stored)


def _fill_double(value: AnyValue, stored: bytes) -> None:
    value.double_value = float(stored)


def _fill_array(value: AnyValue, stored: bytes) -> None:
    value.array_value.SetInParent()
    value.array_value.ParseFromString(stored)


def _fill_map(value: AnyValue, stored: bytes) -> None:
    value.kvlist_value.SetInParent()
    value.kvlist_value.ParseFromString(stored)


def _fill_bytes(value: AnyValue, stored: bytes) -> None:
    value.bytes_value = stored


_FILL: Final[Mapping[int, Callable[[AnyValue, bytes], None]]] = {
    AnyValue.STRING_VALUE_FIELD_NUMBER: _fill_string,
    AnyValue.BOOL_VALUE_FIELD_NUMBER: _fill_bool,
    AnyValue.INT_VALUE_FIELD_NUMBER: _fill_int,
    AnyValue.DOUBLE_VALUE_FIELD_NUMBER: _fill_double,
    AnyValue.ARRAY_VALUE_FIELD_NUMBER: _fill_array,
    AnyValue.KVLIST_VALUE_FIELD_NUMBER: _fill_map,
    AnyValue.BYTES_VALUE_FIELD_NUMBER: _fill_bytes,
}


def _nested_json(fill: Callable[[AnyValue, bytes], None]) -> Callable[[bytes], Json]:
    def convert(stored: bytes) -> Json:
        value = AnyValue()
        fill(value, stored)
        return to_otlp_json(value)

    return convert


_JSON: Final[Mapping[int, Callable[[bytes], Json]]] = {
    AnyValue.STRING_VALUE_FIELD_NUMBER: lambda stored: {"stringValue": stored.decode("utf-8", "replace")},
    AnyValue.BOOL_VALUE_FIELD_NUMBER: lambda stored: {"boolValue": stored == b"true"},
    AnyValue.INT_VALUE_FIELD_NUMBER: lambda stored: {"intValue": stored.decode("ascii")},
    AnyValue.DOUBLE_VALUE_FIELD_NUMBER: lambda stored: {"doubleValue": real_json(float(stored))},
    AnyValue.ARRAY_VALUE_FIELD_NUMBER: _nested_json(_fill_array),
    AnyValue.KVLIST_VALUE_FIELD_NUMBER: _nested_json(_fill_map),
    AnyValue.BYTES_VALUE_FIELD_NUMBER: lambda stored: {"bytesValue": b64encode(stored).decode("ascii")},
}
