"""Which file the next records go to, and when that file is done. It knows the disk and no one who waits.

Invariant: nothing becomes durable anywhere while a file with a tail that cannot be trusted is not cut back. Otherwise
a power cut could bring a failed record back beside its second attempt.
"""

import contextlib
from collections.abc import Callable, Sequence

from homeostat_server.ingest.open_segment import OpenSegment
from homeostat_server.ingest.pending import PendingRecord
from homeostat_server.ingest.place import Place, SpoolLimits
from homeostat_server.ingest.probing import check_space
from homeostat_server.ingest.segment import SegmentNumbers
from homeostat_server.model.segment import SealedSegment


class SegmentWriter:
    """Write groups of records to one segment after another and report each that is sealed. Not thread-safe."""

    def __init__(
        self,
        place: Place,
        *,
        numbers: SegmentNumbers,
        limits: SpoolLimits,
        on_sealed: Callable[[SealedSegment], None],
    ) -> None:
        """Begin with no file."""
        self._place = place
        self._numbers = numbers
        self._limits = limits
        self._on_sealed = on_sealed
        self._open: OpenSegment | None = None
        self._opened_s = 0.0
        self._distrusted: OpenSegment | None = None

    @property
    def open_number(self) -> int | None:
        """Return the number of the segment that is being written, if there is one."""
        segment = self._open
        return None if segment is None else segment.number

    @property
    def open_bytes(self) -> int:
        """Return how much of that segment is durable."""
        segment = self._open  # looked at once: `depth` asks from another thread
        return 0 if segment is None else segment.durable_bytes

    @property
    def room_bytes(self) -> int:
        """Return how much still goes into that segment, or into a new one."""
        return self._limits.segment_bytes_max - self.open_bytes

    def write(self, records: Sequence[PendingRecord]) -> int:
        """Make records durable in one segment and return its number.

        Raises:
            OSError: none of them is durable, nor ever will be by this attempt.
        """
        self.mend()
        size_bytes = sum(record.size_bytes for record in records)
        check_space(self._place, size_bytes=size_bytes, free_bytes_min=self._limits.free_bytes_min)
        now_s = self._place.clock.monotonic_s()
        if now_s - self._opened_s >= self._limits.segment_age_s_max:
            self.seal()
        if self._open is None:
            self._opened_s = now_s
            self._open = OpenSegment(self._place, number=self._numbers.next())
        segment = self._open
        try:
            segment.append(records, now_ns=self._place.clock.now_ns())
        except OSError:
            self._open, self._distrusted = None, segment
            with contextlib.suppress(OSError):  # tried again before the next write
                self.mend()
            raise
        return segment.number

    def seal(self) -> None:
        """Finish the segment that is being written, if there is one."""
        if self._open is not None:
            segment, self._open = self._open, None
            self._on_sealed(segment.seal())

    def mend(self) -> None:
        """Cut back the file that a write failed on, if there is one, and seal what was acknowledged of it.

        Raises:
            OSError: not possible yet.
        """
        if self._distrusted is not None:
            self._distrusted.cut_back()
            segment, self._distrusted = self._distrusted, None
            if segment.durable_bytes:
                self._on_sealed(segment.seal())
