"""The decision when a trace has ended here: what erred or was slow is kept whole. It does not know how spans leave.

It stands between the provider and the export. Without a tail it only weighs: a span that is kept for its own sake would
have been kept whatever the lot said, so it stands for itself alone. With one, it holds the spans of each trace until
its local roots have ended, and then keeps all of them or those that the lot gave.

Weights stay right because nothing here looks at the lot before it decides: which spans are held, for how long, and
which traces are decided early depends on their number, size and age alone. So a span is kept with certainty (weight 1)
when its trace was found telling by then, and by its lot (the weight that its tracestate says) when not.
"""

import copy
import logging
import threading
import time
from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final

from opentelemetry.context import Context
from opentelemetry.sdk.trace import ReadableSpan, Span, SpanProcessor
from opentelemetry.trace import SpanContext, TraceFlags

from homeostat.sampling.config import TailConfig
from homeostat.sampling.held import Fragment, Held
from homeostat.sampling.plan import Current, Plan
from homeostat.sampling.weights import with_threshold

_LOG: Final = logging.getLogger("homeostat.sampling")

OWN_SCOPE: Final = "homeostat"
"""Scopes of the SDK's own spans begin so. Only those are kept for their own sake where nothing recorded them."""

_SAMPLED: Final = TraceFlags.SAMPLED
_THREAD: Final = "homeostat-tail"
_MEMORY: Final = frozenset({"spans", "bytes"})
_REPORT_EVERY_S: Final = 60.0
_ROUNDS: Final = 4
"""How often within its age limit a trace is looked at while nothing else happens."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SamplingStatistics:
    """Count what a tail decided, and what it holds now; without a tail nothing is counted.

    Attributes:
        spans_kept: passed on.
        spans_left_out: not kept, as the ratio wants it.
        spans_late: ended after their trace was decided, and followed the decision.
        traces_early: decided before their end, by the bound that was reached: `spans`, `bytes`, `age` or `stop`.
        spans_early: held spans of those traces that were left out; an error that came later could not save them.
        spans_held: waiting for their trace's decision.
        bytes_held: what those take, as estimated.
        traces_held: not decided yet.
    """

    spans_kept: int = 0
    spans_left_out: int = 0
    spans_late: int = 0
    traces_early: Mapping[str, int] = field(default_factory=dict)
    spans_early: int = 0
    spans_held: int = 0
    bytes_held: int = 0
    traces_held: int = 0


@dataclass(frozen=True, slots=True)
class _Decided:
    """Hold spans whose trace is decided, and by which bound where that was early."""

    fragment: Fragment
    bound: str = ""


class TailProcessor(SpanProcessor):
    """Pass on what is kept, with its weight."""

    def __init__(
        self,
        following: SpanProcessor,
        *,
        current: Current,
        clock: Callable[[], float] = time.monotonic,
        weighs: bool = True,
    ) -> None:
        """Stand before another processor and read the plan at each span."""
        self._next = following
        self._tells_beginnings = type(following).on_start is not SpanProcessor.on_start
        self._weighs = weighs
        self._current = current
        self._clock = clock
        self.after_fork_in_child()

    def after_fork_in_child(self) -> None:
        """Forget what the parent process holds: it will decide on it itself."""
        # Reentrant: collecting garbage may end a span wherever this thread is, and so may a signal's handler.
        self._lock = threading.RLock()
        self._held = Held()
        self._arrived: deque[tuple[ReadableSpan, bool]] = deque()
        self._is_placing = False
        self._counts: Counter[str] = Counter()
        self._early: Counter[str] = Counter()
        self._told: dict[str, int] = {}
        self._told_at_s = float("-inf")
        self._bounds = TailConfig()
        self._stop = threading.Event()
        self._watcher: threading.Thread | None = None

    def on_start(self, span: Span, parent_context: Context | None = None) -> None:
        """Note that a local root began."""
        plan = self._current.plan
        if plan.diverted is not None:
            plan.diverted.on_start(span, parent_context)
            return
        if plan.config.tail is not None and _is_local_root(span.parent):
            self._open(span.context.trace_id, plan, plan.config.tail)
        if self._tells_beginnings:
            self._next.on_start(span, parent_context)

    def on_end(self, span: ReadableSpan) -> None:
        """Pass the span on, hold it, or leave it out."""
        plan = self._current.plan
        if plan.diverted is not None:
            plan.diverted.on_end(span)
        elif plan.config.tail is None and not self._held.fragments:
            self._weigh(span, plan)
        else:
            self._hold(span, plan)

    def _weigh(self, span: ReadableSpan, plan: Plan) -> None:
        """Pass a span on as its lot says; one that would have been kept without it stands for itself alone."""
        is_sampled = span.context.trace_flags & _SAMPLED
        if plan.tells(span) and self._weighs and (not is_sampled or _is_own(span)):
            self._next.on_end(_certain(span))
        elif is_sampled:
            self._next.on_end(span)

    def _open(self, trace_id: int, plan: Plan, bounds: TailConfig) -> None:
        with self._lock:
            self._bounds = bounds
            self._held.open_root(trace_id, self._clock())
            shed = self._shed()
            if self._watcher is None and not self._stop.is_set():
                self._watcher = threading.Thread(target=self._look_now_and_then, name=_THREAD, daemon=True)
                self._watcher.start()
        self._release(shed, plan)

    def _hold(self, span: ReadableSpan, plan: Plan) -> None:
        tells = plan.tells(span)
        with self._lock:
            self._arrived.append((span, tells))
            if self._is_placing:
                # This thread is a few frames below in the loop that follows, and will find the span there.
                return
            self._is_placing = True
            decided: list[_Decided] = []
            try:
                while self._arrived:
                    decided += self._place(*self._arrived.popleft())
            finally:
                self._is_placing = False
            decided += self._shed()
        self._release(decided, plan)

    def _place(self, span: ReadableSpan, tells: bool) -> Iterator[_Decided]:  # noqa: FBT001 - a pair from the queue
        """Add a span to its trace; yield what is decided by that."""
        trace_id = span.context.trace_id
        fragment = self._held.fragments.get(trace_id)
        if fragment is None:
            self._counts["late"] += 1
            if tells:
                self._held.remember(trace_id, self._bounds)
            yield _Decided(Fragment(born_s=0.0, telling=trace_id in self._held.telling, spans=[span]))
            return
        self._held.add(fragment, span)
        fragment.telling = fragment.telling or tells
        fragment.roots_open -= _is_local_root(span.parent)
        if fragment.roots_open <= 0:
            yield _Decided(self._held.take(trace_id, self._bounds))

    def _shed(self) -> list[_Decided]:
        """Take out the oldest traces until every bound is kept; each round takes one, so it ends."""
        shed: list[_Decided] = []
        now_s = self._clock()
        while self._held.fragments and (bound := self._held.reached(self._bounds, now_s)):
            shed.append(_Decided(self._held.take(self._held.oldest(), self._bounds), bound))
        return shed

    def _release(self, decided: Iterable[_Decided], plan: Plan) -> None:
        """Pass on what is kept; outside the lock, because what follows may take its time."""
        for one in decided:
            kept = list(self._kept(one.fragment, plan))
            left_out = len(one.fragment.spans) - len(kept)
            with self._lock:
                self._counts.update(kept=len(kept), left_out=left_out)
                if one.bound:
                    self._early[one.bound] += 1
                    self._counts["early"] += left_out
            for span in kept:
                self._next.on_end(span)

    def _kept(self, fragment: Fragment, plan: Plan) -> Iterator[ReadableSpan]:
        for span in fragment.spans:
            if self._weighs and (fragment.telling or plan.tells(span)):
                yield _certain(span)
            elif span.context.trace_flags.sampled:
                yield span

    def expire(self) -> None:
        """Decide on the traces that are over a bound, as each span does by the way."""
        with self._lock:
            shed = self._shed()
        self._release(shed, self._current.plan)

    def _look_now_and_then(self) -> None:
        stop = self._stop
        while not stop.wait(self._bounds.age_s_max / _ROUNDS):
            self.expire()
            self.tell()

    def tell(self) -> None:
        """Log that bounds of memory decided for traces, once a minute at most; their age is no news."""
        with self._lock:
            now_s = self._clock()
            early = {bound: count for bound, count in self._early.items() if bound in _MEMORY}
            if not early or now_s < self._told_at_s + _REPORT_EVERY_S or early == self._told:
                return
            self._told_at_s, self._told = now_s, early
        counted = ", ".join(f"{count} by {bound}" for bound, count in sorted(early.items()))
        _LOG.warning("homeostat decided traces before their end, for its memory's sake, since the start: %s", counted)

    def statistics(self) -> SamplingStatistics:
        """Return what was decided since the process began, and what is held."""
        with self._lock:
            return SamplingStatistics(
                spans_kept=self._counts["kept"],
                spans_left_out=self._counts["left_out"],
                spans_late=self._counts["late"],
                traces_early=dict(self._early),
                spans_early=self._counts["early"],
                spans_held=self._held.spans,
                bytes_held=self._held.size_bytes,
                traces_held=len(self._held.fragments),
            )

    def drain(self) -> None:
        """Decide on everything that is held, by what is known now; nothing is held from here on for long."""
        self._stop.set()
        with self._lock:
            trace_ids = list(self._held.fragments)
            left = [_Decided(self._held.take(trace_id, self._bounds), "stop") for trace_id in trace_ids]
        self._release(left, self._current.plan)

    def force_flush(self, timeout_millis: int = 30_000) -> bool:
        """Flush what follows; traces that have not ended stay undecided."""
        return self._next.force_flush(timeout_millis)

    def shutdown(self) -> None:
        """Decide on everything that is held and shut down what follows."""
        self.drain()
        self._next.shutdown()


def _is_local_root(parent: SpanContext | None) -> bool:
    return parent is None or parent.is_remote


def _is_own(span: ReadableSpan) -> bool:
    scope = span.instrumentation_scope
    return scope is not None and scope.name.startswith(OWN_SCOPE)


def _certain(span: ReadableSpan) -> ReadableSpan:
    """Return a span as one that was kept with certainty: sampled, weight 1."""
    context = span.context
    certain = SpanContext(
        context.trace_id,
        context.span_id,
        context.is_remote,
        TraceFlags(context.trace_flags | TraceFlags.SAMPLED),
        with_threshold(context.trace_state, 0),
    )
    changed = copy.copy(span)
    changed._context = certain  # noqa: SLF001 - a finished span can be given another context in no other way
    return changed
