"""A tracer of the SDK whose spans are lean, and whose refused spans can still become real.

It decides nothing itself: the sampler decides at the start, and `keeps` at the end of what was refused.
"""

from collections.abc import Callable, Mapping, Sequence
from time import time_ns
from typing import Final, Protocol, runtime_checkable

from opentelemetry.context import Context
from opentelemetry.sdk.trace import Tracer
from opentelemetry.sdk.trace.sampling import Decision, Sampler
from opentelemetry.trace import (
    INVALID_SPAN,
    Link,
    NonRecordingSpan,
    Span,
    SpanContext,
    SpanKind,
    TraceFlags,
    TraceState,
)
from opentelemetry.util.types import AnyValue, Attributes

from homeostat.propagation import Correlation
from homeostat.propagation.correlation import KEY as CORRELATION
from homeostat.propagation.scopes import current_context
from homeostat.tracing.active import SPAN, ActiveSpan
from homeostat.tracing.failures import FAILURES
from homeostat.tracing.latent import LatentSpan
from homeostat.tracing.processors import GuardedProcessors
from homeostat.tracing.spans import LeanSpan, SpanBounds
from homeostat.tracing.values import cleaned

OWN_SCOPE: Final = "homeostat"
"""Only spans of scopes that begin so are kept after the fact; how others' are weighted is their sampler's."""

TENANT: Final = "tenant.id"
USER: Final = "user.id"
CORRELATION_ID: Final = "correlation.id"

_NANOSECONDS: Final = 1e9
_SAMPLED: Final = TraceFlags.SAMPLED
_RANDOM: Final = TraceFlags.RANDOM_TRACE_ID
_FLAGS: Final = tuple(TraceFlags(flags) for flags in range(4))
"""All there are (W3C Trace Context level 2), so that none is made for each span."""
_NONE: Final[dict[str, AnyValue]] = {}

Complete = Callable[[], dict[str, AnyValue]]
"""Makes the attributes of a span when they are needed: most requests that are not sampled never need theirs."""


@runtime_checkable
class Decides(Protocol):
    """A sampler that can say its decision without the object around it, which costs as much as the decision."""

    def decide(
        self, parent: SpanContext | None, trace_id: int, name: str, attributes: Attributes
    ) -> tuple[Decision, TraceState | None]:
        """Return the decision on a span, and the tracestate that it and its children carry."""
        ...


class Keeps(Protocol):
    """Who decides, when a span that was refused ends, whether it is kept after all."""

    def __call__(self, *, error: bool, duration_s: float) -> bool:
        """Return whether to keep a span that failed or did not, and lasted so many seconds."""
        ...


