"""The segment that is being written. It knows one file and how far that file can be trusted.

Invariant: the first `durable_bytes` are synced, and nothing behind them was ever acknowledged. After a failed write or
sync the file is cut back to them, synced, and not written to again: its tail cannot be trusted any more.
"""

import contextlib
from collections.abc import Sequence

from homeostat_server.ingest.pending import PendingRecord
from homeostat_server.ingest.place import Place
from homeostat_server.ingest.segment import segment_name
from homeostat_server.model.segment import SealedSegment


class OpenSegment:
    """Append groups of records to one new file, each group durable before `append` returns."""

    def __init__(self, place: Place, *, number: int) -> None:
        """Create the file."""
        self.number = number
        self.durable_bytes = 0
        self._disk = place.disk
        self._folder = place.folder
        self._path = place.folder / segment_name(number)
        self._signal = place.signal
        self._records = 0
        self._tenants: set[str] = set()
        self._acknowledged_ns = 0
        self._file = self._disk.create(self._path)

    def append(self, records: Sequence[PendingRecord], *, now_ns: int) -> None:
        """Make records durable, all of them.

        Raises:
            OSError: none of them is; `cut_back` before anything else becomes durable in another file, or a power cut
                could bring them back beside their second attempt.
        """
        self._file.write([buffer for record in records for buffer in record.buffers()])
        self._file.sync()
        if not self.durable_bytes:
            self._disk.sync_folder(self._folder)
        self.durable_bytes += sum(record.size_bytes for record in records)
        self._records += len(records)
        self._tenants.update(record.tenant for record in records)
        self._acknowledged_ns = now_ns

    def cut_back(self) -> None:
        """Cut off, durably, what was written but never acknowledged; remove a file of which nothing is left."""
        self._file.truncate(self.durable_bytes)
        self._file.sync()
        if not self.durable_bytes:
            with contextlib.suppress(FileNotFoundError):
                self._disk.unlink(self._path)
            self._file.close()

    def seal(self) -> SealedSegment:
        """Close the file and describe it."""
        with contextlib.suppress(OSError):  # all that counts is synced, a complaint about the rest changes nothing
            self._file.close()
        return SealedSegment(
            signal=self._signal,
            number=self.number,
            path=self._path,
            records=self._records,
            size_bytes=self.durable_bytes,
            tenants=frozenset(self._tenants),
            acknowledged_ns=self._acknowledged_ns,
        )
