"""How a segment ends: released once its rows are stored, or split in two. It does not know who decides that.

Both have one moment from which they count, the durable entry in the recent log; what comes before can be forgotten and
what comes after can be done again.
"""

import contextlib
import errno
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from homeostat_server.ingest.disk import write_whole
from homeostat_server.ingest.duplicates import Duplicates
from homeostat_server.ingest.place import Place
from homeostat_server.ingest.recent_log import RecentLog
from homeostat_server.ingest.scanning import Record
from homeostat_server.ingest.segment import SegmentNumbers, segment_name, unfinished_name
from homeostat_server.model.segment import SealedSegment

_NO_SPACE: Final = frozenset({errno.ENOSPC, errno.EDQUOT})


@dataclass(slots=True)
class _Split:
    """Remember how far a split has come, so that a second attempt goes on with the same two segments."""

    halves: tuple[SealedSegment, SealedSegment]
    logged: bool = False


class Releases:
    """End segments of one spool's folder, one at a time."""

    def __init__(self, place: Place, *, log: RecentLog, numbers: SegmentNumbers, duplicates: Duplicates) -> None:
        """Begin with no split under way."""
        self._folder = place.folder
        self._disk = place.disk
        self._log = log
        self._numbers = numbers
        self._duplicates = duplicates
        self._durable_floor = 0
        self._splits: dict[int, _Split] = {}

    def rewrite_log(self) -> None:
        """Replace the log by what is still of use."""
        floor = self._numbers.newest()
        self._log.rewrite(floor=floor, acknowledged=self._duplicates.all())
        self._durable_floor = floor

    def release(self, number: int, *, newest_held: int) -> None:
        """Make it durable that a segment is done with, then remove its file.

        On a full disk the log cannot grow, and nothing would ever be freed. So a segment goes without an entry when
        the entry would say nothing: no digest of it is within the window any more, and its number is not the highest
        (another segment that is `newest_held` on disk, or the log, vouches for a higher one).

        Raises:
            OSError: it is not done; trying again later is safe.
        """
        acknowledged = self._duplicates.of_segment(number)
        try:
            self._log_released(number, successors=())
        except OSError as error:
            needed = acknowledged or number >= max(self._durable_floor, newest_held)
            if needed or error.errno not in _NO_SPACE:
                raise
        self._unlink(self._folder / segment_name(number))

    def split(self, segment: SealedSegment, data: bytes, *, records: tuple[Record, ...]) -> list[SealedSegment]:
        """Replace a segment of several records by two new ones with half of them each.

        Raises:
            OSError: it is not done; trying again later goes on where it stopped.
        """
        split = self._splits.get(segment.number)
        if split is None:
            split = self._splits[segment.number] = _Split(self._write_halves(segment, data, records))
        if not split.logged:
            self._log_released(segment.number, successors=tuple(half.number for half in split.halves))
            split.logged = True
        for half in split.halves:
            with contextlib.suppress(FileNotFoundError):  # renamed by an earlier attempt
                self._disk.rename(self._folder / unfinished_name(half.number), half.path)
        self._unlink(segment.path)
        del self._splits[segment.number]
        return list(split.halves)

    def _write_halves(
        self, segment: SealedSegment, data: bytes, records: tuple[Record, ...]
    ) -> tuple[SealedSegment, SealedSegment]:
        middle = len(records) // 2
        with contextlib.ExitStack() as undo:
            halves = [self._write_half(segment, data, half, undo) for half in (records[:middle], records[middle:])]
            self._disk.sync_folder(self._folder)
            undo.pop_all()
        return halves[0], halves[1]

    def _write_half(
        self, segment: SealedSegment, data: bytes, records: tuple[Record, ...], undo: contextlib.ExitStack
    ) -> SealedSegment:
        number = self._numbers.next()
        unfinished = self._folder / unfinished_name(number)
        undo.callback(self._discard, unfinished)
        write_whole(self._disk, unfinished, [data[record.start : record.end] for record in records])
        return replace(
            segment,
            number=number,
            path=self._folder / segment_name(number),
            records=len(records),
            size_bytes=sum(record.end - record.start for record in records),
            tenants=frozenset(record.tenant for record in records),
            replay=False,
        )

    def _log_released(self, number: int, *, successors: tuple[int, ...]) -> None:
        if self._log.wants_rewrite:
            self.rewrite_log()
        acknowledged = self._duplicates.of_segment(number)
        self._log.append_released(number, successors=successors, acknowledged=acknowledged)
        self._durable_floor = max(self._durable_floor, number, *successors)

    def _unlink(self, path: Path) -> None:
        with contextlib.suppress(FileNotFoundError):  # unlinked by an earlier attempt
            self._disk.unlink(path)

    def _discard(self, path: Path) -> None:
        with contextlib.suppress(OSError):  # a file that the log does not name is deleted at the next start anyway
            self._disk.unlink(path)
