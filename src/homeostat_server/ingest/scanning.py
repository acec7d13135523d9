"""Read a segment file back without trusting it. It does no IO and decides nothing about what it finds.

The frame is redundant: a record's outer length must equal the sum of the inner ones. That tells three things apart.

- **A torn tail**: the last frame is sound as far as it goes but ends beyond the file, or the rest is zeros. This is
  what a power cut leaves of bytes that were never acknowledged.
- **Damage with a sound frame**: the lengths agree and the digest does not. Exactly this record is damaged, and the next
  one begins where the frame says.
- **Damage of the frame**: the lengths disagree. The next record is looked for at every following offset and accepted
  only where an unbroken run of verified records leads to the end of the file. A single verified record would not
  do: a sender can put a whole forged record, another tenant's name in it, inside a body, but cannot make it lead on
  to the records behind that body. Without such an offset all the rest is damage.
"""

import re
from dataclasses import dataclass
from enum import Enum, auto
from typing import Final

from homeostat_server.ingest.segment import DIGEST_HEAD, REQUEST_TAG, TAIL_BYTES, TENANT_TAG, digest_of
from homeostat_server.model.tenant import TENANT_CHARACTERS, TENANT_LENGTH_MAX

_LENGTH_BYTES_MAX: Final = 5  # a body of 32 GiB; anything longer is no length of ours
_TENANT_LENGTH_BYTES_MAX: Final = 2
# Where a frame could begin: a length, the tenant's tag, a length below 256, a letter. Looks ahead: hits may overlap.
_POSSIBLE_START: Final = re.compile(
    rb"(?=[\x80-\xff]{0,4}[\x00-\x7f]\x0a(?:[\x01-\x7f]|[\x80-\xff]\x01)[%b])" % TENANT_CHARACTERS.encode()
)
_TENANT: Final = re.compile(b"[%b]*" % TENANT_CHARACTERS.encode())

_HASHED_BYTES_PER_BYTE_MAX: Final = 32
"""How many times over the search for the next frame may hash the file: a hostile body can hold a frame in every other
place, each as long as the body. Past the bound the rest counts as damage, which is set aside and not lost."""


@dataclass(frozen=True, slots=True)
class Record:
    """Locate one verified record: `data[start:end]` is the whole frame."""

    start: int
    end: int
    body_start: int
    tenant: str
    digest: bytes


@dataclass(frozen=True, slots=True)
class Damage:
    """Locate bytes that are no verified record and no torn tail."""

    start: int
    end: int
    reason: str


@dataclass(frozen=True, slots=True)
class Scan:
    """Hold what a segment file consists of; records, damage and the torn tail cover it without a gap."""

    records: tuple[Record, ...]
    damage: tuple[Damage, ...]
    sound_bytes: int
    torn_bytes: int

    @property
    def clean(self) -> bool:
        """Say whether the file is nothing but verified records."""
        return not self.damage and not self.torn_bytes

    @property
    def tenants(self) -> frozenset[str]:
        """Return whose records there are."""
        return frozenset(record.tenant for record in self.records)


class _Shape(Enum):
    """Say why there is no frame at an offset."""

    TORN = auto()
    BROKEN = auto()


@dataclass(frozen=True, slots=True)
class _Frame:
    """Locate a frame whose lengths agree; whether its bytes are right is not known yet."""

    start: int
    tenant_start: int
    tenant_end: int
    body_start: int
    end: int


def scan(data: bytes) -> Scan:
    """Tell verified records, damage and a torn tail apart."""
    records: list[Record] = []
    damage: list[Damage] = []
    position = 0
    while position < len(data):
        found = _read(data, position)
        if found is None:
            break
        if isinstance(found, Record):
            records.append(found)
        else:
            damage.append(found)
        position = found.end
    return Scan(tuple(records), tuple(damage), position, len(data) - position)


def body_of(data: bytes, record: Record) -> bytes:
    """Return the request that a record of this data holds."""
    return data[record.body_start : record.end - TAIL_BYTES]


