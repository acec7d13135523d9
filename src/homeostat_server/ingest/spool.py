"""The spool of one signal: requests become durable here before they are acknowledged. It knows no store and no engine.

    append ──► pending ──► open segment ──► sealed ──► taken ──► released
               (memory)    (written and     (waits)    (being     (entry in the recent log,
                            synced in                   inserted)  file unlinked)
                            groups)

Invariants: a request is acknowledged after its bytes, and its file's name, are synced; every acknowledged request is in
exactly one segment until that segment is released; a number is never used twice. One thread writes (`start`, or `step`
by hand), any number append, one takes.
"""

import errno
import math
import threading
from collections.abc import Iterator
from concurrent.futures import Future
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from homeostat_server.exceptions import SpoolFull, SpoolUnavailable
from homeostat_server.ingest.budget import SpoolBudget
from homeostat_server.ingest.disk import Disk
from homeostat_server.ingest.disk_failures import folder_unusable, spool_unavailable
from homeostat_server.ingest.duplicates import Duplicates
from homeostat_server.ingest.observer import IngestObserver, SilentObserver
from homeostat_server.ingest.pending import PendingRecord, PendingRecords, Receipt, pending_record
from homeostat_server.ingest.place import Place, SpoolLimits
from homeostat_server.ingest.probing import probe
from homeostat_server.ingest.segment import SegmentNumbers, digest_of
from homeostat_server.ingest.segment_queue import SegmentQueue
from homeostat_server.ingest.segment_writer import SegmentWriter
from homeostat_server.model.segment import SealedSegment, received_ns
from homeostat_server.model.signal import Signal
from homeostat_server.model.tenant import Tenant
from homeostat_server.runtime.clock import Clock

_NANOSECONDS_PER_SECOND: Final = 1_000_000_000

