"""What outlives a segment's file: that it is stored, which segments took its place, and its digests. It knows one file.

A segment is gone for good when its entry here is durable; its file is unlinked after that. Entries are checksummed one
by one, so a torn end is harmless: what it would have said has not been acted on. The file is rewritten when it has
grown to a multiple of what is still of use, and whenever an append failed, since after a failed sync nothing behind the
last good one can be trusted.
"""

import contextlib
import struct
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import xxhash

from homeostat_server.ingest.disk import Disk, write_whole
from homeostat_server.ingest.duplicates import Acknowledged

_FRAME: Final = struct.Struct("<IQ")  # length of the payload, its xxh3_64
_HEAD: Final = struct.Struct("<BQII")  # kind, number, how many successors, how many digests
_SUCCESSOR: Final = struct.Struct("<Q")
_DIGEST: Final = struct.Struct("<16sQQ")  # digest, segment, when (ns since the epoch)

_KIND_RELEASED: Final = 1
_KIND_FLOOR: Final = 2

_SIZE_BYTES_MIN: Final = 1 << 20  # below a megabyte a rewrite is not worth its two syncs
_GROWTH_MAX: Final = 4  # at most four times the useful size, so that rewriting costs a quarter of the appending

RECENT_NAME: Final = "recent.log"
_UNFINISHED_NAME: Final = "recent.log.new"


@dataclass(frozen=True, slots=True)
class Recent:
    """Hold what the log says.

    Attributes:
        floor: no segment number up to this one may be used again.
        released: segments that are done with; a file with such a number has nothing to say any more.
        successors: unfinished files with these numbers count since the segment they were split off is released.
        acknowledged: digests with their times, as far as the log was told.
        damaged_entries: entries whose checksum did not match.
    """

    floor: int = 0
    released: frozenset[int] = frozenset()
    successors: frozenset[int] = frozenset()
    acknowledged: tuple[Acknowledged, ...] = ()
    damaged_entries: int = 0


@dataclass(slots=True)
class _Reading:
    """Gather entries one by one."""

    floor: int = 0
    released: set[int] = field(default_factory=set)
    successors: set[int] = field(default_factory=set)
    acknowledged: list[Acknowledged] = field(default_factory=list)
    damaged_entries: int = 0

    def take(self, payload: bytes) -> None:
        kind, number, successor_count, digest_count = _HEAD.unpack_from(payload)
        successors = struct.unpack_from(f"<{successor_count}Q", payload, _HEAD.size)
        digests = payload[_HEAD.size + successor_count * _SUCCESSOR.size :][: digest_count * _DIGEST.size]
        self.floor = max(self.floor, number, *successors)
        self.successors.update(successors)
        self.acknowledged += [Acknowledged(*fields) for fields in _DIGEST.iter_unpack(digests)]
        if kind == _KIND_RELEASED:
            self.released.add(number)


class RecentLog:
    """Keep the log of one spool. Not thread-safe: its owner's lock covers it."""

    def __init__(self, disk: Disk, folder: Path) -> None:
        """Keep the log in the spool's own folder, so that one folder sync covers both."""
        self._disk = disk
        self._folder = folder
        self._path = folder / RECENT_NAME
        self._appendable = False
        self._size_bytes = 0
        self._useful_bytes = 0

    def load(self) -> Recent:
        """Return what an earlier run wrote, made durable first: a kill may have come before its sync."""
        try:
            self._disk.refresh(self._path)
        except FileNotFoundError:
            return Recent()
        return parse(self._disk.read(self._path))

    @property
    def wants_rewrite(self) -> bool:
        """Say whether the file cannot be appended to, or is mostly out of date."""
        return not self._appendable or self._size_bytes > max(_SIZE_BYTES_MIN, _GROWTH_MAX * self._useful_bytes)

    def append_released(
        self, number: int, *, successors: Iterable[int] = (), acknowledged: Iterable[Acknowledged] = ()
    ) -> None:
        """Make it durable that a segment is done with; call `rewrite` before when `wants_rewrite`.

        Raises:
            OSError: it is not certain; the log wants a rewrite, after which this can be tried again.
        """
        entry = _entry(_KIND_RELEASED, number, tuple(successors), tuple(acknowledged))
        if not self._appendable:
            raise RuntimeError("rewrite the log before appending to it")
        self._appendable = False
        with contextlib.closing(self._disk.open_append(self._path)) as file:
            file.write([entry])
            file.sync()
        self._appendable = True
        self._size_bytes += len(entry)

    def rewrite(self, *, floor: int, acknowledged: Iterable[Acknowledged]) -> None:
        """Replace the log by what is still of use; the names in the folder become durable before that.

        With them durable, what the old log said of files is of no use any more.
        """
        self._appendable = False
        entry = _entry(_KIND_FLOOR, floor, (), tuple(acknowledged))
        self._disk.sync_folder(self._folder)
        unfinished = self._folder / _UNFINISHED_NAME
        write_whole(self._disk, unfinished, [entry])
        self._disk.rename(unfinished, self._path)
        self._disk.sync_folder(self._folder)
        self._appendable = True
        self._size_bytes = self._useful_bytes = len(entry)


def parse(data: bytes) -> Recent:
    """Return what the content of a log says, up to where it is torn; damaged entries are skipped and counted."""
    reading = _Reading()
    position = 0
    while position + _FRAME.size <= len(data):
        size_bytes, checksum = _FRAME.unpack_from(data, position)
        payload = data[position + _FRAME.size : position + _FRAME.size + size_bytes]
        if len(payload) < size_bytes or size_bytes < _HEAD.size:
            break
        if xxhash.xxh3_64_intdigest(payload) == checksum:
            reading.take(payload)
        else:
            reading.damaged_entries += 1
        position += _FRAME.size + size_bytes
    return Recent(
        reading.floor,
        frozenset(reading.released),
        frozenset(reading.successors),
        tuple(reading.acknowledged),
        reading.damaged_entries,
    )


def _entry(kind: int, number: int, successors: tuple[int, ...], acknowledged: tuple[Acknowledged, ...]) -> bytes:
    parts = [_HEAD.pack(kind, number, len(successors), len(acknowledged))]
    parts += [_SUCCESSOR.pack(successor) for successor in successors]
    parts += [_DIGEST.pack(each.digest, each.number, each.at_ns) for each in acknowledged]
    payload = b"".join(parts)
    return _FRAME.pack(len(payload), xxhash.xxh3_64_intdigest(payload)) + payload
