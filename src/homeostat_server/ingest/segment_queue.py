"""The segments that wait for the store, from left-over to released. It knows nothing of who appends.

Order: what an earlier run left comes first, then the oldest. A segment that was taken is the taker's until it is
released, split, quarantined or put back; there is one taker. Every `OSError` of the disk leaves as `SpoolUnavailable`,
after which the same call can be made again.
"""

import threading
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from homeostat_server.ingest.budget import SpoolBudget
from homeostat_server.ingest.disk_failures import spool_unavailable
from homeostat_server.ingest.duplicates import Duplicates
from homeostat_server.ingest.place import Place, SpoolLimits
from homeostat_server.ingest.quarantine import Quarantine
from homeostat_server.ingest.recent_log import RecentLog
from homeostat_server.ingest.recovery import Found, LeftOver, LeftOverCheck, find_left_overs
from homeostat_server.ingest.releasing import Releases
from homeostat_server.ingest.scanning import scan
from homeostat_server.ingest.segment import SegmentNumbers
from homeostat_server.model.segment import SealedSegment


class SegmentQueue:
    """Hold the segments of one spool. Thread-safe."""

    def __init__(
        self,
        place: Place,
        *,
        numbers: SegmentNumbers,
        duplicates: Duplicates,
        budget: SpoolBudget,
        limits: SpoolLimits,
    ) -> None:
        """Begin with none; `recover` finds those of an earlier run."""
        self._place = place
        self._budget = budget
        self._limits = limits
        self._quarantine = Quarantine(place, size_bytes_max=limits.quarantine_bytes_max)
        self._check = LeftOverCheck(place, quarantine=self._quarantine)
        self._log = RecentLog(place.disk, place.folder)
        self._releases = Releases(place, log=self._log, numbers=numbers, duplicates=duplicates)
        self._lock = threading.Lock()
        self._left_overs: deque[LeftOver] = deque()
        self._sealed: deque[SealedSegment] = deque()
        self._held_bytes: dict[int, int] = {}

    def recover(self) -> Found:
        """Queue what an earlier run left.

        Raises:
            OSError: the folders cannot be used.
        """
        self._place.disk.make_folder(self._place.folder)
        self._place.disk.make_folder(self._place.quarantine_folder)
        window_s = self._limits.duplicates_window_s + self._limits.segment_age_s_max
        found = find_left_overs(self._place, log=self._log, window_s=window_s)
        self._left_overs.extend(found.left_overs)
        for left_over in found.left_overs:
            self._held_bytes[left_over.number] = left_over.size_bytes
            self._budget.occupy(left_over.size_bytes)
        return found

    def try_rewrite_log(self) -> None:
        """Begin a new log; on a full disk that waits for the next release."""
        with suppress(OSError):
            self._releases.rewrite_log()

    def put(self, segment: SealedSegment) -> None:
        """Queue a segment that was just sealed; its bytes count in the budget already."""
        with self._lock:
            self._sealed.append(segment)
            self._held_bytes[segment.number] = segment.size_bytes

    def is_empty(self) -> bool:
        """Say whether `take` would find nothing."""
        return not (self._left_overs or self._sealed)

    def held(self) -> dict[int, int]:
        """Return the sizes of all segments that are not released, by number."""
        with self._lock:
            return dict(self._held_bytes)

    def take(self) -> SealedSegment | None:
        """Return the oldest segment, None when there is none."""
        while self._left_overs:
            segment = self._take_left_over(self._left_overs[0])
            self._left_overs.popleft()
            if segment is not None:
                return segment
        with self._lock:
            return self._sealed.popleft() if self._sealed else None

    def _take_left_over(self, left_over: LeftOver) -> SealedSegment | None:
        with self._failing_as("read a left-over segment"):
            segment = self._check.seal(left_over)
            if segment is None:
                self._release(left_over.number)
                return None
        with self._lock:
            self._budget.give_back(self._held_bytes[segment.number] - segment.size_bytes)
            self._held_bytes[segment.number] = segment.size_bytes
        return segment

    def release(self, segment: SealedSegment) -> None:
        """Forget a segment whose rows are stored: its digests go to the recent log, its file goes."""
        with self._failing_as("release a segment"):
            self._release(segment.number)

    def quarantine(self, segment: SealedSegment, *, reason: str) -> None:
        """Set a whole segment aside and release it."""
        with self._failing_as("put a segment in quarantine"):
            data = self._place.disk.read(segment.path)
            self._quarantine.set_aside(data, number=segment.number, offset=0, kind="rejected", reason=reason)
            self._release(segment.number)

    def split(self, segment: SealedSegment) -> None:
        """Replace a segment by two with half of its records each, which are taken next.

        A segment that turns out to be damaged is queued as a left-over instead, to be mended when it is taken.
        """
        with self._failing_as("split a segment"):
            data = self._place.disk.read(segment.path)
            found = scan(data)
            if not found.clean:
                self._left_overs.appendleft(LeftOver(segment.number, segment.path, segment.size_bytes))
                return
            halves = self._releases.split(segment, data, records=found.records)
        with self._lock:
            del self._held_bytes[segment.number]
            self._sealed.extendleft(reversed(halves))
            self._held_bytes.update((half.number, half.size_bytes) for half in halves)

    def _release(self, number: int) -> None:
        self._releases.release(number, newest_held=max(self.held()))
        with self._lock:
            self._budget.give_back(self._held_bytes.pop(number))

    @contextmanager
    def _failing_as(self, attempted: str) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise spool_unavailable(error, attempted=attempted, folder=self._place.folder) from error
