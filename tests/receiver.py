"""A small OTLP/HTTP receiver inside the test: it keeps what it gets, and answers as it is told to."""

import gzip
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue
from opentelemetry.proto.trace.v1.trace_pb2 import Span


@dataclass(frozen=True, slots=True)
class Received:
    """Hold one span with what was said about the process and the scope that it came from."""

    span: Span
    resource: dict[str, object]
    scope: str

    @property
    def name(self) -> str:
        """Return the span's name."""
        return self.span.name

    @property
    def instance(self) -> str:
        """Return the identity of the process that made it."""
        return str(self.resource["service.instance.id"])

    @property
    def attributes(self) -> dict[str, object]:
        """Return the span's attributes."""
        return plain(self.span.attributes)


def plain(attributes: Any) -> dict[str, object]:  # noqa: ANN401 - a repeated field
    """Return OTLP attributes as a dictionary."""
    return {pair.key: value_of(pair.value) for pair in attributes if isinstance(pair, KeyValue)}


def value_of(value: AnyValue) -> object:
    """Return an OTLP value as Python has it."""
    kind = value.WhichOneof("value")
    if kind == "array_value":
        return [value_of(entry) for entry in value.array_value.values]
    return None if kind is None else getattr(value, kind)


class Receiver:
    """Keep spans, in the order in which they came."""

    def __init__(self) -> None:
        """Begin with none, and answer that all is well."""
        self.status = 200
        self.headers: list[dict[str, str]] = []
        self._spans: list[Received] = []
        self._changed = threading.Condition()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)

    @property
    def url(self) -> str:
        """Return where it listens."""
        return f"http://127.0.0.1:{self._server.server_port}"

    def start(self) -> None:
        """Begin to serve."""
        self._thread.start()

    def stop(self) -> None:
        """End."""
        self._server.shutdown()
        self._server.server_close()

    def spans(self, name: str | None = None) -> list[Received]:
        """Return what came so far, all or those of a name."""
        with self._changed:
            return [one for one in self._spans if name is None or one.name == name]

    def wait_for(self, count: int, *, name: str | None = None, timeout_s: float = 30.0) -> list[Received]:
        """Wait until so many came, and return them all; the time-out says how many there were."""
        with self._changed:
            there = self._changed.wait_for(lambda: len(self.spans(name)) >= count, timeout_s)
        found = self.spans(name)
        if not there:
            message = f"{len(found)} of {count} spans came: {sorted({one.name for one in self.spans()})}"
            raise TimeoutError(message)
        return found

    def _take(self, body: bytes, headers: dict[str, str]) -> None:
        request = ExportTraceServiceRequest.FromString(body)
        found = [
            Received(span, plain(group.resource.attributes), scope.scope.name)
            for group in request.resource_spans
            for scope in group.scope_spans
            for span in scope.spans
        ]
        with self._changed:
            self.headers.append(headers)
            self._spans += found
            self._changed.notify_all()

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                headers = {name.lower(): value for name, value in self.headers.items()}
                body = self.rfile.read(int(headers.get("content-length", 0)))
                if headers.get("content-encoding") == "gzip":
                    body = gzip.decompress(body)
                if receiver.status == 200:
                    receiver._take(body, headers)
                self.send_response(receiver.status)
                self.send_header("content-type", "application/x-protobuf")
                self.send_header("content-length", "0")
                self.end_headers()

            def log_message(self, *_: object) -> None:
                """Say nothing."""

        return Handler


@contextmanager
def receiving() -> Iterator[Receiver]:
    """Give a receiver that listens."""
    receiver = Receiver()
    receiver.start()
    try:
        yield receiver
    finally:
        receiver.stop()
