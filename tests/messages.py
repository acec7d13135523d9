"""What every integration of a message broker must keep, asked of a message that was sent and handled."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Final, Protocol

from opentelemetry.propagate import get_global_textmap, set_global_textmap
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.sdk.trace.sampling import ALWAYS_ON
from opentelemetry.trace import SpanContext, SpanKind, get_current_span

from homeostat.integrations.messaging import Messaging
from homeostat.propagation import Correlation, PropagationConfig, Propagator, bound, current
from homeostat.tracing.active import ActiveSpan, Begins
from homeostat.tracing.own import ForeignTracer
from homeostat.tracing.provider import build_provider
from tests.waiting import until

REQUEST: Final = Correlation("c-1", "before", "m-1", "acme", "u-1")
"""What is current where a message is sent."""


class Integration(Protocol):
    """A module of `homeostat.integrations` for a broker's client."""

    def install(self, messaging: Messaging) -> None:
        """Begin."""

    def uninstall(self) -> None:
        """End."""


@dataclass(frozen=True, slots=True)
class Seen:
    """Hold what a handler found when it ran."""

    values: Correlation
    span: SpanContext
    payload: object = None


def see(payload: object = None) -> Seen:
    """Return what is current here; called by handlers."""
    return Seen(current(), get_current_span().get_span_context(), payload)


@dataclass(frozen=True, slots=True)
class Observed:
    """Hold the spans that messages make during a test."""

    messaging: Messaging
    propagator: Propagator
    tracer: Begins
    exporter: InMemorySpanExporter
    provider: TracerProvider
    seen: list[Seen] = field(default_factory=list)

    def spans(self, kind: SpanKind | None = None) -> list[ReadableSpan]:
        """Return the spans that have ended, in order of their end, of one kind or of all."""
        return [span for span in self.exporter.get_finished_spans() if kind is None or span.kind is kind]

    def ids(self, kind: SpanKind) -> list[int]:
        """Return the ids of the spans of a kind that have ended."""
        return [context_of(span).span_id for span in self.spans(kind)]

    async def handled(self, count: int = 1) -> list[ReadableSpan]:
        """Wait until so many messages have been handled to the end, and return their spans."""
        await asyncio.to_thread(until, lambda: len(self.spans(SpanKind.CONSUMER)) >= count, what="handled messages")
        return self.spans(SpanKind.CONSUMER)

    def request(self) -> ActiveSpan:
        """Return a span as of a request, around what it does."""
        return ActiveSpan(self.tracer, "request", SpanKind.SERVER, {})


def context_of(span: ReadableSpan) -> SpanContext:
    """Return the context of a span that has ended."""
    context = span.get_span_context()
    assert context is not None
    return context


@contextmanager
def observing(*integrations: Integration) -> Iterator[Observed]:
    """Install integrations for a block, with a provider of their own, and see that nothing is left afterwards."""
    exporter = InMemorySpanExporter()
    provider = build_provider(resource=Resource({}), sampler=ALWAYS_ON, processors=(SimpleSpanProcessor(exporter),))
    tracer = ForeignTracer(provider.get_tracer("test"))
    propagator = Propagator(PropagationConfig(baggage_allowed=("cart",)))
    messaging = Messaging(propagator, tracer=lambda: tracer)
    before = get_global_textmap()
    set_global_textmap(propagator)
    for integration in integrations:
        integration.install(messaging)
        integration.install(messaging)
    try:
        yield Observed(messaging, propagator, tracer, exporter, provider)
    finally:
        for integration in integrations:
            integration.uninstall()
            integration.uninstall()
        set_global_textmap(before)
        provider.shutdown()
    assert current() == Correlation()
    assert not get_current_span().get_span_context().is_valid


@contextmanager
def in_request(observed: Observed) -> Iterator[SpanContext]:
    """Run a block as a request would: inside a span, with all values and some baggage."""
    with (
        bound(**REQUEST._asdict(), baggage={"cart": "7", "secret": "stays"}),
        observed.request() as span,
    ):
        yield span.get_span_context()


def check_one_trace(observed: Observed, seen: Seen, *, system: str, destination: str) -> None:
    """See that one message was sent inside the request and handled inside its own span, all of it one trace."""
    [request] = observed.spans(SpanKind.SERVER)
    [producer] = observed.spans(SpanKind.PRODUCER)
    [consumer] = observed.spans(SpanKind.CONSUMER)
    assert producer.parent is not None
    assert consumer.parent is not None
    assert producer.parent.span_id == context_of(request).span_id
    assert consumer.parent.span_id == context_of(producer).span_id
    assert consumer.parent.is_remote
    assert len({context_of(span).trace_id for span in (request, producer, consumer)}) == 1
    assert seen.span.span_id == context_of(consumer).span_id
    check_values(seen)
    for span, kind in ((producer, "send"), (consumer, "process")):
        attributes = span.attributes or {}
        assert attributes["messaging.system"] == system
        assert attributes["messaging.operation.type"] == kind
        assert attributes["causation.id"] == "m-1"
        assert (attributes["tenant.id"], attributes["user.id"], attributes["correlation.id"]) == ("acme", "u-1", "c-1")
        assert span.name == f"{attributes['messaging.operation.name']!s} {destination}"
    assert (consumer.attributes or {})["messaging.destination.name"] == destination


def check_values(seen: Seen) -> None:
    """See that a handler found what the request had, and the request's message as the cause of its own."""
    assert seen.values._replace(message_id=None) == Correlation("c-1", "m-1", None, "acme", "u-1")
    assert seen.values.message_id not in {None, "m-1"}
