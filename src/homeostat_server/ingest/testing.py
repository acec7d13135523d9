"""Fakes of this room's ports for tests, ours and yours: a disk that fails in every way allowed, a store on top of it.

The disk is as ungenerous as `homeostat_server.ingest.disk` permits. Bytes that are not synced survive a power cut
wholly, partly, as zeros or not at all, each write by itself; names that are not synced may or may not have changed,
each change by itself; what a failed sync was given is never made durable by a later one.
"""

import errno
import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from enum import Enum, auto
from pathlib import Path
from random import Random
from typing import Final

from homeostat_server.exceptions import SegmentRejected, StoreUnavailable
from homeostat_server.ingest.disk import AppendFile, FileEntry
from homeostat_server.ingest.scanning import body_of, scan
from homeostat_server.model.segment import SealedSegment

_PLENTY_BYTES: Final = 1 << 40


class PowerCut(BaseException):
    """End the simulated process on the spot; like the real thing it is no `Exception` that anybody could handle."""


class Fate(Enum):
    """Say what a power cut leaves of what was not synced."""

    LOST = auto()
    KEPT = auto()
    RANDOM = auto()


@dataclass(slots=True)
class _Change:
    """One write (or, with `data` None, truncation) at an offset that is not synced."""

    offset: int
    data: bytes | None
    doomed: bool = False


@dataclass(slots=True)
class _Content:
    """A file apart from its names: what is durable, what every reader sees, and the changes between the two."""

    durable: bytes = b""
    visible: bytes = b""
    changes: list[_Change] = field(default_factory=list)

    def change(self, change: _Change) -> None:
        self.visible = _changed(self.visible, change)
        self.changes.append(change)

    def sync(self) -> None:
        """Make durable what may still become so; a truncation takes doomed bytes behind it along."""
        doomed: list[_Change] = []
        for change in self.changes:
            if change.doomed:
                doomed.append(change)
                continue
            self.durable = _changed(self.durable, change)
            if change.data is None:
                doomed = [each for each in doomed if each.offset < change.offset]
        self.changes = doomed

    def doom(self) -> None:
        for change in self.changes:
            change.doomed = True

    def after_power_cut(self, fate: Fate, random: Random) -> "_Content":
        content = self.durable
        for change in self.changes:
            survivor = _survivor(change, fate, random)
            if survivor is not None:
                content = _changed(content, survivor)
        return _Content(content, content)


def _changed(content: bytes, change: _Change) -> bytes:
    if change.data is None:
        return content[: change.offset]
    gap = bytes(max(0, change.offset - len(content)))
    return content[: change.offset] + gap + change.data + content[change.offset + len(change.data) :]


def _survivor(change: _Change, fate: Fate, random: Random) -> _Change | None:
    """Return what is left of a change after a power cut."""
    if fate is Fate.LOST:
        return None
    if fate is Fate.KEPT or change.data is None:
        return change if fate is Fate.KEPT or random.random() < 0.5 else None
    kept = change.data[: random.randint(0, len(change.data))]
    zeros = bytes(len(change.data) - len(kept))
    return random.choice([None, change, _Change(change.offset, kept), _Change(change.offset, kept + zeros)])


@dataclass(slots=True)
class _Renaming:
    """Names that changed together and are not synced; None means gone."""

    folder: Path
    names: dict[Path, _Content | None]


