from collections.abc import Iterator
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span, TracesData

from homeostat_server.model.tenant import Tenant
from homeostat_server.query.traces.lookup import Place, find_trace, read_piece
from tests.otlp_strategies import trace_blocks
from tests.telemetry_store import FilledStore

TRACE_ID = bytes(range(16))
SETTINGS = settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))


def spans_with_surroundings(data: TracesData) -> list[tuple[Any, ...]]:
    """Return each span with what is around it, in the order of (start, span id)."""
    found = []
    for block in data.resource_spans:
        for scope in block.scope_spans:
            resource = (block.resource.SerializeToString(deterministic=True), block.schema_url)
            around = (*resource, scope.scope.SerializeToString(deterministic=True), scope.schema_url)
            found += [(span.start_time_unix_nano, span.span_id, _bytes(span), *around) for span in scope.spans]
    return sorted(found)


def _bytes(span: Span) -> bytes:
    normal = Span()
    normal.CopyFrom(span)
    # A status that says nothing is one that is not there.
    if not normal.status.code and not normal.status.message:
        normal.ClearField("status")
    return normal.SerializeToString(deterministic=True)


def pieces(filled: FilledStore, tenant: Tenant, *, spans_max: int) -> Iterator[TracesData]:
    """Yield a trace piece by piece."""
    trace = find_trace(filled.store, tenant=tenant, trace_id=TRACE_ID.hex())
    after: Place | None = None
    while True:
        piece = read_piece(filled.store, trace, after=after, spans_max=spans_max)
        yield piece.data
        if piece.next_place is None:
            return
        after = piece.next_place


@SETTINGS
@given(sent=trace_blocks(TRACE_ID), spans_max=st.integers(1, 20))
def test_a_trace_comes_back_as_it_was_sent(filled: FilledStore, sent: TracesData, spans_max: int) -> None:
    """Every field of every span, resource and scope survives, in whatever pieces the trace is read."""
    tenant = filled.new_tenant()
    filled.insert(tenant, ExportTraceServiceRequest(resource_spans=sent.resource_spans))
    found = TracesData()
    for piece in pieces(filled, tenant, spans_max=spans_max):
        found.MergeFrom(piece)
    assert spans_with_surroundings(found) == spans_with_surroundings(sent)
