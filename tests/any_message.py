"""Protobuf messages of any shape that their descriptors allow, sensible or not, made by Hypothesis."""

from typing import Any, Final, TypeVar

from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message import Message
from google.protobuf.message_factory import GetMessageClass
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st

MessageT = TypeVar("MessageT", bound=Message)

_DEPTH_MAX: Final = 14
_REPEATS_MAX: Final = 3
_NOW_NS: Final = 1_767_225_600_000_000_000

_TEXTS: Final = st.one_of(st.sampled_from(["", "a", "service.name", "\0", "é" * 40, "🦊"]), st.text(max_size=20))
_BYTES: Final = st.one_of(
    st.binary(min_size=16, max_size=16), st.binary(min_size=8, max_size=8), st.binary(max_size=20)
)
_UNSIGNED_64: Final = st.one_of(
    st.sampled_from([0, 1, _NOW_NS, 2**63 - 1, 2**63, 2**64 - 1]), st.integers(0, 2**64 - 1)
)
_SIGNED_64: Final = st.one_of(st.sampled_from([0, -1, -(2**63), 2**63 - 1]), st.integers(-(2**63), 2**63 - 1))
_SIGNED_32: Final = st.integers(-(2**31), 2**31 - 1)

_VALUES: Final[dict[int, st.SearchStrategy[Any]]] = {
    FieldDescriptor.CPPTYPE_STRING: _TEXTS,
    FieldDescriptor.CPPTYPE_UINT64: _UNSIGNED_64,
    FieldDescriptor.CPPTYPE_INT64: _SIGNED_64,
    FieldDescriptor.CPPTYPE_UINT32: st.integers(0, 2**32 - 1),
    FieldDescriptor.CPPTYPE_INT32: st.one_of(st.integers(-20, 20), _SIGNED_32),
    FieldDescriptor.CPPTYPE_ENUM: st.one_of(st.integers(-1, 10), _SIGNED_32),
    FieldDescriptor.CPPTYPE_DOUBLE: st.floats(),
    FieldDescriptor.CPPTYPE_FLOAT: st.floats(width=32),
    FieldDescriptor.CPPTYPE_BOOL: st.booleans(),
}


@st.composite
def any_message(draw: st.DrawFn, kind: type[MessageT], depth: int = 0) -> MessageT:
    """Return messages of a type; fields near the root are filled more often than those deep inside."""
    message = kind()
    for field in kind.DESCRIPTOR.fields:
        if draw(st.integers(0, 3 + depth)) > 3 or (field.message_type and depth >= _DEPTH_MAX):
            continue
        _fill(draw, message, field, depth)
    return message


def _fill(draw: st.DrawFn, message: Message, field: Any, depth: int) -> None:  # noqa: ANN401 - a FieldDescriptor of either implementation
    if not field.is_repeated:
        value = draw(_value(field, depth))
        if field.message_type:
            getattr(message, field.name).CopyFrom(value)
        else:
            setattr(message, field.name, value)
        return
    getattr(message, field.name).extend(draw(st.lists(_value(field, depth), max_size=_REPEATS_MAX)))


def _value(field: Any, depth: int) -> st.SearchStrategy[Any]:  # noqa: ANN401 - as above
    if field.message_type:
        return any_message(GetMessageClass(field.message_type), depth + 1)
    return _BYTES if field.type == FieldDescriptor.TYPE_BYTES else _VALUES[field.cpp_type]


def any_bodies(kind: type[Message], *, count: int, seed_number: int) -> list[bytes]:
    """Return so many serialized messages, the same ones for the same seed."""
    found: list[bytes] = []

    @seed(seed_number)
    @settings(
        max_examples=count,
        database=None,
        deadline=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(any_message(kind))
    def collect(message: Message) -> None:
        found.append(message.SerializeToString())

    collect()
    return found
