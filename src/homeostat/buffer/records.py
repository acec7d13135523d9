"""Records on disk: one encoded request each, with its length, a checksum, and whether it is done. It opens no file.

A record is 20 bytes of head and the request. The byte that says whether it is done is outside the checksum and is
changed in place, so that a process that is killed after a delivery has at most that one delivery to repeat::

    0  4  `HSR1`
    4  1  0 while it waits, 1 when it is done
    5  1  signal
    6  2  zero
    8  4  items, little endian
    12 4  length of the request
    16 4  CRC-32 of signal, items, length and request
"""

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final
from zlib import crc32

SIGNALS: Final = ("traces", "logs", "metrics")
"""What a record may hold; its position here is what is written."""

HEAD_BYTES: Final = 20
BODY_BYTES_MAX: Final = 64 << 20  # a length beyond this was never written by us
STATE_OFFSET: Final = 4
DONE: Final = b"\x01"

_MAGIC: Final = b"HSR1"
_HEAD: Final = struct.Struct("<4sBBHIII")
_CHECKED: Final = struct.Struct("<BII")


@dataclass(frozen=True, slots=True)
class Record:
    """Hold one encoded OTLP export request of a signal and how many items it carries."""

    signal: str
    items: int
    body: bytes


@dataclass(frozen=True, slots=True)
class Head:
    """Hold what stands in front of a request."""

    done: bool
    signal: str
    items: int
    body_bytes: int
    checksum: int

    @property
    def size_bytes(self) -> int:
        """Return the length of the whole record."""
        return HEAD_BYTES + self.body_bytes

    def fits(self, body: bytes) -> bool:
        """Say whether this is the request that was written behind this head."""
        return len(body) == self.body_bytes and self.checksum == _checksum(self.signal, self.items, body)


def written(record: Record) -> bytes:
    """Return a record as it is written.

    Raises:
        ValueError: the signal is none, or the request is longer than `BODY_BYTES_MAX`.
    """
    if len(record.body) > BODY_BYTES_MAX:
        raise ValueError(f"a request has at most {BODY_BYTES_MAX} bytes")
    signal = SIGNALS.index(record.signal)
    checksum = _checksum(record.signal, record.items, record.body)
    return _HEAD.pack(_MAGIC, 0, signal, 0, record.items, len(record.body), checksum) + record.body


def head_of(content: bytes) -> Head | None:
    """Return the head at the beginning of some bytes; `None` when there is none."""
    if len(content) < HEAD_BYTES:
        return None
    magic, state, signal, _, items, body_bytes, checksum = _HEAD.unpack_from(content)
    if magic != _MAGIC or signal >= len(SIGNALS) or body_bytes > BODY_BYTES_MAX:
        return None
    return Head(bool(state), SIGNALS[signal], items, body_bytes, checksum)


def heads(content: bytes) -> Iterator[tuple[int, Head]]:
    """Give the records in a file with their offsets, up to its end or to the first that is not whole.

    A checksum is not looked at: that is done when the request is read.
    """
    offset = 0
    while head := head_of(content[offset : offset + HEAD_BYTES]):
        if offset + head.size_bytes > len(content):
            return
        yield offset, head
        offset += head.size_bytes


def _checksum(signal: str, items: int, body: bytes) -> int:
    return crc32(body, crc32(_CHECKED.pack(SIGNALS.index(signal), items, len(body))))
