"""The provider of tracers: the SDK's, with lean tracers, guarded processors and identifiers of its own.

It registers nothing globally and stops nothing at exit: who starts it does both.
"""

import threading
from collections.abc import Sequence

from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import SpanLimits, SpanProcessor, TracerProvider
from opentelemetry.sdk.trace.id_generator import IdGenerator
from opentelemetry.sdk.trace.sampling import Sampler
from opentelemetry.sdk.util.instrumentation import InstrumentationScope
from opentelemetry.trace import NoOpTracer, Tracer
from opentelemetry.util.types import Attributes

from homeostat.tracing.failures import FAILURES
from homeostat.tracing.identifiers import RandomIdentifiers
from homeostat.tracing.processors import GuardedProcessors
from homeostat.tracing.spans import SpanBounds
from homeostat.tracing.tracer import Keeps, LeanTracer

SCOPES_MAX = 1_000
"""Tracers that are kept; a program that makes a name for each call gets a new tracer each time beyond this."""


class LeanProvider(TracerProvider):
    """Give out tracers, one a scope."""

    def __init__(
        self,
        *,
        resource: Resource,
        sampler: Sampler,
        limits: SpanLimits,
        identifiers: IdGenerator,
        keeps: Keeps | None,
    ) -> None:
        super().__init__(
            sampler=sampler,
            resource=resource,
            shutdown_on_exit=False,
            active_span_processor=GuardedProcessors(),
            id_generator=identifiers,
            span_limits=limits,
        )
        self._bounds = SpanBounds(limits)
        self._keeps = keeps

    def get_tracer(
        self,
        instrumenting_module_name: str,
        instrumenting_library_version: str | None = None,
        schema_url: str | None = None,
        attributes: Attributes = None,
    ) -> Tracer:
        """Return the tracer of a scope."""
        if self._disabled:
            return NoOpTracer()
        name, version = instrumenting_module_name or "", instrumenting_library_version or ""
        scope = InstrumentationScope(name, version, schema_url, attributes)
        with self._tracers_lock:
            known = self._tracers.get(scope)
            if known is not None:
                return known
            tracer = self._made(scope)
            if len(self._tracers) < SCOPES_MAX:
                self._tracers[scope] = tracer
            return tracer

    def renew(self, resource: Resource) -> None:
        """Begin again in a forked child: with its own resource, and locks that nobody holds."""
        FAILURES.renew()
        self._tracers_lock = threading.Lock()
        self.identify(resource)

    def identify(self, resource: Resource) -> None:
        """Let spans that begin from now on say that they are of this process."""
        self._resource = resource
        for tracer in self._tracers.values():
            tracer.resource = resource

    def _made(self, scope: InstrumentationScope) -> LeanTracer:
        tracer = LeanTracer(
            self.sampler,
            self._resource,
            self._active_span_processor,
            self.id_generator,
            None,  # type: ignore[arg-type]  # the older form of the scope, deprecated for years
            self._span_limits,
            scope,
            meter_provider=self._meter_provider,
            _tracer_config=self._apply_tracer_configurator(scope),
        )
        tracer.adopt(bounds=self._bounds, keeps=self._keeps)
        return tracer

    def _handle_fork(self) -> None:
        # The SDK would give the child an identity of its own making; `renew` gives it the one that all signals share.
        self._tracers_lock = threading.Lock()


def build_provider(
    *,
    resource: Resource,
    sampler: Sampler,
    processors: Sequence[SpanProcessor] = (),
    keeps: Keeps | None = None,
    limits: SpanLimits | None = None,
    identifiers: IdGenerator | None = None,
) -> LeanProvider:
    """Build a provider of tracers.

    Args:
        resource: what all spans say about this process.
        sampler: decides on each span when it begins; one with a method `decide` (`sampling.HeadSampler`) is asked more
            cheaply.
        processors: are told of recorded spans, in this order.
        keeps: is asked when a span that the sampler refused ends; without it such spans are forgotten.
        limits: bounds of one span; OpenTelemetry's, with its environment variables, if left out.
        identifiers: where trace and span identifiers come from.
    """
    provider = LeanProvider(
        resource=resource,
        sampler=sampler,
        limits=limits or SpanLimits(),
        identifiers=identifiers or RandomIdentifiers(),
        keeps=keeps,
    )
    for processor in processors:
        provider.add_span_processor(processor)
    return provider
