"""The export of one process: built here from its parts, with its span processor, its hooks and its end.

It raises nothing into the program, and nothing here blocks it but `flush` and `shutdown`, within the time they are
given.
"""

import os
import random
import time
from collections import Counter, deque
from collections.abc import Callable
from typing import Final

from opentelemetry.context import Context
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan, Span, SpanProcessor

from homeostat.buffer import SIGNALS, Backlog, Record
from homeostat.buffer.disk import Disk
from homeostat.export.breaker import Breaker
from homeostat.export.config import ExportConfig
from homeostat.export.counts import Counts, Statistics
from homeostat.export.http import HttpTransport
from homeostat.export.outcomes import Transport
from homeostat.export.pipeline import QUEUE_FULL, Parts, Pipeline
from homeostat.export.spans import SpanEncoder
from homeostat.export.worker import Worker, untraced
from homeostat.process.version import __version__
from homeostat.redaction import Redactor

CLOSED: Final = "after_shutdown"
"""Reason of a loss: the item came after the end."""

INHERITED: Final = "inherited"
"""Reason of a loss that is none: a forked child ended a span that its parent has begun and will end, too."""

USER_AGENT: Final = f"homeostat-python/{__version__}"

_EVER_NS: Final = -(1 << 63)
_REFUSED_MAX: Final = 1 << 20  # between two rounds of the gathering thread, which is woken long before

_SPILL_RESERVE_S: Final = 0.5
"""Of the time that an end may take, what is kept for the disk."""

_SAVE_RESERVE_S: Final = 0.2
"""The same when there are no seconds: a few requests of 100 kB are written in milliseconds."""


