"""From sealed segments to rows, one signal, one segment at a time. It knows a sink that takes segments, and no engine.

Invariant: a segment is released only after the sink said that its rows are stored, and an attempt of which the outcome
is not known is followed by a replay, which takes back what it may have left. It gives up on nothing: what the sink
cannot take now is tried for ever, and what it can never take ends, record by record, in quarantine.
"""

import threading
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Final, Protocol

from homeostat_server.exceptions import SegmentRejected
from homeostat_server.ingest.observer import IngestObserver, SilentObserver
from homeostat_server.ingest.spool import Spool
from homeostat_server.model.segment import SealedSegment
from homeostat_server.runtime.clock import Clock

_TAKE_TIMEOUT_S: Final = 0.5  # how long a quiet loop does not look whether it should stop
_BACKOFF_FIRST_S: Final = 0.1
_BACKOFF_MAX_S: Final = 10.0  # a store that is back is noticed after this long at the latest
_NANOSECONDS_PER_SECOND: Final = 1_000_000_000


class SegmentSink(Protocol):
    """Turn segments into rows."""

    def insert_segment(self, segment: SealedSegment) -> None:
        """Store every item of a segment durably before returning, with the segment's number in each row.

        A segment with `replay` may have rows already, from an attempt that was interrupted: they are taken back first,
        so that however often it is given, each of its items is stored once.

        Raises:
            StoreUnavailable: not now; rows may be left behind.
            SegmentRejected: this content can never be stored; no row of it is left behind.
        """
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Lag:
    """Say how far rows are behind acknowledgements.

    Attributes:
        newest_acknowledged_ns: when a request was last acknowledged (wall clock), 0 when none was in this run.
        newest_committed_ns: when the newest request that is stored was acknowledged, 0 when none is from this run.
        behind_s: how old the oldest segment is that is not stored. This is what an alarm looks at: the difference of
            the two times would shout after a quiet night, at the first request of the morning.
    """

    newest_acknowledged_ns: int
    newest_committed_ns: int
    behind_s: float


class Committer:
    """Move the segments of one spool into a sink. Use one per spool: `start` and `stop`, or `step` by hand."""

    def __init__(
        self,
        spool: Spool,
        *,
        sink: SegmentSink,
        clock: Clock,
        jitter: Callable[[], float],
        observer: IngestObserver | None = None,
    ) -> None:
        """Begin idle; `jitter` gives numbers from 0 to 1, which keep three committers from retrying in step."""
        self._spool = spool
        self._sink = sink
        self._clock = clock
        self._jitter = jitter
        self._observer = observer or SilentObserver()
        self._end: Callable[[], None] | None = None
        self._segment: SealedSegment | None = None
        self._failures = 0
        self._retry_at_s = 0.0
        self._newest_committed_ns = 0
        self._stopping = threading.Event()
        self._stop_at_s = 0.0
        self._thread: threading.Thread | None = None

    def lag(self) -> Lag:
        """Return how far rows are behind acknowledgements."""
        return Lag(
            newest_acknowledged_ns=self._spool.newest_acknowledged_ns,
            newest_committed_ns=self._newest_committed_ns,
            behind_s=self._spool.depth().oldest_age_s,
        )

    def step(self, timeout_s: float = 0.0) -> bool:
        """Bring one segment one step further; say whether that was possible.

        False means that there was nothing to do for `timeout_s`, or that the last attempt failed and its time to retry
        has not come.
        """
        if self._clock.monotonic_s() < self._retry_at_s:
            return False
        try:
            return self._advance(timeout_s)
        except Exception as error:  # a border: whatever the sink or the disk does not say, the segment is not given up
            self._postpone(error)
            return False

    def _advance(self, timeout_s: float) -> bool:
        if self._segment is None:
            self._segment = self._spool.take(timeout_s)
        if self._segment is None:
            return False
        if self._end is None:
            self._end = self._insert(self._segment)
        self._end()
        self._segment = self._end = None
        self._failures = 0
        return True

    def _insert(self, segment: SealedSegment) -> Callable[[], None]:
        """Try to store a segment; return what has to be done with it in the spool then, until that has worked."""
        started_s = self._clock.monotonic_s()
        # Whatever comes of this attempt if it fails, the next one has to take back what it left.
        self._segment = replace(segment, replay=True)
        try:
            self._sink.insert_segment(segment)
        except SegmentRejected as error:
            return self._after_rejection(segment, str(error))
        self._newest_committed_ns = max(self._newest_committed_ns, segment.acknowledged_ns)
        self._observer.committed(segment, seconds=self._clock.monotonic_s() - started_s)
        return lambda: self._spool.release(segment)

    def _after_rejection(self, segment: SealedSegment, reason: str) -> Callable[[], None]:
        """Halve until the bad record is alone: among a thousand neighbours that takes some twenty inserts."""
        if segment.records > 1:
            return lambda: self._spool.split(segment)
        return lambda: self._spool.quarantine(segment, reason=reason)

    def _postpone(self, error: Exception) -> None:
        """Set the time of the next attempt: twice as far as the last one, between half and all of it by chance."""
        bound_s = min(_BACKOFF_MAX_S, _BACKOFF_FIRST_S * 2.0 ** min(self._failures, 10))
        retry_s = bound_s * (0.5 + 0.5 * self._jitter())
        self._failures += 1
        self._retry_at_s = self._clock.monotonic_s() + retry_s
        self._observer.commit_failed(error, retry_s=retry_s)

    def start(self) -> None:
        """Begin to work in a thread of its own."""
        self._thread = threading.Thread(target=self._run, name=f"committer-{self._spool.signal}", daemon=True)
        self._thread.start()

    def stop(self, *, budget_s: float) -> bool:
        """Store what the closed spool still holds, for at most `budget_s`, then end; say whether nothing is left.

        Close the spool first. What is left stays on disk and is stored after the next start. An insert that is under
        way is waited for.
        """
        self._stop_at_s = self._clock.monotonic_s() + budget_s
        self._stopping.set()
        if self._thread is None:
            self._drain()
        else:
            self._thread.join()
        return self._spool.depth().segments == 0

    def _run(self) -> None:
        """Work until told to stop, then as long as the budget allows."""
        while not self._stopping.is_set():
            if not self.step(_TAKE_TIMEOUT_S):
                self._stopping.wait(self._pause_s())
        self._drain()

    def _drain(self) -> None:
        """Work until nothing is left, something fails, or the budget is used up."""
        self._retry_at_s = 0.0
        while self._clock.monotonic_s() < self._stop_at_s and self.step():
            pass

    def _pause_s(self) -> float:
        """Return how long to wait before the next step: until the retry, or a moment when the spool is closed."""
        retry_s = self._retry_at_s - self._clock.monotonic_s()
        if retry_s > 0:
            return retry_s
        return 0.0 if self._spool.alive else _TAKE_TIMEOUT_S
