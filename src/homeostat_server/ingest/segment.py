"""What a segment file looks like: its number, its name, and the frame around each request. It does no IO.

A file is a run of length-delimited protobuf messages `Tagged{string tenant=1; Request request=2; bytes digest=3}`, the
fields always in this order. The frame is a few bytes before and behind the sender's own bytes, which are never
re-encoded or copied. The digest is xxh3_128(tenant, a zero byte, request): the checksum of the record, and the identity
by which a client's retry is known.
"""

import re
import threading
from typing import Final

import xxhash

from homeostat_server.model.segment import NODE_BITS, NODE_MAX
from homeostat_server.runtime.clock import Clock

DIGEST_BYTES: Final = 16

TENANT_TAG: Final = 0x0A  # field 1, length-delimited
REQUEST_TAG: Final = 0x12  # field 2, length-delimited
DIGEST_HEAD: Final = bytes((0x1A, DIGEST_BYTES))  # field 3, length-delimited, its length
TAIL_BYTES: Final = len(DIGEST_HEAD) + DIGEST_BYTES

_NUMBER_DIGITS: Final = 20  # of 2**64 - 1, so that names sort as numbers do
_SUFFIX: Final = ".segment"
_UNFINISHED_SUFFIX: Final = ".segment.new"
_NAME: Final = re.compile(r"(\d{20})\.segment(\.new)?")
_NANOSECONDS_PER_MICROSECOND: Final = 1_000


class SegmentNumbers:
    """Hand out segment numbers that only ever grow, whatever the wall clock does. Thread-safe.

    Share one between the spools of a process: its numbers are then unique across signals as well.
    """

    def __init__(self, *, clock: Clock, node: int = 0) -> None:
        """Number for one node (0 to 4095); give what earlier runs used to `observe` before the first `next`."""
        if not 0 <= node <= NODE_MAX:
            raise ValueError(f"a node is 0 to {NODE_MAX}, not {node}")
        self._clock = clock
        self._node = node
        self._newest_us = 0
        self._lock = threading.Lock()

    def observe(self, number: int) -> None:
        """Never hand out this number or one below it."""
        with self._lock:
            self._newest_us = max(self._newest_us, number >> NODE_BITS)

    def next(self) -> int:
        """Return a number greater than all before; it carries the time unless the clock went back."""
        now_us = self._clock.now_ns() // _NANOSECONDS_PER_MICROSECOND
        with self._lock:
            self._newest_us = max(self._newest_us + 1, now_us)
            return self._newest_us << NODE_BITS | self._node

    def newest(self) -> int:
        """Return a number that no later one will reach and no earlier one exceeds."""
        with self._lock:
            return self._newest_us << NODE_BITS | NODE_MAX


def segment_name(number: int) -> str:
    """Return the file name of a segment."""
    return f"{number:0{_NUMBER_DIGITS}d}{_SUFFIX}"


def unfinished_name(number: int) -> str:
    """Return the file name of a segment that is being rewritten and does not count yet."""
    return f"{number:0{_NUMBER_DIGITS}d}{_UNFINISHED_SUFFIX}"


def parse_name(name: str) -> tuple[int, bool] | None:
    """Return the number and whether the file is finished, None when this is not the name of a segment."""
    match = _NAME.fullmatch(name)
    return None if match is None else (int(match[1]), match[2] is None)


def digest_of(tenant: bytes, body: bytes | memoryview) -> bytes:
    """Return the identity of a request, 16 bytes."""
    state = xxhash.xxh3_128(tenant)
    state.update(b"\0")
    state.update(body)
    return state.digest()


def frame(tenant: bytes, *, body_bytes: int, digest: bytes) -> tuple[bytes, bytes]:
    """Return what goes before and what goes behind a request of this length."""
    inner = b"%c%b%b%c%b" % (TENANT_TAG, varint(len(tenant)), tenant, REQUEST_TAG, varint(body_bytes))
    return varint(len(inner) + body_bytes + TAIL_BYTES) + inner, DIGEST_HEAD + digest


def varint(number: int) -> bytes:
    """Return the protobuf encoding of an unsigned number."""
    out = bytearray()
    while number > 0x7F:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    out.append(number)
    return bytes(out)