class Exporting:
    """Export what one process records.

    Args:
        config: where to and within which bounds.
        resource: who this process is; spans of it are said with the one that a fork brings.
        redactor: what is hidden before anything leaves or touches a disk.
        transport: what carries requests; made by the protocol of the configuration when not given.
        disk: what the spool is on.
        clock: seconds that never go back.
        sleep: waits so many seconds; only `flush` and `shutdown` do.

    Raises:
        ExtraMissing: the protocol is gRPC, and `grpcio` is not installed.
    """

    def __init__(
        self,
        config: ExportConfig,
        *,
        resource: Resource,
        redactor: Redactor | None = None,
        transport: Transport | None = None,
        disk: Disk | None = None,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        """Build everything, start nothing."""
        self._sleep = sleep
        self._config = config
        self._resource = resource
        self._counts = Counts(now_s=clock)
        self._transport = transport or transport_of(config)
        self._clock = clock
        self._encoder = SpanEncoder(redactor=redactor or Redactor())
        self._backlog = Backlog(
            config.spool_folder,
            bytes_max=config.spool_bytes_max,
            memory_bytes_max=config.memory_bytes_max,
            on_loss=self._counts.drop,
            now_s=clock,
            started_ns=time.time_ns(),
            disk=disk,
        )
        self._pipeline = Pipeline(
            Parts(
                encoder=self._encoder,
                transport=self._transport,
                backlog=self._backlog,
                breaker=self._breaker(),
                counts=self._counts,
                now_s=clock,
            ),
            batch_spans=config.batch_spans,
            writes_ahead=config.durability == "write-ahead",
        )
        self._gatherer = Worker("homeostat-gather", self.gather)
        self._sender = Worker("homeostat-send", self.send)
        self._is_closed = False
        self._is_closing = False
        self._processor = ExportingSpanProcessor(self)

    @property
    def span_processor(self) -> SpanProcessor:
        """Return what a tracer provider is given."""
        return self._processor

    @property
    def config(self) -> ExportConfig:
        """Return where to and within which bounds."""
        return self._config

    def submit(self, signal: str, request: bytes, *, items: int) -> None:
        """Take an encoded export request of any signal; its redaction is done by who encoded it.

        Args:
            signal: `traces`, `logs` or `metrics`.
            request: the bytes of an `Export*ServiceRequest`.
            items: how many spans, log records or data points it carries.

        Raises:
            ValueError: there is no such signal.
        """
        if signal not in SIGNALS:
            raise ValueError(f"{signal!r} is none of {', '.join(SIGNALS)}")
        if self._is_closed:
            self._counts.count(accepted=items)
            self._counts.drop(signal, items, CLOSED)
            return
        self._pipeline.offer(Record(signal, items, request))
        self.start()
        self._sender.wake()

    def start(self) -> None:
        """Start the threads; the first item does so by itself."""
        self._gatherer.start()
        self._sender.start()

    def gather(self) -> float | None:
        """Do a round of the gathering thread, and return when the next is due."""
        self._count_refused()
        self._pipeline.gather()
        self._backlog.tend()
        self._counts.tell()
        if self._pipeline.wait_s() == 0:
            self._sender.wake()
        return self._config.gather_delay_s

    def send(self) -> float | None:
        """Do a round of the sending thread: send what may be sent, and return when the next is due."""
        while self._pipeline.send_one(timeout_s=self._config.timeout_s):
            if self._is_closing:
                return None
        return None if self._is_closing else self._pipeline.wait_s()

    def flush(self, timeout_s: float) -> bool:
        """Send everything that was recorded before this call, and say whether nothing waits any more.

        What the backend does not take in this time waits in the spool as it would have without this call.
        """
        deadline_s = self._clock() + timeout_s
        if self._is_closed or not self._pipeline.gather(timeout_s=max(timeout_s, 0)):
            return self._pipeline.is_idle
        with untraced():
            self._send_until(deadline_s, is_patient=True)
        return self._pipeline.is_idle

    def shutdown(self, timeout_s: float | None = None) -> None:
        """Send what can be sent in this time and leave the rest in the spool; the second call does nothing.

        Args:
            timeout_s: seconds for all of it; without, those of the configuration.
        """
        if self._is_closed:
            return
        if self._is_closing:
            # A signal's handler inside of the first call: what is left of that call would never run.
            self._finish()
            return
        self._is_closing = True
        budget_s = self._config.exit_budget_s if timeout_s is None else max(timeout_s, 0.0)
        deadline_s = self._clock() + budget_s
        sending_until_s = deadline_s - min(_SPILL_RESERVE_S, budget_s / 2)
        if self._pipeline.gather(timeout_s=budget_s / 2):
            with untraced():
                # Where a disk keeps the rest, nobody is kept waiting for a backend that does not answer.
                self._send_until(sending_until_s, is_patient=self._config.spool_folder is None)
        self._finish()

    def statistics(self) -> Statistics:
        """Return what became of everything so far."""
        self._count_refused()
        return self._pipeline.statistics()

    def identify(self, resource: Resource) -> None:
        """Say everything that was not encoded yet with this resource, whatever it was recorded with.

        Args:
            resource: who this process is.
        """
        self._encoder.replace_resource(self._resource, resource)
        self._resource = resource

    def before_fork(self) -> None:
        """Bring files and connections into a state that can be copied."""
        self._backlog.before_fork()
        self._transport.before_fork()

    def after_fork_in_parent(self) -> None:
        """Go on."""
        self._backlog.after_fork_in_parent()

    def after_fork_in_child(self, resource: Resource) -> None:
        """Begin anew with nothing, as another process.

        Args:
            resource: who this process is now.
        """
        self._counts.forget()
        self._backlog.after_fork_in_child(started_ns=time.time_ns())
        self._transport.abandon()
        self.identify(resource)
        self._pipeline.begin()
        self._gatherer.begin()
        self._sender.begin()
        self._is_closing = self._is_closed
        self._processor.begin(born_ns=time.time_ns(), is_closed=self._is_closed)

    @property
    def pipeline(self) -> Pipeline:
        """Return the way that items go, for the span processor and for tests."""
        return self._pipeline

    def save(self, timeout_s: float) -> None:
        """Send what can be sent in this time and put the rest on disk: the process may end without another word.

        Args:
            timeout_s: seconds for all of it.
        """
        deadline_s = self._clock() + timeout_s - min(_SAVE_RESERVE_S, timeout_s / 2)
        if self._is_closed or not self._pipeline.gather(timeout_s=timeout_s / 2):
            return
        with untraced():
            self._send_until(deadline_s, is_patient=False)
        self._pipeline.spill()

    def hasten(self) -> None:
        """Let what waits in the queue be gathered and sent now, and return at once; a signal's handler may call it."""
        self._gatherer.wake()

    def _count_refused(self) -> None:
        for reason, items in self._processor.refused().items():
            self._counts.count(accepted=items)
            if reason == INHERITED:
                self._counts.leave(items, reason)
            else:
                self._counts.drop("traces", items, reason)

    def _breaker(self) -> Breaker:
        config = self._config
        return Breaker(
            failures=config.breaker_failures,
            delay_s=config.breaker_delay_s,
            delay_max_s=config.breaker_delay_max_s,
            random=random.Random(os.urandom(8)).random,  # noqa: S311 - spreads tries in time, keeps no secret,
        )

    def _send_until(self, deadline_s: float, *, is_patient: bool) -> None:
        """Send in this thread, as long as something waits and there is time; patience waits for the breaker, too."""
        while (left_s := deadline_s - self._clock()) > 0 and not self._pipeline.is_idle:
            timeout_s = min(self._config.timeout_s, left_s)
            if self._pipeline.send_one(timeout_s=timeout_s, patience_s=left_s):
                continue
            wait_s = self._pipeline.wait_s() or 0.0
            if not is_patient or wait_s >= deadline_s - self._clock():
                return
            self._sleep(wait_s)

    def _finish(self) -> None:
        self._is_closed = True
        self._processor.close()
        self._gatherer.stop()
        self._sender.stop()
        self._pipeline.gather(timeout_s=_SPILL_RESERVE_S)
        self._pipeline.close()
        self._count_refused()
        self._counts.tell(at_once=True)


class ExportingSpanProcessor(SpanProcessor):
    """Put ended spans into the queue. It never blocks and never raises.

    Args:
        exporting: what the queue belongs to.
    """

    def __init__(self, exporting: Exporting) -> None:
        """Begin with an empty queue."""
        self._exporting = exporting
        config = exporting.config
        self._queue_max = config.queue_spans
        self._batch = max(2, min(config.batch_spans, config.queue_spans))
        self.begin()

    def begin(self, *, born_ns: int = _EVER_NS, is_closed: bool = False) -> None:
        """Take the queue anew; a forked child has another, and leaves to its parent what began before it was born."""
        self._queue = self._exporting.pipeline.queue
        # A queue and no counter behind a lock: `on_end` may be interrupted by a signal whose handler waits for us.
        self._refused: deque[str] = deque(maxlen=_REFUSED_MAX)
        self._born_ns = born_ns
        self._is_closed = is_closed
        self._room = 0 if is_closed else self._queue_max
        self._wake_at = 0  # the first span starts the threads

    def close(self) -> None:
        """Take no more spans."""
        self._is_closed = True
        self._room = 0

    def refused(self) -> Counter[str]:
        """Return the spans that were not taken since the last time, by reason."""
        refused = self._refused
        return Counter(refused.popleft() for _ in range(len(refused)))

    def on_start(self, span: Span, parent_context: Context | None = None) -> None:
        """Do nothing."""

    def on_end(self, span: ReadableSpan) -> None:
        """Take a span that is sampled."""
        if not span._context.trace_flags & 1:  # type: ignore[union-attr]  # a span that has ended has one
            return
        queue = self._queue
        waiting = len(queue)
        if waiting >= self._room or span._start_time < self._born_ns:  # type: ignore[operator]  # it was started
            self._refuse(span)
            return
        queue.append(span)
        if waiting >= self._wake_at:
            self._wake()

    def _refuse(self, span: ReadableSpan) -> None:
        if self._is_closed:
            reason = CLOSED
        elif (span._start_time or 0) < self._born_ns:
            reason = INHERITED
        else:
            reason = QUEUE_FULL
        self._refused.append(reason)

    def _wake(self) -> None:
        if self._wake_at:
            self._exporting.hasten()
        else:
            self._exporting.start()
            self._wake_at = self._batch - 1

    def shutdown(self) -> None:
        """End the export, within its budget."""
        self._exporting.shutdown()

    def force_flush(self, timeout_millis: int = 30_000) -> bool:
        """Send everything that has ended, and say whether nothing waits any more."""
        return self._exporting.flush(timeout_millis / 1000)


def transport_of(config: ExportConfig) -> Transport:
    """Return what carries requests in the protocol of the configuration.

    Raises:
        ExtraMissing: that is gRPC, and `grpcio` is not installed.
    """
    if config.protocol == "grpc":
        from homeostat.export.grpc import GrpcTransport  # noqa: PLC0415 - only who asked for gRPC pays

        return GrpcTransport(config, user_agent=USER_AGENT)
    return HttpTransport(config, user_agent=USER_AGENT)