FULL_RETRY_AFTER_S: Final = 5.0
"""A full spool empties at the pace of the store, so a second later it is full again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Depth:
    """Say how much waits: segments that are not released, requests in memory, the age of the oldest segment."""

    segments: int
    size_bytes: int
    pending_bytes: int
    oldest_age_s: float


class Spool:
    """Make the requests of one signal durable and hand them out in segments. Thread-safe, with one taker."""

    def __init__(
        self,
        root: Path,
        *,
        signal: Signal,
        disk: Disk,
        clock: Clock,
        numbers: SegmentNumbers,
        budget: SpoolBudget,
        limits: SpoolLimits,
        observer: IngestObserver | None = None,
    ) -> None:
        """Live in `root/<signal>`, with `root/quarantine` beside it; share numbers and budget with the other signals.

        Nothing is touched or accepted before `recover`.
        """
        self._place = Place(root=root, signal=signal, disk=disk, clock=clock, observer=observer or SilentObserver())
        self._numbers = numbers
        self._budget = budget
        self._limits = limits
        self._gather_s = limits.gather_s
        self._duplicates = Duplicates(
            clock=clock, window_s=limits.duplicates_window_s, count_max=limits.duplicates_count_max
        )
        self._segments = SegmentQueue(
            self._place, numbers=numbers, duplicates=self._duplicates, budget=budget, limits=limits
        )
        self._files = SegmentWriter(self._place, numbers=numbers, limits=limits, on_sealed=self._queue)
        # `_writing` covers `_files` and is taken before `_state`, which covers what follows and is held briefly.
        self._writing = threading.Lock()
        self._state = threading.Lock()
        self._has_pending = threading.Condition(self._state)
        self._has_segment = threading.Condition(self._state)
        self._pending = PendingRecords()
        self._open_since_s: float | None = None
        self._newest_acknowledged_ns = 0
        self._accepting = False
        self._closed = False
        self._thread: threading.Thread | None = None

    @property
    def signal(self) -> Signal:
        """Return the signal whose requests are spooled here."""
        return self._place.signal

    @property
    def gather_s(self) -> float:
        """Return how long after its first record a segment may be taken."""
        return self._gather_s

    @gather_s.setter
    def gather_s(self, seconds: float) -> None:
        """Change it; holds from the next look of the taker."""
        self._gather_s = seconds

    @property
    def newest_acknowledged_ns(self) -> int:
        """Return when a request was last acknowledged by this run (wall clock), 0 when none was."""
        return self._newest_acknowledged_ns

    @property
    def alive(self) -> bool:
        """Say whether requests can be accepted: recovered, not closed, and the writer's thread has not died."""
        return self._accepting

    def recover(self) -> None:
        """Find what an earlier run left, and begin to accept. A full disk is no obstacle.

        Recover all spools of a process before any of them accepts, so that their numbers stay unique.

        Raises:
            DataFolderUnusable: the folders cannot be read or written.
        """
        try:
            found = self._segments.recover()
        except OSError as error:
            raise folder_unusable(error, folder=self._place.folder) from error
        self._numbers.observe(found.floor)
        self._note_shed(self._duplicates.restore(found.acknowledged))
        self._segments.try_rewrite_log()
        self._accepting = True

    def start(self) -> None:
        """Begin to write in a thread of the spool's own."""
        self._thread = threading.Thread(target=self._run, name=f"spool-{self.signal}", daemon=True)
        self._thread.start()

    def append(self, tenant: Tenant, body: bytes) -> "Future[Receipt]":
        """Take a request in; the future is done when it is durable, and fails with `SpoolUnavailable` when it is not.

        The same body of the same tenant within the window is not stored again: the receipt says that it is a duplicate.
        Cancelling the future has no effect.

        Raises:
            SpoolFull: the spool, or what waits in memory to be written, is at its bound.
            SpoolUnavailable: the spool is not open.
        """
        digest = digest_of(tenant.encode(), body)
        with self._state:
            known = self._known(digest)
            if known is None:
                record = pending_record(tenant, body=body, digest=digest)
                self._admit(record)
                self._pending.add(record)
                self._has_pending.notify()
                return record.wait()
        self._place.observer.duplicate()
        return known

    def _known(self, digest: bytes) -> "Future[Receipt] | None":
        """Return the outcome of the same request when it was acknowledged lately or is waiting."""
        waiting = self._pending.find(digest)
        if waiting is not None:
            return waiting.wait()
        number = self._duplicates.find(digest)
        if number is None:
            return None
        future: Future[Receipt] = Future()
        future.set_result(Receipt(number, duplicate=True))
        return future

    def _admit(self, record: PendingRecord) -> None:
        """Refuse a record that there is no place for."""
        if not self._accepting:
            self._place.observer.refused("closed")
            raise SpoolUnavailable("accept the request", value=self.signal, hint="The server is starting or stopping.")
        pending_bytes_max = self._limits.pending_bytes_max
        if self._pending.size_bytes + record.size_bytes > pending_bytes_max:
            self._refuse_full("pending_full", f"{pending_bytes_max} bytes wait to be written")
        if not self._budget.take(record.size_bytes):
            self._refuse_full("spool_full", f"spool_bytes_max = {self._budget.size_bytes_max} is used up")

    def _refuse_full(self, reason: str, bound: str) -> None:
        self._place.observer.refused(reason)
        raise SpoolFull(
            "accept the request",
            value=self.signal,
            hint=f"The store does not keep up: {bound}. Send again later.",
            retry_after_s=FULL_RETRY_AFTER_S,
        )

    def step(self) -> bool:
        """Make the requests that wait durable, as many as go into one segment; say whether there were any."""
        started_s = self._place.clock.monotonic_s()
        with self._writing:
            with self._state:
                batch = self._pending.take(self._files.room_bytes)
            if not batch:
                return False
            outcome = self._write(batch)
        if isinstance(outcome, int):
            self._succeed(batch, number=outcome, seconds=self._place.clock.monotonic_s() - started_s)
        else:
            self._fail(batch, outcome)
        return True

    def _write(self, batch: list[PendingRecord]) -> int | OSError:
        """Return the number of the segment that the batch is durable in, or why it is not."""
        try:
            number = self._files.write(batch)
        except OSError as error:
            with self._state:
                self._pending.done(batch)
            self._budget.give_back(sum(record.size_bytes for record in batch))
            return error
        # The digests are known before the segment can be taken: its release writes them down.
        self._note_shed(self._duplicates.add([record.digest for record in batch], number=number))
        with self._state:
            self._pending.done(batch)
            self._newest_acknowledged_ns = self._place.clock.now_ns()
            if self._open_since_s is None:
                self._open_since_s = self._place.clock.monotonic_s()
            self._has_segment.notify()
        if self._files.room_bytes <= 0:
            self._files.seal()
        return number

    def _succeed(self, batch: list[PendingRecord], *, number: int, seconds: float) -> None:
        size_bytes = sum(record.size_bytes for record in batch)
        for record in batch:
            record.succeed(number)
        self._place.observer.acknowledged(records=len(batch), size_bytes=size_bytes, seconds=seconds)

    def _fail(self, batch: list[PendingRecord], cause: OSError) -> None:
        for record in batch:
            record.fail(self._failures(cause))
        self._place.observer.write_failed(cause, records=len(batch))

    def _failures(self, cause: OSError) -> Iterator[SpoolUnavailable]:
        while True:
            yield spool_unavailable(cause, attempted="make the request durable", folder=self._place.folder)

    def _note_shed(self, count: int) -> None:
        if count:
            self._place.observer.digests_shed(count)

    def _queue(self, segment: SealedSegment) -> None:
        """Hand a sealed segment to the taker."""
        self._segments.put(segment)
        self._place.observer.sealed(segment)
        with self._state:
            if self._files.open_number is None:
                self._open_since_s = None
            self._has_segment.notify()

    def take(self, timeout_s: float = 0.0) -> SealedSegment | None:
        """Return the oldest segment, sealing the open one when there is no other and it has gathered long enough.

        Returns None when there is nothing after `timeout_s`, at once when the spool is closed and empty. A segment is
        the caller's until it is given to `release`, `split` or `quarantine`.

        Raises:
            SpoolUnavailable: a left-over segment cannot be read or mended now; take again later.
        """
        deadline_s = self._place.clock.monotonic_s() + timeout_s
        while True:
            self._seal_if_due()
            segment = self._segments.take()
            if segment is not None or not self._wait_for_segment(deadline_s):
                return segment

    def _seal_if_due(self) -> None:
        with self._state:
            due = self._segments.is_empty() and self._due_in_s() <= 0
        if due:
            with self._writing:
                self._files.seal()

    def _due_in_s(self) -> float:
        """Return after how many seconds the open segment may be taken, infinity when there is none."""
        if self._open_since_s is None:
            return math.inf
        return self._open_since_s + self._gather_s - self._place.clock.monotonic_s()

    def _wait_for_segment(self, deadline_s: float) -> bool:
        """Wait until looking again makes sense; say whether it does."""
        with self._state:
            if not self._segments.is_empty():
                return True
            left_s = deadline_s - self._place.clock.monotonic_s()
            if left_s <= 0 or self._closed:
                return False
            wait_s = min(left_s, self._due_in_s())
            if wait_s > 0:
                self._has_segment.wait(wait_s)
            return True

    def release(self, segment: SealedSegment) -> None:
        """Forget a segment that was taken and whose rows are stored; doing it twice over a failure is safe.

        Raises:
            SpoolUnavailable: it is not certain that it is forgotten; release it again later.
        """
        self._segments.release(segment)

    def split(self, segment: SealedSegment) -> None:
        """Replace a segment that was taken by two new ones with half of its records each, which are taken next.

        Raises:
            SpoolUnavailable: not done; split it again later.
        """
        self._segments.split(segment)

    def quarantine(self, segment: SealedSegment, *, reason: str) -> None:
        """Set a segment that was taken, and can never be stored, aside with the reason.

        Raises:
            SpoolUnavailable: not done; try again later.
        """
        self._segments.quarantine(segment, reason=reason)

    def probe(self) -> None:
        """Find out whether a request could be made durable now.

        Raises:
            SpoolUnavailable: it could not; says why.
        """
        if not self._accepting:
            raise SpoolUnavailable("write to the spool", value=self.signal, hint="It is closed, or its writer ended.")
        probe(self._place, free_bytes_min=self._limits.free_bytes_min)

    def depth(self) -> Depth:
        """Return how much waits."""
        held = self._segments.held()
        with self._state:
            open_number, open_bytes = self._files.open_number, self._files.open_bytes
            pending_bytes = self._pending.size_bytes
        if open_number is not None and open_bytes:
            held[open_number] = open_bytes
        age_ns = self._place.clock.now_ns() - received_ns(min(held)) if held else 0
        return Depth(
            segments=len(held),
            size_bytes=sum(held.values()),
            pending_bytes=pending_bytes,
            oldest_age_s=max(0, age_ns) / _NANOSECONDS_PER_SECOND,
        )

    def close(self) -> None:
        """Accept no more, make durable what waits, and seal; what is not taken then is left for the next start."""
        with self._state:
            self._accepting = False
            self._has_pending.notify_all()
        if self._thread is not None:
            self._thread.join()
        while self.step():
            pass
        with self._writing:
            with suppress(OSError):  # the next start cuts the tail off just as well
                self._files.mend()
            self._files.seal()
        with self._state:
            self._closed = True  # not before the last segment is queued: a taker ends when it sees this
            self._has_segment.notify_all()

    def _run(self) -> None:
        """Write until closed; if that ever ends with an error of our own, let nobody wait for it."""
        try:
            while self._wait_for_pending():
                self.step()
        finally:
            self._abandon()

    def _wait_for_pending(self) -> bool:
        """Wait for a request; say whether there is one, which there is not when the spool is closed."""
        with self._state:
            while self._accepting and not len(self._pending):
                self._has_pending.wait()
            return len(self._pending) > 0

    def _abandon(self) -> None:
        """Fail what nobody will write any more."""
        with self._state:
            self._accepting = False
            abandoned = self._pending.abandon()
        self._budget.give_back(sum(record.size_bytes for record in abandoned))
        if abandoned:
            self._fail(abandoned, OSError(errno.ECANCELED, "the spool's writer has stopped; restart the process"))
