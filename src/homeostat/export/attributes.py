"""Attributes as protobuf, one table of known keys for each field that holds attributes. It knows no span.

A service says the same few keys with every span, and under most keys the same few values. So a key's bytes are made
once, and whole attributes are kept as long as they repeat; whether a key hides its values is decided once, too. Every
cache has a bound and none can grow with what users send: a key whose values do not repeat stops keeping them.
"""

import struct
from collections.abc import Mapping, Sequence
from typing import Any, Final, TypeVar

from opentelemetry.util.types import AnyValue

from homeostat.export.wire import BYTES, SMALL, delimited, tag, varint
from homeostat.redaction import HIDDEN, Redactor

_KEYS_MAX: Final = 512
_VALUES_MAX: Final = 64
_VALUE_CHARACTERS_MAX: Final = 256
_REFILLS_MAX: Final = 16
_DEPTH_MAX: Final = 32  # deeper values are hidden; protobuf itself stops at a hundred messages inside each other

_DOUBLE: Final = struct.Struct("<d").pack

# Fields of opentelemetry.proto.common.v1.AnyValue.
_TEXT_TAG: Final = tag(1, BYTES)
_BOOLS: Final = {False: b"\x10\x00", True: b"\x10\x01"}
_INT_TAG: Final = b"\x18"
_DOUBLE_TAG: Final = b"\x21"
_VALUE_TAG: Final = tag(2, BYTES)  # of KeyValue

V = TypeVar("V", str, int)


def utf8(text: str) -> bytes:
    """Return a text as UTF-8; what is no character (half of a surrogate pair) becomes a question mark."""
    try:
        return text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-8", "replace")


class AttributeTable:
    """Encode attributes as repeated `KeyValue` in one field of a message. Not thread-safe.

    Args:
        field: the number of the field in its message.
        redactor: what decides which keys and texts are hidden.
    """

    def __init__(self, field: int, *, redactor: Redactor) -> None:
        """Begin knowing no key."""
        self._tag = tag(field, BYTES)
        self._redactor = redactor
        self.known: dict[str, _Key] = {}
        """Keys that were seen; a caller in a hurry looks here first."""

    def encode_into(self, parts: list[bytes], attributes: Mapping[str, Any]) -> None:
        """Append the bytes of each attribute; one that cannot be said in protobuf is hidden, not left out."""
        known = self.known
        append = parts.append
        for name, value in attributes.items():
            key = known.get(name) or self._learn(name)
            kind = type(value)
            if kind is str:
                append(key.texts.get(value) or key.text(value))
            elif kind is int:
                append(key.ints.get(value) or key.integer(value))
            elif kind is float:
                append(key.double + _DOUBLE(value) if key.double else key.other(value))
            elif kind is bool:
                append(key.bools[value])
            else:
                append(key.other(value))

    def _learn(self, name: str) -> "_Key":
        key = _Key(name, tag_of_field=self._tag, redactor=self._redactor)
        if len(self.known) < _KEYS_MAX:
            self.known[name] = key
        return key


