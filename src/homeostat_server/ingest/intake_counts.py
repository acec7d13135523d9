"""What the write path counts about requests and items. It decides nothing.

Every label has a fixed set of values: signals, transports, outcomes (error codes) and reasons come from our own tables.
"""

from enum import StrEnum, unique

from homeostat_server.ingest.checks.examination import Examined
from homeostat_server.model.signal import Signal
from homeostat_server.runtime.telemetry import Telemetry


@unique
class Transport(StrEnum):
    """Name how a request came."""

    HTTP = "http"
    GRPC = "grpc"


class IntakeCounts:
    """Count requests, items and bytes by signal and outcome."""

    def __init__(self, telemetry: Telemetry) -> None:
        """Declare the metrics."""
        self._requests = telemetry.counter(
            "homeostat_ingest_requests_total",
            "Ingest requests by how they ended: accepted, partial, duplicate, or the code of the error.",
            labels=("signal", "transport", "outcome"),
        )
        self._seconds = telemetry.histogram(
            "homeostat_ingest_request_seconds",
            "From the head of an ingest request to its answer, the wait for the disk included.",
            labels=("signal", "transport"),
        )
        self._items = telemetry.counter(
            "homeostat_ingest_items_total",
            "Spans, log records and data points: accepted (durable), duplicate (durable before), rejected.",
            labels=("signal", "outcome"),
        )
        self._refused = telemetry.counter(
            "homeostat_ingest_refused_items_total",
            "Items refused one by one, by reason.",
            labels=("signal", "reason"),
        )
        self._bytes = telemetry.counter(
            "homeostat_ingest_accepted_bytes_total",
            "Bytes of accepted requests as protobuf, after decompression.",
            labels=("signal",),
        )

    def stored(self, signal: Signal, *, examined: Examined, duplicate: bool) -> None:
        """Count the items of a request that is durable."""
        self._items.labels(signal.value, "duplicate" if duplicate else "accepted").inc(examined.items)
        if not duplicate:
            self._bytes.labels(signal.value).inc(len(examined.body))
        if examined.rejected:
            self._items.labels(signal.value, "rejected").inc(examined.rejected)
            for reason, count in examined.refusals.items():
                self._refused.labels(signal.value, reason.value).inc(count)

    def answered(self, signal: Signal, *, transport: Transport, outcome: str, seconds: float) -> None:
        """Count a request that was answered."""
        self._requests.labels(signal.value, transport.value, outcome).inc()
        self._seconds.labels(signal.value, transport.value).observe(seconds)
