"""The platform's own spans, on their way into its own spool. It makes no span itself.

They take the same way as everybody's: encoded as an OTLP request, durable in the spool, stored with the next segment.
Storing is not traced, so that a stored span never makes another one.
"""

import logging
from collections.abc import Sequence
from typing import Final

from opentelemetry.exporter.otlp.proto.common.trace_encoder import encode_spans
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult

import homeostat
from homeostat_server.exceptions import CapacityError
from homeostat_server.ingest.intake import DurableLog
from homeostat_server.model.tenant import Tenant

SERVICE_NAME: Final = "homeostat"

_LOG: Final = logging.getLogger(__name__)


class SpoolExporter(SpanExporter):
    """Put spans into a spool; what does not fit is dropped and counted by the spool."""

    def __init__(self, spool: DurableLog, *, tenant: Tenant) -> None:
        """Export into one tenant."""
        self._spool = spool
        self._tenant = tenant

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        """Append one request with these spans."""
        try:
            self._spool.append(self._tenant, encode_spans(spans).SerializeToString())
        except CapacityError as error:
            _LOG.warning("dropped %d spans of our own: %s", len(spans), error)
            return SpanExportResult.FAILURE
        return SpanExportResult.SUCCESS


def self_traces_provider() -> TracerProvider:
    """Return a provider that records; its spans go nowhere before `export_to_spool`."""
    resource = Resource.create({"service.name": SERVICE_NAME, "service.version": homeostat.__version__})
    return TracerProvider(resource=resource, shutdown_on_exit=False)


def export_to_spool(provider: TracerProvider, spool: DurableLog, *, tenant: Tenant) -> None:
    """Let a provider's spans end in a spool; shut the provider down before the spool closes."""
    provider.add_span_processor(BatchSpanProcessor(SpoolExporter(spool, tenant=tenant)))