class LeanTracer(Tracer):
    """Make spans."""

    sampler: Sampler
    span_processor: GuardedProcessors

    def adopt(self, *, bounds: SpanBounds, keeps: Keeps | None) -> None:
        """Take what the SDK's constructor has no place for; called once by the provider."""
        self._bounds = bounds
        rescues = self._instrumentation_scope.name.startswith(OWN_SCOPE)
        self._keeps = keeps if rescues else None
        self._decide = self.sampler.decide if isinstance(self.sampler, Decides) else None
        self._random_flag = _RANDOM if self.id_generator.is_trace_id_random() else 0

    def start_as_current_span(  # type: ignore[override]  # the SDK's is a generator behind a decorator of its own
        self,
        name: str,
        context: Context | None = None,
        kind: SpanKind = SpanKind.INTERNAL,
        attributes: Attributes = None,
        links: Sequence[Link] | None = (),
        start_time: int | None = None,
        record_exception: bool = True,
        set_status_on_exception: bool = True,
        end_on_exit: bool = True,
    ) -> ActiveSpan:
        """Start a span and make it current in a `with` block, or around a function that is decorated with it."""
        active = ActiveSpan(self, name, kind, attributes)
        active.context = context
        active.links = links or ()
        active.start_time = start_time
        active.records_exception = record_exception
        active.sets_status = set_status_on_exception
        active.ends = end_on_exit
        return active

    def start_span(
        self,
        name: str,
        context: Context | None = None,
        kind: SpanKind = SpanKind.INTERNAL,
        attributes: Attributes = None,
        links: Sequence[Link] | None = (),
        start_time: int | None = None,
        record_exception: bool = True,
        set_status_on_exception: bool = True,
    ) -> Span:
        """Start a span without making it current; what goes wrong gives one that records nothing."""
        try:
            span = self.begin(name, current_context() if context is None else context, kind, attributes, start_time)
            for link in links or ():
                span.add_link(link.context, link.attributes)
        except Exception as error:
            FAILURES.caught("starting a span", error)
            return INVALID_SPAN
        if not (record_exception and set_status_on_exception) and isinstance(span, LeanSpan):
            span.expect_errors(record=record_exception, status=set_status_on_exception)
        return span

    def begin(
        self,
        name: str,
        context: Context,
        kind: SpanKind,
        attributes: Attributes,
        start_time: int | None = None,
        complete: Complete | None = None,
    ) -> Span:
        """Start a span in a context: what `start_span` does, without its border and its rare arguments.

        `complete` makes all attributes, those for the sampler included, if the span is recorded.
        """
        parent_span = context.get(SPAN)
        parent: SpanContext | None = None
        if parent_span is not None and isinstance(parent_span, Span):
            parent = parent_span.get_span_context()
            if not parent.is_valid:
                parent = None
        if not self._tracer_config.is_enabled:
            return INVALID_SPAN if parent is None else NonRecordingSpan(parent)
        if parent is None:
            trace_id, random = self.id_generator.generate_trace_id(), self._random_flag
        else:
            trace_id, random = parent.trace_id, parent.trace_flags & _RANDOM
        decision, state, added = self._decided(context, parent, trace_id, name, kind, attributes)
        own = SpanContext(
            trace_id,
            self.id_generator.generate_span_id(),
            False,
            _FLAGS[(_SAMPLED if decision is Decision.RECORD_AND_SAMPLE else 0) | random],
            state,
        )
        started = time_ns() if start_time is None else start_time
        if decision is Decision.DROP:
            if self._keeps is None:
                return NonRecordingSpan(own)
            return LatentSpan(own, name, parent, kind, started, complete or attributes, context, self)
        return self._recorded(name, own, parent, kind, started, complete or attributes, added, context)

    def _decided(
        self,
        context: Context,
        parent: SpanContext | None,
        trace_id: int,
        name: str,
        kind: SpanKind,
        attributes: Attributes,
    ) -> tuple[Decision, TraceState | None, Attributes]:
        if self._decide is not None:
            return *self._decide(parent, trace_id, name, attributes), None
        result = self.sampler.should_sample(context, trace_id, name, kind, attributes, ())
        return result.decision, result.trace_state, result.attributes

    def _recorded(
        self,
        name: str,
        own: SpanContext,
        parent: SpanContext | None,
        kind: SpanKind,
        started: int,
        attributes: Attributes | Complete,
        added: Attributes,
        context: Context,
    ) -> LeanSpan:
        kept, dropped = self._kept(attributes)
        values = context.get(CORRELATION)
        if isinstance(values, Correlation):
            _correlate(kept, values)
        span = LeanSpan(
            name,
            own,
            parent,
            kind,
            started,
            kept,
            self.resource,
            self._instrumentation_scope,
            self.span_processor,
            self._bounds,
        )
        if dropped:
            span.begin_dropping(dropped)
        if added:
            # Samplers of others give back what they were given, and may add to it or change it.
            given = kept if callable(attributes) else attributes or _NONE
            span.set_attributes({key: value for key, value in added.items() if _is_news(key, value, given, kept)})
        self.span_processor.on_start(span, context)
        return span

    def _kept(self, attributes: Attributes | Complete) -> tuple[dict[str, AnyValue], int]:
        bounds = self._bounds.span
        if callable(attributes):
            own = attributes()  # made for this span alone, of plain values
            return (own, 0) if bounds.length_max is None and len(own) <= bounds.count_max else cleaned(own, bounds)
        return cleaned(attributes, bounds) if attributes else ({}, 0)

    def wants(self, latent: LatentSpan, end_time: int) -> bool:
        """Tell whether a span that was refused is kept after all, now that its end is known."""
        try:
            keeps = self._keeps
            duration_s = (end_time - latent.start_time) / _NANOSECONDS
            return keeps is not None and keeps(error=latent.failed, duration_s=duration_s)
        except Exception as error:
            FAILURES.caught("keeping a span after the fact", error)
            return False

    def make_real(self, latent: LatentSpan, end_time: int) -> None:
        """Make a span that was refused real: sampled, with its own identifiers and its own times."""
        try:
            self._made_real(latent).end(end_time)
        except Exception as error:
            FAILURES.caught("keeping a span after the fact", error)

    def _made_real(self, latent: LatentSpan) -> Span:
        refused = latent.get_span_context()
        own = SpanContext(
            refused.trace_id, refused.span_id, False, _FLAGS[refused.trace_flags | _SAMPLED], refused.trace_state
        )
        span = self._recorded(
            latent.name,
            own,
            latent.parent,
            latent.kind,
            latent.start_time,
            latent.given,
            None,
            latent.parent_context,
        )
        span.set_attributes(latent.added or _NONE)
        if latent.error is not None:
            span.record_exception(latent.error)
        if latent.status is not None:
            span.set_status(latent.status)
        return span


def _is_news(key: str, value: AnyValue, given: Mapping[str, AnyValue], kept: Mapping[str, AnyValue]) -> bool:
    """Tell whether a sampler says something that the caller did not; of a request only what it adds counts."""
    return key not in given or (given is not kept and given[key] != value)


def _correlate(attributes: dict[str, AnyValue], values: Correlation) -> None:
    """Say whose work it is, where the span does not say so itself."""
    if values.tenant is not None:
        attributes.setdefault(TENANT, values.tenant)
    if values.user is not None:
        attributes.setdefault(USER, values.user)
    if values.correlation_id is not None:
        attributes.setdefault(CORRELATION_ID, values.correlation_id)
