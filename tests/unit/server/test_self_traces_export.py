import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.sdk.trace.export import SpanExportResult

import homeostat
from homeostat_server.exceptions import SpoolFull
from homeostat_server.ingest.testing_intake import MemorySpool
from homeostat_server.model.tenant import DEFAULT_TENANT
from homeostat_server.server.self_traces import SpoolExporter, export_to_spool, self_traces_provider


def test_spans_end_in_the_spool_as_one_request() -> None:
    """They are an OTLP request of the service homeostat, in the tenant that was named, at the provider's end."""
    spool, provider = MemorySpool(), self_traces_provider()
    export_to_spool(provider, spool, tenant=DEFAULT_TENANT)
    tracer = provider.get_tracer("homeostat")
    with tracer.start_as_current_span("GET"), tracer.start_as_current_span("SELECT"):
        pass
    provider.shutdown()
    [(tenant, body)] = spool.requests
    [block] = ExportTraceServiceRequest.FromString(body).resource_spans
    resource = {pair.key: pair.value.string_value for pair in block.resource.attributes}
    assert (tenant, resource["service.name"]) == (DEFAULT_TENANT, "homeostat")
    assert resource["service.version"] == homeostat.__version__
    assert {span.name for scope in block.scope_spans for span in scope.spans} == {"GET", "SELECT"}


def test_spans_before_there_is_a_spool_go_nowhere() -> None:
    """What happens while the platform starts is not kept, and is no error."""
    provider = self_traces_provider()
    with provider.get_tracer("homeostat").start_as_current_span("early"):
        pass
    provider.shutdown()


def test_spans_that_do_not_fit_are_dropped(caplog: pytest.LogCaptureFixture) -> None:
    """A full spool is told once a batch, and never raised into the request that made the span."""
    spool = MemorySpool()
    spool.refuse_with = SpoolFull("accept the request")
    exporter = SpoolExporter(spool, tenant=DEFAULT_TENANT)
    provider = self_traces_provider()
    span = provider.get_tracer("homeostat").start_span("GET")
    span.end()
    assert exporter.export([span]) is SpanExportResult.FAILURE  # type: ignore[list-item]  # the SDK's span is readable
    assert "dropped 1 spans of our own" in caplog.text
    provider.shutdown()
