"""The spool: records of many processes in one folder, each in files of its own. It knows no sender.

Each process has a folder with a lock in it and numbered segments beside the lock. Who has the lock owns the folder:
the process itself while it lives; after its death exactly one other, which takes the lock that the death released and
delivers what is there. Oldest folders first, in each the oldest records first.

The bound holds for the whole folder. A process that needs room gives up the oldest segment of its own; where all the
room is taken by others, it gives up what it wanted to write.
"""

import os
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from homeostat.buffer.disk import Disk, OpenFile
from homeostat.buffer.records import HEAD_BYTES, Record
from homeostat.buffer.segments import OnLoss, Segment

SEGMENT_BYTES_MAX: Final = 1 << 20
"""A segment is given up as a whole when there is no room, so it is small."""

SPOOL_FULL: Final = "spool_full"
UNREADABLE: Final = "unreadable"
_NAMES_MAX: Final = 8
_SEGMENTS_MIN: Final = 8  # of the bound; so that a small spool does not lose everything at once
_LOCK: Final = "lock"
_ENDING: Final = ".spool"
_RECOUNT_S: Final = 1.0


@dataclass(eq=False)
class _Holding:
    """Hold the segments of one process, oldest first, and the lock that makes them ours."""

    folder: Path
    lock: OpenFile
    segments: deque[Segment]
    is_kept: bool = False
    """Whether files stay in it that cannot be read now."""


@dataclass(frozen=True, slots=True)
class Taken:
    """Hold the oldest record, which stays where it is until somebody says that it is done."""

    record: Record
    segment: Segment


