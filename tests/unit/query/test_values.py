import math

import pytest
from hypothesis import given
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue

from homeostat_server.model.otlp_json import to_otlp_json
from homeostat_server.query import values
from homeostat_server.query.values import attributes_json, fill_attributes, fill_value, real_json, value_json
from tests.otlp_strategies import ANY_VALUES


def stored(value: AnyValue) -> tuple[int, bytes]:
    """Return kind and bytes as the store keeps them."""
    kind = value.WhichOneof("value")
    if kind is None:
        return values.UNSET, b""
    number = AnyValue.DESCRIPTOR.fields_by_name[kind].number
    member = getattr(value, kind)
    if kind in ("array_value", "kvlist_value"):
        return number, member.SerializeToString()
    if kind == "bytes_value":
        return number, member
    return number, (str(member).lower() if kind == "bool_value" else str(member)).encode()


@given(ANY_VALUES)
def test_a_value_is_the_same_as_message_and_as_json(value: AnyValue) -> None:
    """What is written straight from the row is what the message would be written as."""
    kind, content = stored(value)
    filled = AnyValue()
    fill_value(filled, kind=kind, stored=content)
    assert filled.SerializeToString() == value.SerializeToString()
    assert value_json(kind, content) == to_otlp_json(value)


@pytest.mark.parametrize(
    ("number", "shown"),
    [(1.5, 1.5), (-0.0, -0.0), (math.nan, "NaN"), (math.inf, "Infinity"), (-math.inf, "-Infinity")],
)
def test_numbers_that_json_has_not_are_text(number: float, shown: float | str) -> None:
    """As protobuf's JSON mapping says."""
    assert str(real_json(number)) == str(shown)


def test_attributes_keep_their_order_and_doubled_keys() -> None:
    """A list of pairs, not a map."""
    pairs = [(b"b", b"1"), (b"a", b"x"), (b"b", b"")]
    carrier = AnyValue()
    fill_attributes(carrier.kvlist_value.values, stored=pairs, kinds=[3, 1, 0])
    expected = [
        KeyValue(key="b", value=AnyValue(int_value=1)),
        KeyValue(key="a", value=AnyValue(string_value="x")),
        KeyValue(key="b", value=AnyValue()),
    ]
    assert list(carrier.kvlist_value.values) == expected
    assert attributes_json(pairs, [3, 1, 0]) == [
        {"key": "b", "value": {"intValue": "1"}},
        {"key": "a", "value": {"stringValue": "x"}},
        {"key": "b", "value": {}},
    ]


def test_text_that_is_none_does_not_spoil_an_answer() -> None:
    """A byte that is no text is replaced."""
    assert value_json(1, b"a\xff") == {"stringValue": "a\ufffd"}
