"""OpenTelemetry's global provider while a test captures: tracers that are found now work on after the capture.

Libraries find their tracer once and keep it for ever. So what they are given here asks at each span where spans go: to
the capture while there is one, else to whatever provider the process has by then.
"""

from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from typing import Final

from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import SpanProcessor, TracerProvider
from opentelemetry.trace import Link, NoOpTracerProvider, ProxyTracerProvider, Span, SpanKind, Tracer
from opentelemetry.util.types import Attributes

from homeostat.sampling import Sampling
from homeostat.tracing.provider import LeanProvider, build_provider

_GLOBAL: Final = "_TRACER_PROVIDER"
"""The only way to take a provider back: OpenTelemetry lets it be set once, and has no public way to unset it."""
_SERVICE: Final = "test"


class _Place:
    """Hold where spans go now; one for the process, as OpenTelemetry's provider is."""

    def __init__(self) -> None:
        self.capturing: LeanProvider | None = None


_PLACE: Final = _Place()


class AskingTracer(Tracer):
    """Make each span where spans go at that moment."""

    def __init__(self, *scope: object) -> None:
        """Be the tracer of a scope: name, version, schema and attributes, as a provider takes them."""
        self._scope = scope
        self._known: tuple[object, Tracer | None] = (None, None)

    def start_span(  # noqa: PLR0917 - the signature is OpenTelemetry's
        self,
        name: str,
        context: Context | None = None,
        kind: SpanKind = SpanKind.INTERNAL,
        attributes: Attributes = None,
        links: Sequence[Link] | None = None,
        start_time: int | None = None,
        record_exception: bool = True,  # noqa: FBT001, FBT002 - the same
        set_status_on_exception: bool = True,  # noqa: FBT001, FBT002 - the same
    ) -> Span:
        """Start a span."""
        return self._tracer().start_span(
            name, context, kind, attributes, links, start_time, record_exception, set_status_on_exception
        )

    def start_as_current_span(  # type: ignore[override]  # noqa: PLR0913, PLR0917 - it is a decorated generator there
        self,
        name: str,
        context: Context | None = None,
        kind: SpanKind = SpanKind.INTERNAL,
        attributes: Attributes = None,
        links: Sequence[Link] | None = None,
        start_time: int | None = None,
        record_exception: bool = True,  # noqa: FBT001, FBT002 - the same
        set_status_on_exception: bool = True,  # noqa: FBT001, FBT002 - the same
        end_on_exit: bool = True,  # noqa: FBT001, FBT002 - the same
    ) -> AbstractContextManager[Span]:
        """Start a span that is current in a block."""
        return self._tracer().start_as_current_span(
            name,
            context,
            kind,
            attributes,
            links,
            start_time,
            record_exception,
            set_status_on_exception,
            end_on_exit,
        )

    def _tracer(self) -> Tracer:
        provider: trace.TracerProvider = _PLACE.capturing or _elsewhere()
        known, tracer = self._known
        if tracer is None or known is not provider:
            tracer = provider.get_tracer(*self._scope)  # type: ignore[arg-type]  # they came in this order
            self._known = (provider, tracer)
        return tracer


class AskingProvider(ProxyTracerProvider):
    """Give tracers that ask; being a proxy says that no provider was set, so that `configure()` sets its own."""

    def get_tracer(
        self,
        instrumenting_module_name: str,
        instrumenting_library_version: str | None = None,
        schema_url: str | None = None,
        attributes: Attributes = None,
    ) -> Tracer:
        """Return the tracer of a scope."""
        scope = (instrumenting_module_name, instrumenting_library_version, schema_url, attributes)
        # The SDK's own helpers look at each span whether the provider is another one.
        own = _PLACE.capturing if instrumenting_module_name.startswith("homeostat") else None
        return AskingTracer(*scope) if own is None else own.get_tracer(*scope)


_NOWHERE: Final = NoOpTracerProvider()


def _elsewhere() -> trace.TracerProvider:
    provider = trace.get_tracer_provider()
    return _NOWHERE if isinstance(provider, ProxyTracerProvider) else provider


@contextmanager
def standing_in(sink: SpanProcessor) -> Iterator[None]:
    """Be OpenTelemetry's provider where there is none, and take the place of the processors of one that is not ours."""
    before, outer = getattr(trace, _GLOBAL), _PLACE.capturing
    capturing = build_provider(
        resource=Resource({"service.name": _SERVICE}), sampler=Sampling().sampler, processors=(sink,)
    )
    # A new one each time: who remembers a tracer by its provider looks for it again.
    asking = AskingProvider()
    if before is None or isinstance(before, AskingProvider):
        setattr(trace, _GLOBAL, asking)
    _PLACE.capturing = capturing
    try:
        with _processors_replaced(before, sink):
            yield
    finally:
        _PLACE.capturing = outer
        if getattr(trace, _GLOBAL) is asking:
            setattr(trace, _GLOBAL, before)


@contextmanager
def _processors_replaced(provider: object, sink: SpanProcessor) -> Iterator[None]:
    """Send the spans of another SDK's provider to the sink alone, and put its processors back afterwards."""
    if not isinstance(provider, TracerProvider) or isinstance(provider, LeanProvider):
        yield
        return
    several = provider._active_span_processor  # noqa: SLF001 - there is no public way to take a processor away
    before = several._span_processors  # noqa: SLF001 - the same
    several._span_processors = (sink,)  # noqa: SLF001 - the same
    try:
        yield
    finally:
        added = tuple(one for one in several._span_processors if one is not sink)  # noqa: SLF001 - the same
        several._span_processors = (*before, *added)  # noqa: SLF001 - the same