class Spool:
    """Keep records in files. Not thread-safe.

    Args:
        folder: what all processes share; made when it is first needed, for this user alone.
        bytes_max: how many bytes all files in it may have together.
        disk: what files are on.
        on_loss: what hears of records that are given up or cannot be read.
        name: the name of the own folder; a later one sorts behind an earlier one.
    """

    def __init__(self, folder: Path, *, bytes_max: int, disk: Disk, on_loss: OnLoss, name: str) -> None:
        """Touch nothing yet."""
        self._folder = folder
        self._bytes_max = bytes_max
        self._segment_bytes_max = min(SEGMENT_BYTES_MAX, max(bytes_max // _SEGMENTS_MIN, 1))
        self._disk = disk
        self._on_loss = on_loss
        self._name = name
        self._own: _Holding | None = None
        self._adopted: deque[_Holding] = deque()
        self._number = 0
        self._others_bytes = 0
        self._recount_at_s = float("-inf")
        self._unsynced = False

    @property
    def is_empty(self) -> bool:
        """Say whether nothing waits in what this process owns."""
        if any(holding.segments for holding in self._adopted):
            return False
        return self._own is None or all(segment.is_empty for segment in self._own.segments)

    @property
    def bytes_held(self) -> int:
        """Return the size of the files that this process owns."""
        return sum(sum(_sizes(holding)) for holding in self._holdings())

    def append(self, record: Record, *, now_s: float) -> None:
        """Write a record behind all others; when there is no room, the oldest are given up for it.

        Raises:
            OSError: the disk does not take it.
        """
        own = self._own or self._begin()
        if not self._make_room(HEAD_BYTES + len(record.body), now_s=now_s):
            self._on_loss(record.signal, record.items, SPOOL_FULL)
            return
        tail = own.segments[-1] if own.segments else None
        if tail is None or tail.size_bytes >= self._segment_bytes_max:
            tail = self._new_segment(own)
        tail.append(record)
        self._unsynced = True

    def first(self) -> Taken | None:
        """Return the oldest record, again and again until it is `done`.

        A segment that the disk does not give is lost to this process; its file stays for a later one.
        """
        for holding in list(self._holdings()):
            while holding.segments:
                segment = holding.segments[0]
                try:
                    record = segment.first()
                except OSError:
                    segment.lose(UNREADABLE)
                    segment.close()
                    holding.segments.popleft()
                    holding.is_kept = True
                    continue
                if record is not None:
                    return Taken(record, segment)
                if not self._finish_first(holding):
                    break
            if holding is not self._own:
                self._let_go(holding)
        return None

    def done(self, taken: Taken) -> bool:
        """Mark a record as delivered or refused; `False` when it was given up meanwhile.

        Raises:
            OSError: the disk does not take the mark, so that a later process may send it again.
        """
        for holding in self._holdings():
            if holding.segments and holding.segments[0] is taken.segment:
                taken.segment.done()
                if taken.segment.is_empty:
                    self._finish_first(holding)
                return True
        return False

    def adopt(self) -> int:
        """Take over what dead processes left, and return how many they were.

        Raises:
            OSError: the folder cannot be read.
        """
        mine = {holding.folder.name for holding in self._holdings()}
        found = 0
        for name in self._disk.folders(self._folder):
            if name not in mine and (holding := self._adopted_from(self._folder / name)):
                self._adopted.append(holding)
                found += 1
        return found

    def sync(self) -> None:
        """Make what was written survive a power cut.

        Raises:
            OSError: the disk does not.
        """
        if self._unsynced and self._own is not None and self._own.segments:
            self._own.segments[-1].sync()
        self._unsynced = False

    def close(self) -> None:
        """Leave what waits to whoever comes next, and remove what is empty."""
        for holding in list(self._holdings()):
            self._let_go(holding)
        self._own = None

    def abandon(self) -> None:
        """Close the files that a fork copied; they, and the lock, stay the parent's."""
        for holding in self._holdings():
            for segment in holding.segments:
                segment.close()
            holding.lock.close()
        self._own = None
        self._adopted.clear()

    def _holdings(self) -> Iterable[_Holding]:
        return (*self._adopted, self._own) if self._own is not None else tuple(self._adopted)

    def _begin(self) -> _Holding:
        self._disk.make_folder(self._folder)
        for number in range(_NAMES_MAX):
            folder = self._folder / f"{self._name}-{number}"
            self._disk.make_folder(folder)
            # Between its making and its locking another process may take it for a dead one's; the next name, then.
            if (lock := self._disk.lock(folder / _LOCK, make=True)) is not None:
                self._own = _Holding(folder, lock, deque())
                return self._own
        raise OSError(f"no folder in {self._folder} can be locked")

    def _adopted_from(self, folder: Path) -> _Holding | None:
        try:
            lock = self._disk.lock(folder / _LOCK, make=False)
        except PermissionError:  # another user's
            return None
        if lock is None:
            return None
        segments = deque(
            Segment(folder / file.name, disk=self._disk, on_loss=self._on_loss, size_bytes=file.size_bytes)
            for file in self._disk.files(folder)
            if file.name.endswith(_ENDING)
        )
        return _Holding(folder, lock, segments)

    def _new_segment(self, own: _Holding) -> Segment:
        if own.segments:
            own.segments[-1].sync()
            if len(own.segments) > 1:
                own.segments[-1].close()
        self._number += 1
        path = own.folder / f"{self._number:012d}{_ENDING}"
        segment = Segment(path, disk=self._disk, on_loss=self._on_loss)
        own.segments.append(segment)
        return segment

    def _finish_first(self, holding: _Holding) -> bool:
        """Remove a segment in which nothing waits; empty the one that is being written, and return `False`."""
        segment = holding.segments[0]
        if holding is self._own and len(holding.segments) == 1:
            if segment.size_bytes:
                segment.reset()
            return False
        holding.segments.popleft()
        segment.remove()
        return True

    def _let_go(self, holding: _Holding) -> None:
        """Give a folder up; when it is empty nobody needs it, so it goes."""
        if holding in self._adopted:
            self._adopted.remove(holding)
        waits = any(not segment.is_empty for segment in holding.segments)
        for segment in holding.segments:
            segment.close()
            if not waits:
                segment.remove()
        if not waits and not holding.is_kept:
            self._disk.unlink(holding.folder / _LOCK)
            self._disk.remove_folder(holding.folder)
        holding.lock.close()

    def _make_room(self, size_bytes: int, *, now_s: float) -> bool:
        if now_s >= self._recount_at_s:
            self._others_bytes = self._count_others()
            self._recount_at_s = now_s + _RECOUNT_S
        room_bytes = self._bytes_max - self._others_bytes
        while self.bytes_held + size_bytes > room_bytes:
            holding = next((holding for holding in self._holdings() if any(_sizes(holding))), None)
            if holding is None:
                return False
            holding.segments[0].lose(SPOOL_FULL)
            self._finish_first(holding)
        return True

    def _count_others(self) -> int:
        mine = {holding.folder.name for holding in self._holdings()}
        return sum(
            file.size_bytes
            for name in self._disk.folders(self._folder)
            if name not in mine
            for file in self._disk.files(self._folder / name)
        )


def _sizes(holding: _Holding) -> list[int]:
    return [segment.size_bytes for segment in holding.segments]


def owner_name(*, started_ns: int, pid: int | None = None) -> str:
    """Return a name for a process's folder that no other process has and that sorts by age."""
    return f"{started_ns:016x}-{os.getpid() if pid is None else pid}-{os.urandom(4).hex()}"
