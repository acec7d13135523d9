"""From a decoded request to what is worth making durable, for each signal the same way. It does no IO."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Final

from google.protobuf.message import DecodeError, Message
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from homeostat_server.exceptions import InvalidRequest
from homeostat_server.ingest.checks import logs, metrics, traces
from homeostat_server.ingest.checks.refusals import Findings, Refusal
from homeostat_server.model.signal import Signal


@dataclass(frozen=True, slots=True, kw_only=True)
class Examined:
    """Hold what came out of the checks.

    Attributes:
        body: what to store: the sender's own bytes when every item is good, else those without the refused items; empty
            when nothing is left.
        items: how many items `body` holds.
        rejected: how many items were refused.
        refusals: how many by reason.
        explanation: the reasons for the sender, empty when nothing was refused.
    """

    body: bytes
    items: int
    rejected: int = 0
    refusals: Mapping[Refusal, int] = field(default_factory=dict)
    explanation: str = ""


@dataclass(frozen=True, slots=True)
class _Rules:
    request_type: type[Message]
    count_if_all_good: Callable[..., int | None]
    refuse_bad: Callable[..., Findings]


_RULES: Final[Mapping[Signal, _Rules]] = {
    Signal.TRACES: _Rules(ExportTraceServiceRequest, traces.count_if_all_good, traces.refuse_bad),
    Signal.LOGS: _Rules(ExportLogsServiceRequest, logs.count_if_all_good, logs.refuse_bad),
    Signal.METRICS: _Rules(ExportMetricsServiceRequest, metrics.count_if_all_good, metrics.refuse_bad),
}


def new_request(signal: Signal) -> Message:
    """Return an empty `Export…ServiceRequest` of the signal."""
    return _RULES[signal].request_type()


def parse_request(signal: Signal, *, body: bytes) -> Message:
    """Return the decoded `Export…ServiceRequest` of the signal.

    Raises:
        InvalidRequest: the bytes are not such a message.
    """
    try:
        return _RULES[signal].request_type.FromString(body)
    except DecodeError as error:
        raise InvalidRequest(f"decode the body as OTLP {signal} in protobuf", value=str(error)) from error


def canonical(signal: Signal, *, body: bytes) -> bytes:
    """Return the same request as this process would have written it.

    Protobuf parsers must take more than the engine's reads: fields with another wire type than declared, groups, a
    oneof set twice, overlong numbers. What an examined request says survives, what is in no schema does not. It costs
    four times what the checks cost, so it is for the few bodies that the engine refuses.

    Raises:
        InvalidRequest: the bytes are not such a message.
    """
    return _written(parse_request(signal, body=body))


def examine(request: Message, *, signal: Signal, body: bytes, attributes_max: int) -> Examined:
    """Check every item of a request; about 0.6 µs a span, so keep large requests off the event loop.

    Args:
        request: the decoded request; refused items are removed from it.
        signal: what it carries.
        body: the bytes that it was decoded from.
        attributes_max: bound of the attributes of an item, and of a resource or scope.
    """
    rules = _RULES[signal]
    items = rules.count_if_all_good(request, attributes_max=attributes_max)
    if items is not None:
        return Examined(body=body if items else b"", items=items)
    findings = rules.refuse_bad(request, attributes_max=attributes_max)
    left = rules.count_if_all_good(request, attributes_max=attributes_max) or 0
    return Examined(
        body=_written(request) if left else b"",
        items=left,
        rejected=findings.rejected,
        refusals=findings.counts,
        explanation=findings.explain(),
    )


def _written(request: Message) -> bytes:
    request.DiscardUnknownFields()
    return request.SerializeToString()
