"""Segment files as the spool leaves them, for tests of what reads them."""

from collections.abc import Iterable, Iterator
from itertools import count
from pathlib import Path
from typing import Final

from google.protobuf.message import Message
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from homeostat_server.ingest.segment import digest_of, frame, segment_name
from homeostat_server.model.segment import NODE_BITS, SealedSegment
from homeostat_server.model.signal import Signal
from tests.otlp import NOW_NS

SIGNALS: Final[dict[type[Message], Signal]] = {
    ExportTraceServiceRequest: Signal.TRACES,
    ExportLogsServiceRequest: Signal.LOGS,
    ExportMetricsServiceRequest: Signal.METRICS,
}

Sent = tuple[str, Message]
"""A tenant and what it sent."""


def segment_numbers(received_ns: int = NOW_NS) -> Iterator[int]:
    """Yield the numbers of segments that are received from this time on, one a microsecond."""
    return (microsecond << NODE_BITS for microsecond in count(received_ns // 1_000))


def number_at(received_ns: int) -> int:
    """Return the number of a segment that was received at this time."""
    return next(segment_numbers(received_ns))


def record(tenant: str, body: bytes) -> bytes:
    """Return a request as it stands in a segment."""
    name = tenant.encode()
    before, behind = frame(name, body_bytes=len(body), digest=digest_of(name, body))
    return before + body + behind


def write_bytes(folder: Path, content: bytes, *, signal: Signal, number: int, records: int = 1) -> SealedSegment:
    """Write a file of these bytes, whatever they are, and return it as a segment."""
    path = folder / segment_name(number)
    path.write_bytes(content)
    return SealedSegment(signal=signal, number=number, path=path, records=records, size_bytes=len(content))


def write_segment(folder: Path, sent: Iterable[Sent], *, number: int) -> SealedSegment:
    """Write requests of one signal as a segment."""
    requests = list(sent)
    content = b"".join(record(tenant, request.SerializeToString()) for tenant, request in requests)
    return write_bytes(folder, content, signal=SIGNALS[type(requests[0][1])], number=number, records=len(requests))
