"""What a service sets up to be observed: the stock OpenTelemetry SDK. It does not know who receives.

Where to and how often it sends is said by the SDK's own variables: `OTEL_EXPORTER_OTLP_ENDPOINT`, `OTEL_SERVICE_NAME`,
`OTEL_BSP_SCHEDULE_DELAY`, `OTEL_BLRP_SCHEDULE_DELAY`, `OTEL_METRIC_EXPORT_INTERVAL`.
"""

import logging
from collections.abc import Callable
from dataclasses import dataclass

from fastapi import FastAPI
from opentelemetry import _logs, metrics, trace
from opentelemetry.exporter.otlp.proto.grpc import _log_exporter as grpc_logs
from opentelemetry.exporter.otlp.proto.grpc import metric_exporter as grpc_metrics
from opentelemetry.exporter.otlp.proto.grpc import trace_exporter as grpc_traces
from opentelemetry.exporter.otlp.proto.http import _log_exporter as http_logs
from opentelemetry.exporter.otlp.proto.http import metric_exporter as http_metrics
from opentelemetry.exporter.otlp.proto.http import trace_exporter as http_traces
from opentelemetry.instrumentation.fastapi import FastAPIInstrumentor
from opentelemetry.instrumentation.httpx import HTTPXClientInstrumentor
from opentelemetry.instrumentation.logging import LoggingInstrumentor
from opentelemetry.instrumentation.propagators import TraceResponsePropagator, set_global_response_propagator
from opentelemetry.sdk._logs import LoggerProvider
from opentelemetry.sdk._logs.export import BatchLogRecordProcessor, LogRecordExporter
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import MetricExporter, PeriodicExportingMetricReader
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter

from demo.services.protocol import Protocol


@dataclass(frozen=True, slots=True, kw_only=True)
class Exporters:
    """Hold one exporter for each signal."""

    spans: SpanExporter
    metrics: MetricExporter
    logs: LogRecordExporter


def exporters(protocol: Protocol) -> Exporters:
    """Return the SDK's own exporters for a protocol, set up by their variables."""
    if protocol is Protocol.GRPC:
        return Exporters(
            spans=grpc_traces.OTLPSpanExporter(),
            metrics=grpc_metrics.OTLPMetricExporter(),
            logs=grpc_logs.OTLPLogExporter(),
        )
    return Exporters(
        spans=http_traces.OTLPSpanExporter(),
        metrics=http_metrics.OTLPMetricExporter(),
        logs=http_logs.OTLPLogExporter(),
    )


def observe(protocol: Protocol) -> Callable[[], None]:
    """Set up traces, metrics and logs of this process; return what sends all that is still held, and ends."""
    chosen = exporters(protocol)
    tracing = TracerProvider()
    tracing.add_span_processor(BatchSpanProcessor(chosen.spans))
    trace.set_tracer_provider(tracing)
    metering = MeterProvider(metric_readers=[PeriodicExportingMetricReader(chosen.metrics)])
    metrics.set_meter_provider(metering)
    logging_provider = LoggerProvider()
    logging_provider.add_log_record_processor(BatchLogRecordProcessor(chosen.logs))
    _logs.set_logger_provider(logging_provider)
    _observe_libraries()

    def end() -> None:
        tracing.shutdown()
        metering.shutdown()
        logging_provider.shutdown()

    return end


def observe_app(app: FastAPI) -> FastAPI:
    """Give each request a span and a duration; the probe is left out, and so are the spans of single messages."""
    FastAPIInstrumentor.instrument_app(app, excluded_urls="/ready", exclude_spans=["receive", "send"])
    return app


def _observe_libraries() -> None:
    HTTPXClientInstrumentor().instrument()
    LoggingInstrumentor().instrument()
    # The caller learns the trace id from the answer (W3C's `traceresponse` header).
    set_global_response_propagator(TraceResponsePropagator())  # type: ignore[no-untyped-call]  # no annotations
    logging.getLogger().setLevel(logging.INFO)
    # One line for each request would say again what its span says.
    logging.getLogger("httpx").setLevel(logging.WARNING)