class _Key:
    """Encode attributes of one key."""

    __slots__ = (
        "_heads",
        "_hidden",
        "_int_heads",
        "_name",
        "_redact",
        "_redactor",
        "_refills",
        "_tag",
        "bools",
        "double",
        "ints",
        "texts",
    )

    def __init__(self, name: str, *, tag_of_field: bytes, redactor: Redactor) -> None:
        self._tag = tag_of_field
        self._name = delimited(1, utf8(name)) + _VALUE_TAG
        self._redactor = redactor
        self._redact = redactor.text
        self._heads: dict[int, bytes] = {}
        self._int_heads: dict[int, bytes] = {}
        self._refills = _REFILLS_MAX
        self.texts: dict[str, bytes] = {}
        self.ints: dict[int, bytes] = {}
        self._hidden = self._text(HIDDEN) if redactor.hides(name) else b""
        self.bools = {value: self._hidden or self._whole(said) for value, said in _BOOLS.items()}
        self.double = b"" if self._hidden else self._whole(_DOUBLE_TAG + bytes(8))[:-8]
        """What stands before the eight bytes of a number; empty when it is hidden."""

    def text(self, value: str) -> bytes:
        """Encode a text that was not seen of late."""
        encoded = self._hidden or self._text(self._redact(value))
        if self._refills and len(value) <= _VALUE_CHARACTERS_MAX:
            self._keep(self.texts, value, encoded)
        return encoded

    def integer(self, value: int) -> bytes:
        """Encode an integer that was not seen of late."""
        encoded = self._hidden or self._int(value)
        if self._refills:
            self._keep(self.ints, value, encoded)
        return encoded

    def other(self, value: AnyValue) -> bytes:
        """Encode a value of any kind."""
        return self._hidden or self._whole(_any_value(value, self._redactor, _DEPTH_MAX))

    def _text(self, value: str) -> bytes:
        content = utf8(value)
        size = len(content)
        if size > 127:
            return self._whole(_TEXT_TAG + varint(size) + content)
        head = self._heads.get(size)
        if head is None:
            inner = _TEXT_TAG + SMALL[size]
            value_size = len(inner) + size
            key_value = self._name + varint(value_size) + inner
            head = self._heads[size] = self._tag + varint(len(key_value) + size) + key_value
        return head + content

    def _whole(self, value: bytes) -> bytes:
        key_value = self._name + varint(len(value)) + value
        return self._tag + varint(len(key_value)) + key_value

    def _int(self, value: int) -> bytes:
        if not -(1 << 63) <= value < 1 << 63:
            return self._whole(_large_int(value))
        number = varint(value)
        head = self._int_heads.get(len(number))
        if head is None:
            size = len(number)
            head = self._int_heads[size] = self._whole(_INT_TAG + bytes(size))[:-size]
        return head + number

    def _keep(self, kept: dict[V, bytes], value: V, encoded: bytes) -> None:
        """Keep what was encoded while this key's values seem to repeat; a full cache starts again, a few times."""
        if len(kept) >= _VALUES_MAX:
            self._refills -= 1
            kept.clear()
        kept[value] = encoded


def _large_int(value: int) -> bytes:
    """Return, as text, an integer that protobuf has no room for."""
    try:
        return delimited(1, b"%d" % value)
    except ValueError:  # Python refuses to write a number of thousands of digits
        return delimited(1, HIDDEN.encode())


def _any_value(value: AnyValue, redactor: Redactor, depth_left: int) -> bytes:
    """Return the fields of an `AnyValue`; nothing for `None`."""
    if isinstance(value, str):
        return delimited(1, utf8(redactor.text(value)))
    if isinstance(value, bool):
        return _BOOLS[value]
    if isinstance(value, int):
        return _INT_TAG + varint(value) if -(1 << 63) <= value < 1 << 63 else _large_int(value)
    if isinstance(value, float):
        return _DOUBLE_TAG + _DOUBLE(value)
    return _nested_value(value, redactor, depth_left)


def _nested_value(value: AnyValue, redactor: Redactor, depth_left: int) -> bytes:
    if value is None:
        return b""
    if isinstance(value, bytes):
        return delimited(7, value)
    if not depth_left:
        return delimited(1, HIDDEN.encode())
    if isinstance(value, Mapping):
        pairs = [_pair(str(name), inner, redactor, depth_left) for name, inner in value.items()]
        return delimited(6, b"".join(pairs))
    if isinstance(value, Sequence):
        inner_values = [delimited(1, _any_value(inner, redactor, depth_left - 1)) for inner in value]
        return delimited(5, b"".join(inner_values))
    return delimited(1, utf8(redactor.text(str(value))))


def _pair(name: str, value: AnyValue, redactor: Redactor, depth_left: int) -> bytes:
    content = delimited(1, HIDDEN.encode()) if redactor.hides(name) else _any_value(value, redactor, depth_left - 1)
    return delimited(1, delimited(1, utf8(name)) + delimited(2, content))
