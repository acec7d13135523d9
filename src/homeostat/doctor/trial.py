"""Sends one span and says what came of it. It leaves nothing behind: no buffer, no thread, no global provider."""

import time
from dataclasses import replace
from typing import Final

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from homeostat.buffer import Record
from homeostat.doctor.findings import Finding, ok, problem, warning
from homeostat.exceptions import HomeostatError
from homeostat.export.exporting import transport_of
from homeostat.export.outcomes import Outcome, Verdict
from homeostat.process.identity import new_identity
from homeostat.settings.rows import DEFAULT_ORIGIN
from homeostat.settings.table import Settings
from homeostat.start.assembly import export_config, traces_address
from homeostat.start.resource import make_resource
from homeostat.tracing.identifiers import RandomIdentifiers

SUBJECT: Final = "test span"
NAME: Final = "homeostat doctor"

_REFUSED_KEYS: Final = {"http_401", "http_403", "grpc_unauthenticated", "grpc_permission_denied"}


def send_test_span(settings: Settings) -> Finding:
    """Send a span as the service would, and return what the receiver said."""
    try:
        config = replace(export_config(settings), spool_folder=None)
        transport = transport_of(config)
    except HomeostatError as error:
        return problem(SUBJECT, f"cannot {error}")
    request, trace_id = _request(settings)
    began_s = time.monotonic()
    try:
        outcome = transport.send(Record("traces", 1, request.SerializeToString()), timeout_s=config.timeout_s)
    finally:
        transport.close()
    return _finding(
        settings, outcome, address=traces_address(settings), trace_id=trace_id, took_s=time.monotonic() - began_s
    )


def _request(settings: Settings) -> tuple[ExportTraceServiceRequest, str]:
    identifiers = RandomIdentifiers()
    trace_id, now_ns = identifiers.generate_trace_id(), time.time_ns()
    request = ExportTraceServiceRequest()
    group = request.resource_spans.add()
    for key, value in make_resource(settings, new_identity()).attributes.items():
        group.resource.attributes.add(key=key).value.string_value = str(value)
    scope = group.scope_spans.add()
    scope.scope.name = "homeostat.doctor"
    span = scope.spans.add(name=NAME, start_time_unix_nano=now_ns, end_time_unix_nano=now_ns + 1)
    span.trace_id = trace_id.to_bytes(16, "big")
    span.span_id = identifiers.generate_span_id().to_bytes(8, "big")
    span.kind = span.SPAN_KIND_INTERNAL
    return request, f"{trace_id:032x}"


def _finding(settings: Settings, outcome: Outcome, *, address: str, trace_id: str, took_s: float) -> Finding:
    said = f"{outcome.reason}{f': {outcome.message}' if outcome.message else ''}"
    if outcome.verdict is Verdict.TAKEN and not outcome.refused_items:
        return ok(SUBJECT, f"taken by {address} in {took_s * 1000:.0f} ms, trace {trace_id}")
    detail = f"{address} did not take it: {said}"
    if outcome.reason in _REFUSED_KEYS:
        return problem(SUBJECT, detail, "Set HOMEOSTAT_API_KEY to a key that may ingest: homeostat key create.")
    if outcome.verdict is Verdict.NOT_NOW and _is_default(settings):
        hint = "Nobody set an endpoint: start a platform here with `homeostat up`, or set HOMEOSTAT_ENDPOINT."
        return warning(SUBJECT, detail, hint)
    return problem(SUBJECT, detail, "Until it is taken, spans wait in the buffer, within its bound.")


def _is_default(settings: Settings) -> bool:
    return {settings.origin("endpoint"), settings.origin("traces_endpoint")} == {DEFAULT_ORIGIN}
