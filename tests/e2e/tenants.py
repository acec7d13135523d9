"""One tenant's way in and out of a running process, over HTTP, and gRPC where it matters. It opens no data folder."""

import json
import time
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

import grpc
from google.protobuf.message import Message
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceResponse

from homeostat_server.api.ingest_grpc import METHODS
from homeostat_server.model.otlp_json import to_otlp_json
from homeostat_server.model.signal import Signal
from tests.running import Answer, Platform
from tests.waiting import until

METHOD_OF: Final = {signal: method for method, signal in METHODS.items()}
JSON: Final = {"Content-Type": "application/json"}
DAY_NS: Final = 86_400 * 10**9


@dataclass(frozen=True, slots=True)
class GrpcAnswer:
    """Hold the answer to a call: its code, the message, and the trailing metadata."""

    code: grpc.StatusCode
    details: str
    body: bytes
    trailing: Mapping[str, str | bytes]


def call(platform: Platform, signal: Signal, data: bytes, metadata: Mapping[str, str] | None = None) -> GrpcAnswer:
    """Send a body over a gRPC channel of its own."""
    with grpc.insecure_channel(platform.grpc_target, options=[("grpc.use_local_subchannel_pool", 1)]) as channel:
        method: grpc.UnaryUnaryMultiCallable[bytes, bytes] = channel.unary_unary(METHOD_OF[signal])
        try:
            body = method(data, metadata=tuple((metadata or {}).items()), timeout=60)
        except grpc.RpcError as error:
            trailing = {entry.key: entry.value for entry in error.trailing_metadata() or ()}
            return GrpcAnswer(error.code(), error.details() or "", b"", trailing)
    return GrpcAnswer(grpc.StatusCode.OK, "", body, {})


class Tenant:
    """Send and read as one tenant of a process that runs open."""

    def __init__(self, platform: Platform, name: str) -> None:
        """Take a name that no other test of the process has."""
        self._platform = platform
        self._headers = {"X-Scope-OrgID": name}

    def send(self, signal: Signal, request: Message | bytes, headers: Mapping[str, str] | None = None) -> Answer:
        """Send a request, as protobuf unless the headers say otherwise."""
        data = request if isinstance(request, bytes) else request.SerializeToString()
        return self._platform.post(signal, data, self._headers | dict(headers or {}))

    def send_json(self, signal: Signal, request: Message) -> Answer:
        """Send a request as OTLP/JSON."""
        return self.send(signal, json.dumps(to_otlp_json(request)).encode(), JSON)

    def call(self, signal: Signal, request: Message) -> GrpcAnswer:
        """Send a request over gRPC."""
        metadata = {name.lower(): value for name, value in self._headers.items()}
        return call(self._platform, signal, request.SerializeToString(), metadata)

    def get(self, path: str) -> Answer:
        """Ask for a document."""
        return self._platform.get(path, self._headers)

    def spans(self, trace_id: bytes, *, at_least: int = 1) -> list[dict[str, Any]]:
        """Return the spans of a trace as OTLP/JSON, once there are so many."""

        def look() -> list[dict[str, Any]] | None:
            answer = self.get(f"/api/v1/traces/{trace_id.hex()}")
            found = list(_spans(answer.json())) if answer.status == 200 else []
            return found if len(found) >= at_least else None

        return until(look, timeout_s=60, what=f"{at_least} spans")

    def logs(self, *, around_ns: int, at_least: int = 1) -> list[dict[str, Any]]:
        """Return the log records of the day around a time, once there are so many."""
        query = f"/api/v1/logs?start={_moment(around_ns - DAY_NS // 2)}&end={_moment(around_ns + DAY_NS // 2)}"

        def look() -> list[dict[str, Any]] | None:
            answer = self.get(query)
            assert answer.status == 200, answer.body
            found: list[dict[str, Any]] = answer.json()["logs"]
            return found if len(found) >= at_least else None

        return until(look, timeout_s=60, what=f"{at_least} log records")

    def metrics(self, *, at_least: int = 1) -> list[dict[str, Any]]:
        """Return the metrics that have points of the last half day, once there are so many."""
        query = f"/api/v1/metrics?start={_moment(time.time_ns() - DAY_NS // 2)}"

        def look() -> list[dict[str, Any]] | None:
            found: list[dict[str, Any]] = self.get(query).json()["metrics"]
            return found if len(found) >= at_least else None

        return until(look, timeout_s=60, what=f"{at_least} metrics")


def rejected(answer: Answer | GrpcAnswer) -> tuple[int, str]:
    """Return how many items a partial success has refused, and its text; the three signals' answers are alike."""
    partial = ExportTraceServiceResponse.FromString(answer.body).partial_success
    return partial.rejected_spans, partial.error_message


def at_once(count: int, send: Any) -> list[Any]:  # noqa: ANN401 - whatever it returns
    """Return what a function returns for each number below a count, called from as many threads."""
    with ThreadPoolExecutor(count) as threads:
        return list(threads.map(send, range(count)))


def _spans(document: dict[str, Any]) -> Iterator[dict[str, Any]]:
    for block in document["resourceSpans"]:
        for scope in block["scopeSpans"]:
            yield from scope["spans"]


def _moment(at_ns: int) -> str:
    return datetime.fromtimestamp(max(0, at_ns) // 10**9, tz=UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
