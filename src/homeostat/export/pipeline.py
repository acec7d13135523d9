"""The way of telemetry from the queue to the backend or to the backlog. It has no thread and never waits.

Spans are gathered into requests. A request is held in memory until the backend has answered it, as long as the backend
is well and nothing older waits; else it goes to the end of the backlog, together with all that is held, in order. So
at any time everything older than the backlog's end is in the backlog, and the order of sending is the order of
gathering.

Whoever calls `gather` or `send_one` does the work in its own thread: the worker's threads in a running process, the
caller's at its end, a test's in simulated time. Locks are held while the disk is used, never while the network is.
"""

import threading
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from opentelemetry.sdk.trace import ReadableSpan

from homeostat.buffer import BODY_BYTES_MAX, Backlog, Record
from homeostat.export.breaker import Breaker
from homeostat.export.counts import Counts, Statistics
from homeostat.export.outcomes import Outcome, Transport, Verdict
from homeostat.export.spans import SpanEncoder

HELD_REQUESTS_MAX: Final = 8
"""So many requests may wait in memory for the one that is on its way."""

QUEUE_FULL: Final = "queue_full"
UNENCODABLE: Final = "unencodable"
TOO_LARGE: Final = "too_large"
REFUSED_PARTLY: Final = "refused_partly"


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """Hold what a pipeline is made of."""

    encoder: SpanEncoder
    transport: Transport
    backlog: Backlog
    breaker: Breaker
    counts: Counts
    now_s: Callable[[], float]


