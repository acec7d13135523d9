"""What an earlier run left behind: finding it at start, and trusting it before it is handed out. It writes no new data.

A retry is answered because of what is found, so that is made durable first: after a kill the files hold bytes that
never reached the disk, and after a failed sync and a kill they hold bytes that no later sync would bring there.
"""

import contextlib
import errno
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from homeostat_server.ingest.disk import Disk, write_whole
from homeostat_server.ingest.duplicates import Acknowledged
from homeostat_server.ingest.place import Place
from homeostat_server.ingest.quarantine import Quarantine
from homeostat_server.ingest.recent_log import Recent, RecentLog
from homeostat_server.ingest.scanning import Scan, scan
from homeostat_server.ingest.segment import parse_name, segment_name, unfinished_name
from homeostat_server.model.segment import SealedSegment, received_ns

_UNREADABLE_SUFFIX: Final = ".unreadable"
_NANOSECONDS_PER_SECOND: Final = 1_000_000_000


@dataclass(frozen=True, slots=True)
class LeftOver:
    """Name a segment file of an earlier run that was not looked into yet."""

    number: int
    path: Path
    size_bytes: int


@dataclass(frozen=True, slots=True)
class Found:
    """Hold what an earlier run left: segments oldest first, what was acknowledged lately, the highest number used."""

    left_overs: tuple[LeftOver, ...]
    acknowledged: tuple[Acknowledged, ...]
    floor: int


def find_left_overs(place: Place, *, log: RecentLog, window_s: float) -> Found:
    """Finish what a crash interrupted, make what is left durable, and say what it is.

    Only segments begun in the last `window_s` are read here; a long backlog does not delay the start.
    """
    folder, disk, now_ns = place.folder, place.disk, place.clock.now_ns()
    recent = log.load()
    left_overs = []
    for number, name, size_bytes in _tidied(folder, disk=disk, recent=recent):
        path = folder / segment_name(number)
        if name != path.name:
            disk.rename(folder / name, path)
        left_overs.append(LeftOver(number, path, size_bytes))
    disk.sync_folder(folder)
    fresh = _fresh(left_overs, oldest_ns=now_ns - round(window_s * _NANOSECONDS_PER_SECOND), now_ns=now_ns)
    for left_over in fresh:
        disk.refresh(left_over.path)
    return Found(
        tuple(left_overs),
        recent.acknowledged + tuple(_acknowledged(fresh, disk=disk, now_ns=now_ns)),
        max([recent.floor, *(left_over.number for left_over in left_overs)]),
    )


def _tidied(folder: Path, *, disk: Disk, recent: Recent) -> list[tuple[int, str, int]]:
    """Delete the segment files that do not count, return the others' numbers, names and sizes, oldest first.

    An unfinished file counts when its number took the place of a released segment, and no finished one is there: beside
    a finished one it is an interrupted rewrite.
    """
    files = [(name, file) for file in disk.list_files(folder) if (name := parse_name(file.name)) is not None]
    finished = {number for (number, is_finished), _ in files if is_finished}
    kept = []
    for (number, is_finished), file in files:
        counts = is_finished or (number in recent.successors and number not in finished)
        if counts and file.size_bytes and number not in recent.released:
            kept.append((number, file.name, file.size_bytes))
        else:
            disk.unlink(folder / file.name)
    return sorted(kept)


def _fresh(left_overs: list[LeftOver], *, oldest_ns: int, now_ns: int) -> list[LeftOver]:
    """Return the segments begun in the window, and the newest, however old.

    A number from the future says that the wall clock went back, and then no number says what is old.
    """
    if not left_overs or received_ns(left_overs[-1].number) > now_ns:
        return left_overs
    *older, newest = left_overs
    return [*(each for each in older if received_ns(each.number) >= oldest_ns), newest]


def _acknowledged(left_overs: Iterable[LeftOver], *, disk: Disk, now_ns: int) -> Iterable[Acknowledged]:
    """Yield the digests of segments as if acknowledged now: when is not known, and rather too long than too short."""
    for left_over in left_overs:
        with contextlib.suppress(OSError):  # one that cannot be read is dealt with when its turn comes
            for record in scan(disk.read(left_over.path)).records:
                yield Acknowledged(record.digest, left_over.number, now_ns)


class LeftOverCheck:
    """Turn left-overs into sealed segments that hold nothing but verified records."""

    def __init__(self, place: Place, *, quarantine: Quarantine) -> None:
        """Check the segments of one spool's folder."""
        self._place = place
        self._folder = place.folder
        self._disk = place.disk
        self._quarantine = quarantine

    def seal(self, left_over: LeftOver) -> SealedSegment | None:
        """Return the segment once its torn tail is cut off and what is damaged is in quarantine.

        None when no record is left: the file is then empty of value and may be released. The number stays the same,
        because rows of it may be in the store.

        Raises:
            OSError: the disk would not let it be mended; trying again later changes nothing of the outcome.
        """
        try:
            data = self._disk.read(left_over.path)
        except FileNotFoundError:
            return None  # an earlier attempt came as far as taking it out of the way
        except OSError as error:
            if error.errno != errno.EIO:
                raise
            self._leave_unreadable(left_over, error)
            return None
        found = scan(data)
        if found.damage:
            self._rewrite(left_over, data, found)
        elif found.torn_bytes:
            self._cut(left_over, found)
        return self._sealed(left_over, found) if found.records else None

    def _sealed(self, left_over: LeftOver, found: Scan) -> SealedSegment:
        return SealedSegment(
            signal=self._place.signal,
            number=left_over.number,
            path=left_over.path,
            records=len(found.records),
            size_bytes=sum(record.end - record.start for record in found.records),
            tenants=found.tenants,
            replay=True,
            acknowledged_ns=received_ns(left_over.number),
        )

    def _cut(self, left_over: LeftOver, found: Scan) -> None:
        with contextlib.closing(self._disk.open_append(left_over.path)) as file:
            file.truncate(found.sound_bytes)
            file.sync()
        self._place.observer.torn(size_bytes=found.torn_bytes)

    def _rewrite(self, left_over: LeftOver, data: bytes, found: Scan) -> None:
        """Put what is damaged in quarantine, then replace the file by its verified records."""
        for damage in found.damage:
            self._quarantine.set_aside(
                data[damage.start : damage.end],
                number=left_over.number,
                offset=damage.start,
                kind="corrupt",
                reason=f"{left_over.path} at byte {damage.start}: {damage.reason}",
            )
        unfinished = self._folder / unfinished_name(left_over.number)
        write_whole(self._disk, unfinished, [data[record.start : record.end] for record in found.records])
        self._disk.rename(unfinished, left_over.path)
        self._disk.sync_folder(self._folder)
        if found.torn_bytes:
            self._place.observer.torn(size_bytes=found.torn_bytes)

    def _leave_unreadable(self, left_over: LeftOver, error: OSError) -> None:
        """Take a file that the disk cannot read out of the way under another name, and say so."""
        aside = left_over.path.with_suffix(_UNREADABLE_SUFFIX)
        self._quarantine.note_unreadable(
            aside, number=left_over.number, size_bytes=left_over.size_bytes, reason=str(error)
        )
        self._disk.rename(left_over.path, aside)
        self._disk.sync_folder(self._folder)
