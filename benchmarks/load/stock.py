"""The bodies that are sent, and the ids of acknowledged traces that others may look up. It knows no transport."""

import gzip
import time
from pathlib import Path
from typing import Final

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from benchmarks.load.phases import Load
from benchmarks.realistic import Body, Restamper

_GZIP_LEVEL: Final = 1  # what a sender that pays for its CPU takes
_ID_EVERY_S: Final = 0.1


class Stock:
    """Give fresh bodies without end."""

    def __init__(self, load: Load) -> None:
        """Build the templates, which takes seconds."""
        self._restamper = Restamper(
            load.signal, bodies=load.templates, items_per_body=load.items_per_body, lane=load.lane
        )
        self._gzip = load.gzip

    def next(self) -> Body:
        """Return a body that nobody has sent yet, as it goes over the wire."""
        body = self._restamper.next(time.time_ns())
        return Body(gzip.compress(body.data, _GZIP_LEVEL), body.items) if self._gzip else body


class TraceIds:
    """Write a trace id of some acknowledged bodies, with the moment of the acknowledgement, to a file."""

    def __init__(self, path: Path) -> None:
        """Append to this file."""
        self._file = path.open("a", encoding="ascii", buffering=1)
        self._next_s = 0.0

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def acknowledged(self, body: bytes, now_s: float) -> None:
        """Write down a trace of this body, unless one was written a moment ago: parsing takes its time."""
        if now_s < self._next_s:
            return
        self._next_s = now_s + _ID_EVERY_S
        request = ExportTraceServiceRequest.FromString(body)
        spans = request.resource_spans[0].scope_spans[0].spans
        self._file.write(f"{now_s:.3f} {spans[0].trace_id.hex()}\n")
