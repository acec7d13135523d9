"""Spans of `tests.slow_traces` as they would be sent."""

from collections.abc import Sequence
from typing import Final

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue
from opentelemetry.proto.resource.v1.resource_pb2 import Resource

from tests import otlp
from tests.slow_traces import Said

WEIGHTS: Final = {"": 1.0, "ot=th:8": 2.0, "ot=th:c": 4.0}
"""What tracestates say that a span stands for."""


def request(spans: Sequence[Said]) -> ExportTraceServiceRequest:
    """Return spans as they would be sent."""
    made = ExportTraceServiceRequest()
    states = {weight: state for state, weight in WEIGHTS.items()}
    for said in spans:
        resource = Resource(attributes=[KeyValue(key="service.name", value=AnyValue(string_value=said.service))])
        span = otlp.span(
            trace_id=said.trace.to_bytes(16),
            span_id=said.span.to_bytes(8),
            parent_span_id=said.parent.to_bytes(8) if said.parent else b"",
            name=said.name,
            kind=said.kind,
            start_time_unix_nano=said.start_ns,
            end_time_unix_nano=said.start_ns + said.duration_ns,
            trace_state=states[said.weight],
        )
        del span.attributes[:]
        for key, value in said.attributes:
            span.attributes.append(KeyValue(key=key, value=AnyValue(string_value=value)))
        span.status.code = said.status  # type: ignore[assignment] # numbers are enums on the wire
        made.MergeFrom(otlp.traces(span, resource=resource))
    return made