class SimulatedDisk:
    """Keep files in memory, and apart what of them is durable; implements `Disk`. Not thread-safe.

    Every call that changes something, and every sync, is one operation, counted from 1 in `operations`. Set `cut_at`
    to have that operation end in `PowerCut`, and `fail` for errors. `reads` remembers which files were read.
    """

    def __init__(self) -> None:
        """Begin empty."""
        self.operations = 0
        self.reads: list[Path] = []
        self.cut_at: int | None = None
        self.read_only = False
        self.capacity_bytes = _PLENTY_BYTES
        self._failing: Callable[[int, str], int | None] = lambda _operation, _kind: None
        self._unreadable: dict[Path, int] = {}
        self._folders: set[Path] = set()
        self._names: dict[Path, _Content] = {}
        self._durable_names: dict[Path, _Content] = {}
        self._renamings: list[_Renaming] = []

    def fail(self, failing: Callable[[int, str], int | None]) -> None:
        """Let operations fail: given an operation's count and kind ("write", "sync"…), return an errno or None."""
        self._failing = failing

    def fail_reads(self, path: Path, *, number: int) -> None:
        """Let reading one file fail with this errno."""
        self._unreadable[path] = number

    def after_power_cut(self, fate: Fate, *, seed: int = 0) -> "SimulatedDisk":
        """Return a disk as a power cut now would leave it."""
        random = Random(seed)  # noqa: S311 - has to be the same in every run
        names = dict(self._durable_names)
        for renaming in self._renamings:
            if fate is Fate.KEPT or (fate is Fate.RANDOM and random.random() < 0.5):
                _rename(names, renaming)
        disk = SimulatedDisk()
        disk._folders = set(self._folders)
        disk._names = {path: content.after_power_cut(fate, random) for path, content in _by_name(names)}
        disk._durable_names = dict(disk._names)
        return disk

    def crash_states(self, *, random_states: int, seed: int = 0) -> "Iterator[tuple[str, SimulatedDisk]]":
        """Yield disks as a power cut now could leave them: the least, the most, and some between, with their names."""
        yield "least", self.after_power_cut(Fate.LOST)
        yield "most", self.after_power_cut(Fate.KEPT)
        for number in range(random_states):
            yield f"random {number}", self.after_power_cut(Fate.RANDOM, seed=seed * 1_000 + number)

    def operate(self, kind: str, path: Path, effect: Callable[[], None] = lambda: None) -> None:
        """Count an operation of the process, on the disk or elsewhere; have it fail, or be the last, if it should."""
        self.operations += 1
        if self.cut_at is not None and self.operations > self.cut_at:
            raise PowerCut
        number = self._refusal(kind)
        if number is not None:
            raise OSError(number, os.strerror(number), str(path))
        effect()
        if self.operations == self.cut_at:
            raise PowerCut

    def _refusal(self, kind: str) -> int | None:
        if self.read_only and kind not in {"sync", "sync_folder"}:
            return errno.EROFS
        return self._failing(self.operations, kind)

    def make_folder(self, folder: Path) -> None:
        """Make a folder and its parents, durably."""
        missing = {each for each in (folder, *folder.parents) if each not in self._folders}
        if missing:
            self.operate("make_folder", folder, lambda: self._folders.update(missing))

    def create(self, path: Path) -> AppendFile:
        """Make a new empty file."""
        if path in self._names:
            raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), str(path))
        content = _Content()
        self.operate("create", path, lambda: self._set_names(path.parent, {path: content}))
        return _SimulatedFile(self, path, content)

    def open_append(self, path: Path) -> AppendFile:
        """Open a file to write at its end."""
        if self.read_only:
            raise OSError(errno.EROFS, os.strerror(errno.EROFS), str(path))
        return _SimulatedFile(self, path, self._find(path))

    def read(self, path: Path) -> bytes:
        """Return what every reader sees, synced or not."""
        content = self._find(path)
        if path in self._unreadable:
            number = self._unreadable[path]
            raise OSError(number, os.strerror(number), str(path))
        self.reads.append(path)
        return content.visible

    def refresh(self, path: Path) -> None:
        """Make the whole content durable, unless the power is cut at just this operation."""
        content = self._find(path)
        self.operate("refresh", path)
        content.durable, content.changes = content.visible, []

    def list_files(self, folder: Path) -> list[FileEntry]:
        """Return the files in a folder, sorted by name."""
        if folder not in self._folders:
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), str(folder))
        return [
            FileEntry(path.name, len(content.visible))
            for path, content in _by_name(self._names)
            if path.parent == folder
        ]

    def rename(self, old: Path, new: Path) -> None:
        """Give a file a new name in the same folder."""
        content = self._find(old)
        self.operate("rename", old, lambda: self._set_names(old.parent, {old: None, new: content}))

    def unlink(self, path: Path) -> None:
        """Remove a name."""
        self._find(path)
        self.operate("unlink", path, lambda: self._set_names(path.parent, {path: None}))

    def sync_folder(self, folder: Path) -> None:
        """Make the names in a folder durable, unless the power is cut at just this operation."""
        self.operate("sync_folder", folder)
        for renaming in self._renamings:
            if renaming.folder == folder:
                _rename(self._durable_names, renaming)
        self._renamings = [renaming for renaming in self._renamings if renaming.folder != folder]

    def free_bytes(self, folder: Path) -> int:
        """Return the capacity less what is used."""
        del folder
        return self.capacity_bytes - sum(len(content.visible) for content in self._names.values())

    def overwrite(self, path: Path, data: bytes) -> None:
        """Replace a file's content durably, as a fault of the medium does."""
        content = self._find(path)
        content.durable = content.visible = data

    def _find(self, path: Path) -> _Content:
        if path not in self._names:
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), str(path))
        return self._names[path]

    def _set_names(self, folder: Path, names: dict[Path, _Content | None]) -> None:
        renaming = _Renaming(folder, names)
        _rename(self._names, renaming)
        self._renamings.append(renaming)


