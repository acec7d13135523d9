"""What is put around the application: nothing, Homeostat, or OpenTelemetry's contrib packages with their defaults."""

import importlib
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import StrEnum
from importlib.util import find_spec
from typing import Any, Final

from opentelemetry.sdk.trace import SpanProcessor, TracerProvider
from opentelemetry.sdk.trace.sampling import ParentBasedTraceIdRatio

from homeostat.overhead.application import Application, framework
from homeostat.start.configuration import configure, instrument, running_process

SERVICE: Final = "homeostat-overhead"
_CONTRIB: Final = (
    "opentelemetry.instrumentation.fastapi",
    "opentelemetry.exporter.otlp.proto.http.trace_exporter",
)
_FLUSH_S: Final = 10.0


class Variant(StrEnum):
    """Who observes the application."""

    BARE = "bare"
    HOMEOSTAT = "homeostat"
    CONTRIB = "contrib"


@dataclass(slots=True)
class Observed:
    """Hold an application with what is around it.

    Attributes:
        app: to be called.
        flush: sends what is waiting.
        lost: tells how many spans were not sent, None where nobody counts.
    """

    app: Application
    flush: Callable[[], object]
    lost: Callable[[], int | None] = field(default=lambda: None)


def has_contrib() -> bool:
    """Tell whether contrib's packages for the framework are installed."""
    return framework() == "fastapi" and all(_is_there(module) for module in _CONTRIB)


def observed(variant: Variant, app: Application, *, ratio: float, endpoint: str) -> Observed:
    """Put a variant around an application.

    Args:
        variant: who observes it.
        app: the application.
        ratio: share of traces that are kept.
        endpoint: where OTLP/HTTP goes, without the path of a signal.
    """
    if variant is Variant.BARE:
        return Observed(app, flush=lambda: None)
    if variant is Variant.HOMEOSTAT:
        return _homeostat(app, ratio=ratio, endpoint=endpoint)
    return _contrib(app, ratio=ratio, endpoint=endpoint)


def _homeostat(app: Application, *, ratio: float, endpoint: str) -> Observed:
    handle = configure(SERVICE, endpoint=endpoint, sampling_ratio=ratio, greeting="off", instrument=())
    wrapped: Application = instrument(app)
    return Observed(wrapped, flush=lambda: handle.flush(_FLUSH_S), lost=_lost)


def _lost() -> int | None:
    running = running_process()
    if running is None or running.parts is None:
        return None
    return sum(running.parts.exporting.statistics().dropped.values())


def _contrib(app: Application, *, ratio: float, endpoint: str) -> Observed:
    fastapi: Any = importlib.import_module(_CONTRIB[0])
    exporter: Any = importlib.import_module(_CONTRIB[1])
    export: Any = importlib.import_module("opentelemetry.sdk.trace.export")
    resources: Any = importlib.import_module("opentelemetry.sdk.resources")
    provider = TracerProvider(
        resource=resources.Resource.create({"service.name": SERVICE}), sampler=ParentBasedTraceIdRatio(ratio)
    )
    processor: SpanProcessor = export.BatchSpanProcessor(exporter.OTLPSpanExporter(endpoint=f"{endpoint}/v1/traces"))
    provider.add_span_processor(processor)
    fastapi.FastAPIInstrumentor.instrument_app(app, tracer_provider=provider)
    return Observed(app, flush=provider.force_flush)


def _is_there(module: str) -> bool:
    try:
        return find_spec(module) is not None
    except ModuleNotFoundError:
        return False
