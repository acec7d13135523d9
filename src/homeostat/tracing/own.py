"""The tracer of the helpers, found again whenever the process's provider is another one.

It works with any OpenTelemetry provider: with another than ours, spans are what that one makes.
"""

from typing import Final

from opentelemetry.context import Context
from opentelemetry.trace import NoOpTracer, Span, SpanKind, Tracer, TracerProvider, get_tracer_provider
from opentelemetry.util.types import Attributes

from homeostat.tracing.active import Begins
from homeostat.tracing.failures import FAILURES
from homeostat.tracing.tracer import OWN_SCOPE, Complete, LeanTracer


class ForeignTracer:
    """Begin spans with a tracer that is not ours."""

    def __init__(self, tracer: Tracer) -> None:
        self._tracer = tracer

    def begin(
        self,
        name: str,
        context: Context,
        kind: SpanKind,
        attributes: Attributes,
        start_time: int | None = None,
        complete: Complete | None = None,
        /,
    ) -> Span:
        """Start a span in a context."""
        said = attributes if complete is None else complete()
        return self._tracer.start_span(name, context, kind, said, start_time=start_time)


class OwnTracers:
    """Remember the tracer of one scope for the provider that is current, or for a given one."""

    def __init__(self, scope: str, provider: TracerProvider | None = None) -> None:
        self._scope = scope
        self._provider = provider
        self._known: tuple[TracerProvider | None, Begins | None] = (None, None)

    def current(self) -> Begins:
        """Return the tracer of the current provider."""
        provider = self._provider or get_tracer_provider()
        known, begins = self._known
        if known is provider and begins is not None:
            return begins
        tracer: Tracer = NoOpTracer()
        with FAILURES.contained("finding a tracer"):
            tracer = provider.get_tracer(self._scope)
        begins = tracer if isinstance(tracer, LeanTracer) else ForeignTracer(tracer)
        self._known = (provider, begins)
        return begins


HELPERS: Final = OwnTracers(OWN_SCOPE)
"""Helpers are plain functions, so what they remember is the process's, as OpenTelemetry's provider is."""