def _read(data: bytes, position: int) -> Record | Damage | None:
    """Return what begins at a frame's boundary, None when it is a torn tail."""
    frame = _frame_at(data, position)
    if isinstance(frame, _Frame):
        return _verified(data, frame) or Damage(position, frame.end, "the digest does not match the record")
    if frame is _Shape.TORN or _is_zeros(data, position):
        return None
    return Damage(position, _next_boundary(data, position), "the lengths of the record's frame disagree")


def _frame_at(data: bytes, start: int) -> _Frame | _Shape:
    """Return the frame at an offset, TORN when it is sound but ends beyond the file."""
    try:
        inner, inner_start = _length(data, start, _LENGTH_BYTES_MAX)
        end = inner_start + inner
        tenant_bytes, tenant_start = _tagged(data, inner_start, TENANT_TAG, _TENANT_LENGTH_BYTES_MAX)
        tenant_end = tenant_start + tenant_bytes
        if not 0 < tenant_bytes <= TENANT_LENGTH_MAX or tenant_end + TAIL_BYTES >= end:
            return _Shape.BROKEN
        if not _TENANT.fullmatch(data, tenant_start, tenant_end):
            return _Shape.BROKEN
        body_bytes, body_start = _tagged(data, tenant_end, REQUEST_TAG, _LENGTH_BYTES_MAX)
    except IndexError:
        return _Shape.TORN
    except ValueError:
        return _Shape.BROKEN
    if body_start + body_bytes + TAIL_BYTES != end:
        return _Shape.BROKEN
    return _Frame(start, tenant_start, tenant_end, body_start, end) if end <= len(data) else _Shape.TORN


def _tagged(data: bytes, start: int, tag: int, bytes_max: int) -> tuple[int, int]:
    """Return the length behind a field's tag and where the field's content begins."""
    if data[start] != tag:
        raise ValueError("another field was expected")
    return _length(data, start + 1, bytes_max)


def _length(data: bytes, start: int, bytes_max: int) -> tuple[int, int]:
    """Return a varint and where it ends; raise IndexError at the end of the data, ValueError when it is too long."""
    number = 0
    for index in range(bytes_max):
        byte = data[start + index]
        number |= (byte & 0x7F) << (7 * index)
        if byte < 0x80:  # the continuation bit is not set
            return number, start + index + 1
    raise ValueError("the length has too many bytes")


def _verified(data: bytes, frame: _Frame) -> Record | None:
    """Return the record when its digest is that of its tenant and body."""
    tail = frame.end - TAIL_BYTES
    tenant = data[frame.tenant_start : frame.tenant_end]
    digest = digest_of(tenant, memoryview(data)[frame.body_start : tail])
    if data[tail : frame.end] != DIGEST_HEAD + digest:
        return None
    return Record(frame.start, frame.end, frame.body_start, tenant.decode(), digest)


def _is_zeros(data: bytes, position: int) -> bool:
    """Say whether nothing but zeros follows: a length that became durable before the bytes did."""
    return data.count(0, position) == len(data) - position


def _next_boundary(data: bytes, broken: int) -> int:
    """Return the first offset behind a broken frame from which verified records lead to the end of the file."""
    dead: set[int] = set()
    hashed_bytes_left = len(data) * _HASHED_BYTES_PER_BYTE_MAX
    for match in _POSSIBLE_START.finditer(data, broken + 1):
        frames = _frames_to_the_end(data, match.start(), dead)
        hashed_bytes_left -= sum(frame.end - frame.start for frame in frames)
        if hashed_bytes_left < 0:
            break
        if frames and _all_verified(data, frames, dead):
            return match.start()
    return len(data)


def _frames_to_the_end(data: bytes, position: int, dead: set[int]) -> list[_Frame]:
    """Return the frames that lead from here to the end of the file, none when they do not; remember dead ends."""
    frames: list[_Frame] = []
    while position < len(data):
        frame = _Shape.BROKEN if position in dead else _frame_at(data, position)
        if not isinstance(frame, _Frame):
            dead.update(found.start for found in frames)
            return []
        frames.append(frame)
        position = frame.end
    return frames


def _all_verified(data: bytes, frames: list[_Frame], dead: set[int]) -> bool:
    """Say whether every frame holds what its digest says; remember those that lead to one that does not."""
    for index, frame in enumerate(frames):
        if _verified(data, frame) is None:
            dead.update(passed.start for passed in frames[: index + 1])
            return False
    return True
