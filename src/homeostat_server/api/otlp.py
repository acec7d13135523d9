"""What OTLP answers look like, in either format: success, partial success, failure. It knows neither HTTP nor gRPC."""

from collections.abc import Callable, Mapping
from typing import Final

import orjson
from google.protobuf import json_format
from google.protobuf.message import Message
from google.rpc import status_pb2
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsPartialSuccess, ExportLogsServiceResponse
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import (
    ExportMetricsPartialSuccess,
    ExportMetricsServiceResponse,
)
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTracePartialSuccess,
    ExportTraceServiceResponse,
)

from homeostat_server.ingest.decoding import BodyFormat
from homeostat_server.ingest.intake import Outcome
from homeostat_server.model.otlp_json import to_otlp_json
from homeostat_server.model.signal import Signal


def _traces(rejected: int, explanation: str) -> Message:
    partial = ExportTracePartialSuccess(rejected_spans=rejected, error_message=explanation)
    return ExportTraceServiceResponse(partial_success=partial)


def _logs(rejected: int, explanation: str) -> Message:
    partial = ExportLogsPartialSuccess(rejected_log_records=rejected, error_message=explanation)
    return ExportLogsServiceResponse(partial_success=partial)


def _metrics(rejected: int, explanation: str) -> Message:
    partial = ExportMetricsPartialSuccess(rejected_data_points=rejected, error_message=explanation)
    return ExportMetricsServiceResponse(partial_success=partial)


_PARTIAL_SUCCESS: Final[Mapping[Signal, Callable[[int, str], Message]]] = {
    Signal.TRACES: _traces,
    Signal.LOGS: _logs,
    Signal.METRICS: _metrics,
}

_FULL_SUCCESS: Final[Mapping[BodyFormat, bytes]] = {BodyFormat.PROTOBUF: b"", BodyFormat.JSON: b"{}"}


def answer(outcome: Outcome, *, signal: Signal, body_format: BodyFormat) -> bytes:
    """Return the `Export…ServiceResponse`; partial success only when something was refused, as the protocol demands."""
    if not outcome.rejected:
        return _FULL_SUCCESS[body_format]
    response = _PARTIAL_SUCCESS[signal](outcome.rejected, outcome.explanation)
    return orjson.dumps(to_otlp_json(response)) if body_format is BodyFormat.JSON else response.SerializeToString()


def failure(status: status_pb2.Status, *, body_format: BodyFormat) -> bytes:
    """Return the google.rpc.Status in the caller's format; it is no OTLP message, so plain protobuf JSON."""
    if body_format is BodyFormat.JSON:
        return json_format.MessageToJson(status, indent=None).encode()
    written: bytes = status.SerializeToString()
    return written


def outcome_word(outcome: Outcome) -> str:
    """Return the word that counts a request which did not fail."""
    if outcome.duplicate:
        return "duplicate"
    return "partial" if outcome.rejected else "accepted"
