"""A segment: one file of records, written at its end and read from its beginning. It knows no other file.

Records are done in their order. Whatever of a file does not read as a record is its torn end and is cut off when the
file is opened; a record whose checksum is wrong is passed over, alone.
"""

import contextlib
from collections.abc import Callable
from pathlib import Path

from homeostat.buffer.disk import Disk, OpenFile
from homeostat.buffer.records import DONE, HEAD_BYTES, STATE_OFFSET, Head, Record, head_of, heads, written

OnLoss = Callable[[str, int, str], None]
"""What hears of a loss: signal, items, reason."""


class Segment:
    """Hold one file. Not thread-safe.

    Args:
        path: where it is; made when there is none.
        disk: what files are on.
        on_loss: what hears of records that cannot be read.
    """

    def __init__(self, path: Path, *, disk: Disk, on_loss: OnLoss, size_bytes: int = 0) -> None:
        """Take an existing file of a size, which is not opened yet, or a new one."""
        self.path: Path = path
        self._disk = disk
        self._on_loss = on_loss
        self._file: OpenFile | None = None
        self._offset = 0  # of the first record that is not done
        self.size_bytes: int = size_bytes
        self._items: dict[str, int] = {}  # that wait, once the file was scanned
        self._scanned = not size_bytes
        self._record: Record | None = None  # that was read last, until it is done

    @property
    def is_empty(self) -> bool:
        """Say whether nothing waits in it."""
        self._scan()
        return self._offset >= self.size_bytes

    def append(self, record: Record) -> None:
        """Write a record at the end.

        Raises:
            OSError: the disk does not take it; what it took of it is cut off again.
        """
        self._scan()
        content = written(record)
        file = self._opened()
        try:
            file.append(content, offset=self.size_bytes)
        except OSError:
            with contextlib.suppress(OSError):  # or the next record is written over it
                file.truncate(self.size_bytes)
            raise
        self.size_bytes += len(content)
        self._items[record.signal] = self._items.get(record.signal, 0) + record.items

    def first(self) -> Record | None:
        """Return the oldest record that is not done; one that was damaged is passed over.

        Raises:
            OSError: the disk does not give it.
        """
        if self._record is not None:
            return self._record
        self._scan()
        while self._offset < self.size_bytes:
            head = self._head()
            if head is None:  # the disk changed what was there; nothing behind it can be found either
                self._lose_rest("damaged")
                return None
            body = self._opened().read(self._offset + HEAD_BYTES, head.body_bytes)
            if not head.done and head.fits(body):
                self._record = Record(head.signal, head.items, body)
                return self._record
            if not head.done:
                self._on_loss(head.signal, head.items, "damaged")
                self._items[head.signal] -= head.items
            self._offset += head.size_bytes
        return None

    def done(self) -> None:
        """Go on from the record that `first` gave to the next, and mark it.

        Raises:
            OSError: the disk does not take the mark, so that a later process will find the record again.
        """
        record, self._record = self._record, None
        assert record is not None  # `first` gave it
        offset = self._offset
        self._items[record.signal] -= record.items
        self._offset += HEAD_BYTES + len(record.body)
        self._opened().overwrite(offset + STATE_OFFSET, DONE)

    def lose(self, reason: str) -> None:
        """Give up what waits, as far as it is known; the file stays as it is."""
        with contextlib.suppress(OSError):
            self._scan()
        self._lose_rest(reason)

    def reset(self) -> None:
        """Empty the file; only when nothing waits in it."""
        self._offset = self.size_bytes = 0
        self._opened().truncate(0)

    def sync(self) -> None:
        """Make what was written survive a power cut."""
        if self._file is not None:
            self._file.sync()

    def close(self) -> None:
        """Let the file go; it is opened again when it is needed."""
        if self._file is not None:
            self._file.close()
            self._file = None

    def remove(self) -> None:
        """Remove the file."""
        self.close()
        self._disk.unlink(self.path)

    def _opened(self) -> OpenFile:
        if self._file is None:
            self._file = self._disk.open(self.path)
        return self._file

    def _head(self) -> Head | None:
        return head_of(self._opened().read(self._offset, HEAD_BYTES))

    def _scan(self) -> None:
        """Look through a file that an earlier process wrote: what waits, where to begin, where it was torn."""
        if self._scanned:
            return
        content = self._opened().read(0, self.size_bytes)
        end = 0
        begin: int | None = None
        for offset, head in heads(content):
            end = offset + head.size_bytes
            if not head.done:
                begin = offset if begin is None else begin
                self._items[head.signal] = self._items.get(head.signal, 0) + head.items
        if end < self.size_bytes:
            self._opened().truncate(end)
        self.size_bytes = end
        self._offset = end if begin is None else begin
        self._scanned = True

    def _lose_rest(self, reason: str) -> None:
        for signal, items in self._items.items():
            if items:
                self._on_loss(signal, items, reason)
        self._items.clear()
        self._record = None
        self._offset = self.size_bytes
