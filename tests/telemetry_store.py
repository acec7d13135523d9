"""A real store for tests, filled with requests as the spool would hand them over. Give each test a tenant of its own.

The engine opens one folder a process at a time, so a test module that uses one closes it before the next module begins.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
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
from homeostat_server.model.tenant import Tenant
from homeostat_server.store.ports import QueryLimits, RetentionDays, TelemetryStore
from homeostat_server.store.telemetry.embedded import EmbeddedStore
from homeostat_server.store.telemetry.engine_config import EngineBounds
from tests.otlp import NOW_NS

MEBIBYTE: Final = 1024 * 1024
LIMITS: Final = QueryLimits(
    duration_s=30, rows_max=1_000_000, result_bytes_max=512 * MEBIBYTE, memory_bytes_max=512 * MEBIBYTE
)

_SIGNALS: Final[dict[type[Message], Signal]] = {
    ExportTraceServiceRequest: Signal.TRACES,
    ExportLogsServiceRequest: Signal.LOGS,
    ExportMetricsServiceRequest: Signal.METRICS,
}


class FilledStore:
    """Hold a store and put requests into it, each call one segment."""

    def __init__(self, store: TelemetryStore, folder: Path) -> None:
        """Write segments into a folder."""
        self.store = store
        self._folder = folder
        self._tenants = count(1)
        self._segments = count()

    def new_tenant(self) -> Tenant:
        """Return a tenant that nobody has used."""
        return Tenant(f"tenant-{next(self._tenants)}")

    def insert(self, tenant: str, *requests: Message, received_ns: int = NOW_NS) -> None:
        """Store requests of one signal as one segment that was received at this time, or a little later."""
        number = (received_ns // 1_000 + next(self._segments)) << NODE_BITS
        self.insert_numbered(tenant, requests, number=number)

    def insert_numbered(self, tenant: str, requests: Sequence[Message], *, number: int) -> None:
        """Store requests of one signal as the segment of a number."""
        path = self._folder / segment_name(number)
        path.write_bytes(b"".join(_record(tenant.encode(), request.SerializeToString()) for request in requests))
        self.store.insert_segment(
            SealedSegment(
                signal=_SIGNALS[type(requests[0])],
                number=number,
                path=path,
                records=len(requests),
                size_bytes=path.stat().st_size,
            )
        )
        path.unlink()


def _record(tenant: bytes, body: bytes) -> bytes:
    before, behind = frame(tenant, body_bytes=len(body), digest=digest_of(tenant, body))
    return before + body + behind


@contextmanager
def filled_store(folder: Path) -> Iterator[FilledStore]:
    """Open a store in a folder and close it at the end."""
    store = EmbeddedStore(
        folder / "telemetry",
        bounds=EngineBounds(memory_bytes=1024 * MEBIBYTE, threads=2),
        limits=LIMITS,
        readers_max=4,
        # Tests live at a fixed moment of the past; their rows must not be over their time at once.
        retention=RetentionDays(ordinary=3_650, valued=3_650),
    )
    segments = folder / "segments"
    segments.mkdir()
    try:
        yield FilledStore(store, segments)
    finally:
        store.close()