def _by_name(names: dict[Path, _Content]) -> list[tuple[Path, _Content]]:
    return sorted(names.items(), key=lambda item: item[0])


def _rename(names: dict[Path, _Content], renaming: _Renaming) -> None:
    for path, content in renaming.names.items():
        if content is None:
            names.pop(path, None)
        else:
            names[path] = content


class _SimulatedFile:
    """Append to a simulated file."""

    def __init__(self, disk: SimulatedDisk, path: Path, content: _Content) -> None:
        self._disk = disk
        self._path = path
        self._content = content

    def write(self, buffers: Sequence[bytes]) -> None:
        """Write all that fits; a write that fails has written the first half."""
        data = b"".join(buffers)
        fitting = data[: max(0, self._disk.free_bytes(self._path.parent))]
        try:
            self._disk.operate("write", self._path, lambda: self._put(fitting))
        except OSError:
            self._put(data[: len(data) // 2])
            raise
        if len(fitting) < len(data):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(self._path))

    def _put(self, data: bytes) -> None:
        self._content.change(_Change(len(self._content.visible), data))

    def sync(self) -> None:
        """Make the content durable, unless the power is cut at just this operation; failing, doom what was not."""
        try:
            self._disk.operate("sync", self._path)
        except OSError:
            self._content.doom()
            raise
        self._content.sync()

    def truncate(self, size_bytes: int) -> None:
        self._disk.operate("truncate", self._path, lambda: self._content.change(_Change(size_bytes, None)))

    def close(self) -> None:
        """Do nothing: what is not synced stays so."""


@dataclass(frozen=True, slots=True)
class Row:
    """Hold one stored request."""

    number: int
    tenant: str
    body: bytes


class SimulatedStore:
    """Store the requests of segments as the engine does; implements `homeostat_server.ingest.committer.SegmentSink`.

    Rows are durable at once, in two halves: an insert that is interrupted leaves some. Each insert is three operations
    of the disk, so that a cut or an error can come before it, in its middle, and between its end and the answer.
    """

    def __init__(self, disk: SimulatedDisk, *, rows: Sequence[Row] = ()) -> None:
        """Begin with the given rows."""
        self.rows = list(rows)
        self.refuses: Callable[[bytes], bool] = lambda _body: False
        self.inserts = 0
        self._disk = disk

    def insert_segment(self, segment: SealedSegment) -> None:
        """Store a segment's requests, taking back before what an interrupted attempt left if it is a replay."""
        self.inserts += 1
        new = self._decoded(segment)
        if any(self.refuses(row.body) for row in new):
            raise SegmentRejected("insert the segment", value=segment.number)
        if segment.replay:
            self.rows = [row for row in self.rows if row.number != segment.number]
        middle = len(new) // 2
        try:
            self._disk.operate("insert", segment.path)
            self._disk.operate("insert", segment.path, lambda: self.rows.extend(new[:middle]))
            self._disk.operate("insert", segment.path, lambda: self.rows.extend(new[middle:]))
        except OSError as error:
            raise StoreUnavailable("insert the segment", value=segment.number) from error

    def _decoded(self, segment: SealedSegment) -> list[Row]:
        """Return what the file says, which has to be what the segment says."""
        data = self._disk.read(segment.path)
        found = scan(data)
        if not found.clean or len(found.records) != segment.records or len(data) != segment.size_bytes:
            raise AssertionError(f"segment {segment.number} is not what it says it is")
        return [Row(segment.number, record.tenant, body_of(data, record)) for record in found.records]
