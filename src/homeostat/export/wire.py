"""Protobuf's wire format, as far as OTLP needs it: varints, tags, and a reader for answers. It knows no message.

Source: https://protobuf.dev/programming-guides/encoding/. Written by hand because the generated classes cost three
times as much a span, and half of the memory that an import of the SDK may add.
"""

from collections.abc import Iterator
from typing import Final

VARINT: Final = 0
FIXED64: Final = 1
BYTES: Final = 2
FIXED32: Final = 5

_FIXED_BYTES: Final = {FIXED64: 8, FIXED32: 4}
_VARINT_BITS_MAX: Final = 63
_UINT64: Final = 1 << 64

SMALL: Final = tuple(bytes((number,)) for number in range(128))
"""The numbers that are one byte; most lengths are."""


class Malformed(ValueError):
    """Bytes are not what protobuf writes."""


def varint(number: int) -> bytes:
    """Return a number as protobuf's varint; a negative one in two's complement of 64 bits, as int32 and int64 have it.

    Raises:
        OverflowError: the number has more than 64 bits.
    """
    if not 0 <= number < _UINT64:
        number += _UINT64
        if not 0 <= number < _UINT64:
            raise OverflowError("an integer of protobuf has 64 bits")
    if number < 128:
        return SMALL[number]
    if number < 1 << 14:
        return bytes((number & 0x7F | 0x80, number >> 7))
    if number < 1 << 21:
        return bytes((number & 0x7F | 0x80, number >> 7 & 0x7F | 0x80, number >> 14))
    written = bytearray()
    while number > 0x7F:
        written.append(number & 0x7F | 0x80)
        number >>= 7
    written.append(number)
    return bytes(written)


def tag(field: int, wire_type: int) -> bytes:
    """Return the tag in front of a field."""
    return varint(field << 3 | wire_type)


def delimited(field: int, content: bytes) -> bytes:
    """Return a field of bytes, text or a message."""
    return tag(field, BYTES) + varint(len(content)) + content


def fields(message: bytes) -> Iterator[tuple[int, int | bytes]]:
    """Give the fields of a message in their order: numbers for varints and fixed sizes, bytes for the rest.

    Raises:
        Malformed: the bytes end too early, or hold what protobuf 3 does not write.
    """
    position = 0
    while position < len(message):
        key, position = _varint_at(message, position)
        wire_type = key & 7
        if wire_type == VARINT:
            number, position = _varint_at(message, position)
            yield key >> 3, number
            continue
        if wire_type == BYTES:
            size, position = _varint_at(message, position)
        elif wire_type in _FIXED_BYTES:
            size = _FIXED_BYTES[wire_type]
        else:
            raise Malformed(f"wire type {wire_type}")
        end = position + size
        if end > len(message):
            raise Malformed("a field ends after its message")
        content = message[position:end]
        yield key >> 3, content if wire_type == BYTES else int.from_bytes(content, "little")
        position = end


def signed(number: int) -> int:
    """Return the int64 that a varint stands for."""
    return number - _UINT64 if number > _UINT64 // 2 - 1 else number


def _varint_at(message: bytes, position: int) -> tuple[int, int]:
    number = shift = 0
    while position < len(message) and shift <= _VARINT_BITS_MAX:
        byte = message[position]
        position += 1
        number |= (byte & 0x7F) << shift
        if byte < 0x80:
            return number % _UINT64, position
        shift += 7
    raise Malformed("a varint does not end")
