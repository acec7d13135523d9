"""One export in simulated time: a clock, a backend, a provider whose spans go to it, and no thread."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.sampling import ALWAYS_ON

from homeostat.buffer.disk import Disk
from homeostat.export import ExportConfig, Exporting
from homeostat.export.testing import SimulatedBackend, SimulatedClock

RESOURCE = Resource({"service.name": "orders", "service.instance.id": "one"})


class Bench:
    """Hold an export whose threads never start: a test does their rounds."""

    def __init__(
        self,
        folder: Path | None = None,
        *,
        clock: SimulatedClock | None = None,
        backend: SimulatedBackend | None = None,
        disk: Disk | None = None,
        **config: Any,  # noqa: ANN401 - fields of the configuration
    ) -> None:
        """Build it."""
        self.clock = clock or SimulatedClock()
        self.backend = backend or SimulatedBackend(self.clock)
        self.exporting = ThreadlessExporting(
            ExportConfig(spool_folder=folder, **config),
            resource=RESOURCE,
            transport=self.backend,
            disk=disk,
            clock=self.clock.now_s,
            sleep=self.clock.sleep,
        )
        self.provider = TracerProvider(resource=RESOURCE, sampler=ALWAYS_ON, shutdown_on_exit=False)
        self.provider.add_span_processor(self.exporting.span_processor)
        self.tracer = self.provider.get_tracer("bench")
        self.ended = 0
        self._gather_at_s = self._send_at_s = self.clock.time_s

    def end_spans(self, count: int) -> None:
        """End spans that are numbered through."""
        for _ in range(count):
            self.tracer.start_span(f"span {self.ended}").end()
            self.ended += 1

    def round(self) -> None:
        """Do one round of each thread."""
        self.exporting.gather()
        self.exporting.send()

    def live(self, seconds: float, *, spans_per_s: float = 0, meanwhile: Callable[[], None] | None = None) -> None:
        """Let time pass as it does for the two threads, in steps of a tenth of a second."""
        for step in range(round(seconds * 10)):
            due = round((step + 1) * spans_per_s / 10) - round(step * spans_per_s / 10)
            self.end_spans(due)
            self.clock.time_s += 0.1
            if self.clock.time_s >= self._gather_at_s or len(self.exporting.pipeline.queue) >= 512:
                self._gather_at_s = self.clock.time_s + (self.exporting.gather() or 0)
            self.exporting.send()
            if meanwhile is not None:
                meanwhile()

    @property
    def names(self) -> list[str]:
        """Return the names of the spans that the backend has, in the order in which it got them."""
        return names_of(self.backend.bodies)


class ThreadlessExporting(Exporting):
    """Be an export that leaves its rounds to a test."""

    def start(self) -> None:
        """Start no thread."""


def names_of(bodies: list[bytes]) -> list[str]:
    """Return the names of all spans in requests."""
    return [
        span.name
        for body in bodies
        for resource in ExportTraceServiceRequest.FromString(body).resource_spans
        for scope in resource.scope_spans
        for span in scope.spans
    ]


def numbered(count: int, *, first: int = 0) -> list[str]:
    """Return the names that `Bench.end_spans` gives."""
    return [f"span {number}" for number in range(first, first + count)]
