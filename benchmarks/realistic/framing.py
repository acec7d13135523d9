"""Framing: files of bodies, each after its length as a varint.

Invariant: knows bytes only.
"""

from collections.abc import Iterator
from typing import BinaryIO


class TruncatedError(ValueError):
    """Report a file that ends inside a body."""


def frame(body: bytes) -> bytes:
    """Return a body after its length."""
    head = bytearray()
    size = len(body)
    while size > 0x7F:  # seven bits a byte
        head.append(size & 0x7F | 0x80)
        size >>= 7
    head.append(size)
    return bytes(head) + body


def bodies(file: BinaryIO) -> Iterator[bytes]:
    """Yield the bodies of a file; raise `TruncatedError` when it ends inside one."""
    while (size := _size(file)) is not None:
        body = file.read(size)
        if len(body) != size:
            raise TruncatedError(f"a body of {size} bytes was announced, {len(body)} are there")
        yield body


def _size(file: BinaryIO) -> int | None:
    size, shift = 0, 0
    while byte := file.read(1):
        size |= (byte[0] & 0x7F) << shift
        shift += 7
        if byte[0] < 0x80:  # the last byte of a varint
            return size
    if shift:
        raise TruncatedError("the file ends inside a length")
    return None
