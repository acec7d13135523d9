"""Protobuf that parsers have to take and nobody writes: changes of a body's structure that leave its lengths right.

It knows the wire format (https://protobuf.dev/programming-guides/encoding/) and no schema, so a change may also make a
message that is refused.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from random import Random
from typing import Final

_VARINT, _FIXED64, _BYTES, _GROUP, _GROUP_END, _FIXED32 = range(6)
_FIELD_NUMBERS: Final = (*range(1, 17), 100, 536_870_911)
_DESCENT: Final = 0.8
_FIXED_BYTES: Final = {_FIXED64: 8, _FIXED32: 4}


class _NoProtobufError(ValueError):
    """Say that bytes are not a run of fields."""


@dataclass(frozen=True, slots=True)
class _Field:
    """Hold one field: its number, its wire type, and its bytes behind the tag (and length)."""

    number: int
    wire: int
    content: bytes

    def encoded(self) -> bytes:
        """Return the field as it is written."""
        tag = _varint(self.number << 3 | self.wire)
        if self.wire == _BYTES:
            return tag + _varint(len(self.content)) + self.content
        if self.wire == _GROUP:
            return tag + self.content + _varint(self.number << 3 | _GROUP_END)
        return tag + self.content


def reshaped(random: Random, body: bytes) -> bytes:
    """Return the body with one change somewhere in its tree; the same body when it is no protobuf or empty."""
    try:
        fields = _split(body)
    except (_NoProtobufError, IndexError):
        return body
    if not fields:
        return body
    index = random.randrange(len(fields))
    chosen = fields[index]
    if chosen.wire == _BYTES and random.random() < _DESCENT:
        inside = reshaped(random, chosen.content)
        if inside != chosen.content:
            return _joined([*fields[:index], replace(chosen, content=inside), *fields[index + 1 :]])
    return _joined(random.choice(_CHANGES)(random, fields, index))


def _insert(random: Random, fields: list[_Field], index: int) -> list[_Field]:
    return [*fields[:index], _any_field(random), *fields[index:]]


def _repeat(_random: Random, fields: list[_Field], index: int) -> list[_Field]:
    return [*fields, fields[index]]


def _drop(_random: Random, fields: list[_Field], index: int) -> list[_Field]:
    return [*fields[:index], *fields[index + 1 :]]


def _shuffle(random: Random, fields: list[_Field], _index: int) -> list[_Field]:
    return random.sample(fields, len(fields))


def _rename(random: Random, fields: list[_Field], index: int) -> list[_Field]:
    changed = replace(fields[index], number=random.choice(_FIELD_NUMBERS))
    return [*fields[:index], changed, *fields[index + 1 :]]


def _retype(random: Random, fields: list[_Field], index: int) -> list[_Field]:
    changed = replace(_any_field(random), number=fields[index].number)
    return [*fields[:index], changed, *fields[index + 1 :]]


def _lengthen(_random: Random, fields: list[_Field], index: int) -> list[_Field]:
    """Write a number with more bytes than it needs."""
    field = fields[index]
    if field.wire != _VARINT or len(field.content) > 8:
        return [*fields, field]
    content = field.content[:-1] + bytes([field.content[-1] | 0x80, 0x80, 0])
    return [*fields[:index], replace(field, content=content), *fields[index + 1 :]]


_Change = Callable[[Random, list[_Field], int], list[_Field]]
_CHANGES: Final[Sequence[_Change]] = (_insert, _insert, _repeat, _repeat, _drop, _shuffle, _rename, _retype, _lengthen)


def _any_field(random: Random) -> _Field:
    number = random.choice(_FIELD_NUMBERS)
    wire = random.choice((_VARINT, _FIXED64, _BYTES, _BYTES, _GROUP, _FIXED32))
    if wire == _VARINT:
        return _Field(number, wire, _varint(random.choice((0, 1, 2**31, 2**63, 2**64 - 1))))
    if wire == _GROUP:
        return _Field(number, wire, b"" if random.random() < 0.5 else _any_field(random).encoded())
    length = _FIXED_BYTES.get(wire, random.choice((0, 1, 8, 16, 40)))
    return _Field(number, wire, random.randbytes(length))


def _split(body: bytes) -> list[_Field]:
    fields = []
    position = 0
    while position < len(body):
        field, position = _field_at(body, position)
        fields.append(field)
    return fields


def _field_at(body: bytes, start: int) -> tuple[_Field, int]:
    tag, position = _number_at(body, start)
    number, wire = tag >> 3, tag & 7
    if wire == _VARINT:
        _, end = _number_at(body, position)
    elif wire == _BYTES:
        length, position = _number_at(body, position)
        end = position + length
    elif wire in _FIXED_BYTES:
        end = position + _FIXED_BYTES[wire]
    else:
        raise _NoProtobufError("a group, or no wire type at all")
    if end > len(body) or number == 0:
        raise _NoProtobufError("a field that ends beyond the body")
    return _Field(number, wire, body[position:end]), end


def _number_at(body: bytes, start: int) -> tuple[int, int]:
    number = 0
    for index in range(10):
        byte = body[start + index]
        number |= (byte & 0x7F) << (7 * index)
        if byte < 0x80:
            return number, start + index + 1
    raise _NoProtobufError("a number that does not end")


def _joined(fields: Sequence[_Field]) -> bytes:
    return b"".join(field.encoded() for field in fields)


def _varint(number: int) -> bytes:
    out = bytearray()
    while number > 0x7F:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    out.append(number)
    return bytes(out)