class Pipeline:
    """Carry spans and requests. Thread-safe, and safe against a signal's handler that interrupts a method of it.

    Args:
        parts: what it is made of.
        batch_spans: how many spans go into one request.
        writes_ahead: whether everything goes through the backlog.
    """

    def __init__(self, parts: Parts, *, batch_spans: int, writes_ahead: bool) -> None:
        """Begin with nothing."""
        self._parts = parts
        self._batch_spans = batch_spans
        self._writes_ahead = writes_ahead
        self.begin()

    def begin(self) -> None:
        """Forget everything that is in memory; in a forked child it is the parent's."""
        self.queue: deque[ReadableSpan] = deque()
        """Ended spans; whoever ends one appends it here."""
        self._gathering = threading.RLock()
        self._sending = threading.Lock()
        self._lock = threading.RLock()
        self._sender = 0  # ident of the thread that is sending
        self._in_hand: list[ReadableSpan] | None = None  # spans between the queue and their request
        self._held: deque[Record] = deque()
        self._is_closed = False

    @property
    def is_idle(self) -> bool:
        """Say whether nothing waits anywhere."""
        with self._lock:
            return not self.queue and not self._in_hand and not self._held and self._parts.backlog.is_empty

    def gather(self, *, timeout_s: float = -1) -> bool:
        """Make requests of all spans in the queue; `False` when another thread did not finish doing so in time."""
        if not self._gathering.acquire(timeout=timeout_s):
            return False
        try:
            self._parts.backlog.adopt()  # first: what others left is older than anything here
            if self._in_hand is not None:  # this is a signal's handler inside of this very method
                self._encode(self._in_hand)
            while self.queue:
                self._gather_batch()
        finally:
            self._gathering.release()
        return True

    def offer(self, record: Record) -> None:
        """Take a request to be sent."""
        self._parts.counts.count(accepted=record.items)
        self._keep(record)

    def wait_s(self) -> float | None:
        """Return when something can be sent: now, in so many seconds, or never as long as nothing comes."""
        with self._lock:
            if not self._held and self._parts.backlog.is_empty:
                return None
            return self._parts.breaker.wait_s(self._parts.now_s())

    def send_one(self, *, timeout_s: float, patience_s: float = -1) -> bool:
        """Send the oldest request if the breaker lets it; say whether the backend took or refused one.

        Args:
            timeout_s: how long the backend may take.
            patience_s: how long to wait for another thread that is sending; for ever when negative.
        """
        if self._sender == threading.get_ident():  # a signal's handler inside of this very method
            return False
        if not self._sending.acquire(timeout=patience_s):
            return False
        self._sender = threading.get_ident()
        try:
            return self._send_first(timeout_s)
        finally:
            self._sender = 0
            self._sending.release()

    def spill(self) -> None:
        """Put everything that is held into the backlog."""
        with self._lock:
            while self._held:
                record = self._held[0]
                self._parts.backlog.append(record)
                self._parts.counts.count(spooled=record.items)
                # Only now, and only this one: a signal's handler may be doing the same inside of this loop.
                if self._held and self._held[0] is record:
                    self._held.popleft()

    def close(self) -> None:
        """Put everything that is held into the backlog, and close that."""
        with self._lock:
            self.spill()
            self._is_closed = True
            self._parts.backlog.close()

    def statistics(self) -> Statistics:
        """Return what became of everything so far."""
        with self._lock:
            counts, now_s = self._parts.counts, self._parts.now_s()
            waiting = len(self.queue) + sum(record.items for record in self._held)
            return Statistics(
                accepted=counts.accepted + len(self.queue),
                sent=counts.sent,
                spooled=counts.spooled,
                replayed=counts.replayed,
                dropped=counts.dropped,
                waiting=waiting,
                backlog_bytes=self._parts.backlog.bytes_held,
                breaker=self._parts.breaker.state(now_s).value,
            )

    def _gather_batch(self) -> None:
        queue = self.queue
        self._in_hand = spans = [queue.popleft() for _ in range(min(len(queue), self._batch_spans))]
        self._parts.counts.count(accepted=len(spans))
        self._encode(spans)

    def _encode(self, spans: list[ReadableSpan]) -> None:
        encoder = self._parts.encoder
        before = encoder.unencodable
        requests = encoder.encode(spans)
        if self._in_hand is not spans:
            return  # the handler of a signal has done it meanwhile
        if encoder.unencodable > before:
            self._parts.counts.drop("traces", encoder.unencodable - before, UNENCODABLE)
        for request in requests:
            self._keep(Record("traces", request.items, request.body))
        self._in_hand = None

    def _send_first(self, timeout_s: float) -> bool:
        if self.wait_s() != 0:
            return False
        with self._lock:
            record = self._held[0] if self._held else self._parts.backlog.first()
        if record is None:
            return False
        outcome = self._parts.transport.send(record, timeout_s=timeout_s)
        self._settle(record, outcome)
        return outcome.verdict is not Verdict.NOT_NOW

    def _keep(self, record: Record) -> None:
        if len(record.body) > BODY_BYTES_MAX:
            self._parts.counts.drop(record.signal, record.items, TOO_LARGE)
            return
        with self._lock:
            self._held.append(record)
            if not self._may_hold():
                self.spill()

    def _may_hold(self) -> bool:
        parts = self._parts
        return (
            not self._writes_ahead
            and not self._is_closed
            and len(self._held) <= HELD_REQUESTS_MAX
            and parts.breaker.is_well
            and parts.backlog.is_empty
        )

    def _settle(self, record: Record, outcome: Outcome) -> None:
        with self._lock:
            if outcome.verdict is Verdict.NOT_NOW:
                self._parts.breaker.failed(self._parts.now_s(), retry_after_s=outcome.retry_after_s)
                self.spill()
                return
            self._parts.breaker.succeeded()
            was_held = bool(self._held) and self._held[0] is record
            if was_held:
                self._held.popleft()
            elif not self._is_done_in_backlog(record):
                return  # it was given up for want of room while it was on its way, and is counted as lost
            self._count(record, outcome, is_replay=not was_held)

    def _is_done_in_backlog(self, record: Record) -> bool:
        # What was held when it was sent may have been spilled meanwhile: then the backlog has another copy of it.
        first = self._parts.backlog.first()
        return first is not None and first.body == record.body and self._parts.backlog.done(first)

    def _count(self, record: Record, outcome: Outcome, *, is_replay: bool) -> None:
        counts = self._parts.counts
        if outcome.verdict is Verdict.REFUSED:
            counts.drop(record.signal, record.items, outcome.reason, outcome.message)
            return
        refused = min(outcome.refused_items, record.items)
        taken = record.items - refused
        counts.count(sent=taken, replayed=taken if is_replay else 0)
        if refused:
            counts.drop(record.signal, refused, REFUSED_PARTLY, outcome.message)
