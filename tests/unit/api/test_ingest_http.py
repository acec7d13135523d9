import asyncio
import gzip
import zlib
from collections.abc import AsyncIterator, Callable
from dataclasses import replace

import httpx
import orjson
import pytest
import zstandard
from fastapi import FastAPI
from google.protobuf.message import Message
from google.rpc import status_pb2
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceResponse
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceResponse
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)
from starlette.types import Message as AsgiMessage

from homeostat_server.api.app import create_app
from homeostat_server.api.ingest import ingest_router
from homeostat_server.api.reception import Reception
from homeostat_server.exceptions import SpoolFull, SpoolUnavailable, TooManyRequests
from homeostat_server.ingest.admission import Admission
from homeostat_server.ingest.testing_intake import MemorySpool
from homeostat_server.model.identity import Scope
from homeostat_server.model.otlp_json import to_otlp_json
from homeostat_server.model.signal import Signal
from homeostat_server.model.tenant import Tenant
from homeostat_server.runtime.telemetry import Telemetry
from homeostat_server.security.keys import KeyRing
from tests.otlp import logs, metric, metrics, number, record, span, traces

PROTOBUF = {"Content-Type": "application/x-protobuf"}
JSON = {"Content-Type": "application/json"}
BODY_BYTES_MAX = 1 << 20

GOOD: dict[Signal, Message] = {
    Signal.TRACES: traces(span()),
    Signal.LOGS: logs(record()),
    Signal.METRICS: metrics(metric(number())),
}
BAD: dict[Signal, Message] = {
    Signal.TRACES: traces(span(), span(trace_id=b"")),
    Signal.LOGS: logs(record(), record(trace_id=b"short")),
    Signal.METRICS: metrics(metric(number(), number(time_unix_nano=0))),
}
RESPONSES: dict[Signal, tuple[type[Message], str]] = {
    Signal.TRACES: (ExportTraceServiceResponse, "rejectedSpans"),
    Signal.LOGS: (ExportLogsServiceResponse, "rejectedLogRecords"),
    Signal.METRICS: (ExportMetricsServiceResponse, "rejectedDataPoints"),
}


def as_json(message: Message) -> bytes:
    """Return a request in OTLP/JSON."""
    return orjson.dumps(to_otlp_json(message))


@pytest.mark.parametrize("signal", Signal)
async def test_protobuf_is_taken_and_answered_in_protobuf(
    client: httpx.AsyncClient, spools: dict[Signal, MemorySpool], signal: Signal
) -> None:
    """A good request is answered by an empty message when it is durable, under the default tenant."""
    body = GOOD[signal].SerializeToString()
    response = await client.post(f"/v1/{signal}", content=body, headers=PROTOBUF)
    assert (response.status_code, response.content) == (200, b"")
    assert response.headers["content-type"] == "application/x-protobuf"
    assert spools[signal].requests == [(Tenant("default"), body)]


@pytest.mark.parametrize("signal", Signal)
async def test_json_is_taken_and_answered_in_json(
    client: httpx.AsyncClient, spools: dict[Signal, MemorySpool], signal: Signal
) -> None:
    """A JSON request is stored as protobuf, and answered in JSON."""
    headers = {"Content-Type": "application/json; charset=utf-8"}
    response = await client.post(f"/v1/{signal}", content=as_json(GOOD[signal]), headers=headers)
    assert (response.status_code, response.json()) == (200, {})
    assert response.headers["content-type"] == "application/json"
    stored = type(GOOD[signal]).FromString(spools[signal].requests[0][1])
    assert stored == GOOD[signal]


@pytest.mark.parametrize("signal", Signal)
async def test_refused_items_are_a_partial_success(client: httpx.AsyncClient, signal: Signal) -> None:
    """The sender learns how many items were refused and why, in its own format, with status 200."""
    message_type, key = RESPONSES[signal]
    binary = await client.post(f"/v1/{signal}", content=BAD[signal].SerializeToString(), headers=PROTOBUF)
    text = await client.post(f"/v1/{signal}", content=as_json(BAD[signal]), headers=JSON)
    assert (binary.status_code, text.status_code) == (200, 200)
    assert text.json()["partialSuccess"][key] == "1"
    assert text.json()["partialSuccess"]["errorMessage"].startswith("1 refused: ")
    assert to_otlp_json(message_type.FromString(binary.content)) == text.json()


@pytest.mark.parametrize(
    ("encoding", "compress"),
    [("gzip", gzip.compress), ("deflate", zlib.compress), ("zstd", zstandard.ZstdCompressor().compress)],
)
async def test_compressed_bodies_are_taken(
    client: httpx.AsyncClient, spools: dict[Signal, MemorySpool], encoding: str, compress: Callable[[bytes], bytes]
) -> None:
    """What is stored is the body without its content coding."""
    body = GOOD[Signal.TRACES].SerializeToString()
    headers = PROTOBUF | {"Content-Encoding": encoding}
    response = await client.post("/v1/traces", content=compress(body), headers=headers)
    assert response.status_code == 200
    assert spools[Signal.TRACES].requests[0][1] == body


async def test_an_empty_request_is_fine(client: httpx.AsyncClient, spools: dict[Signal, MemorySpool]) -> None:
    """Nothing to store is a success."""
    assert (await client.post("/v1/traces", content=b"", headers=PROTOBUF)).status_code == 200
    assert (await client.post("/v1/traces", content=b"{}", headers=JSON)).json() == {}
    assert spools[Signal.TRACES].requests == []


@pytest.mark.parametrize(
    ("content", "headers", "status"),
    [
        (b"\xff\xff", PROTOBUF, 400),
        (b"{", JSON, 400),
        (b"\x0a", PROTOBUF | {"Content-Encoding": "gzip"}, 400),
        (bytes(BODY_BYTES_MAX + 1), PROTOBUF, 413),
        (gzip.compress(bytes(BODY_BYTES_MAX + 1)), PROTOBUF | {"Content-Encoding": "gzip"}, 413),
        (b"{}", JSON | {"Content-Encoding": "br"}, 415),
        (b"", PROTOBUF | {"X-Scope-OrgID": "a/b"}, 400),
        (b"", PROTOBUF | {"Content-Length": "9" * 5000}, 413),
    ],
)
async def test_a_wrong_request_is_a_status_in_its_own_format(
    client: httpx.AsyncClient, content: bytes, headers: dict[str, str], status: int
) -> None:
    """Errors are google.rpc.Status in the content type of the request, and name the error's code."""
    response = await client.post("/v1/traces", content=content, headers=headers)
    assert response.status_code == status
    assert response.headers["content-type"] == headers["Content-Type"]
    if headers["Content-Type"] == "application/json":
        assert response.json()["message"]
        assert response.json()["details"][0]["domain"] == "homeostat"
    else:
        assert status_pb2.Status.FromString(response.content).message


@pytest.mark.parametrize("content_type", ["text/plain", "", "application/grpc"])
async def test_an_unknown_content_type_is_not_understood(client: httpx.AsyncClient, content_type: str) -> None:
    """A format that is not OTLP's is 415, said in JSON for want of a better guess."""
    response = await client.post("/v1/logs", content=b"{}", headers={"Content-Type": content_type})
    assert response.status_code == 415
    assert "application/x-protobuf" in response.json()["message"]


async def test_an_announced_length_over_the_bound_is_refused_before_reading(app: FastAPI) -> None:
    """A body that is announced as too large is not read at all."""

    async def receive() -> AsgiMessage:
        raise AssertionError("the body was asked for")

    assert await status_of(app, receive, headers=[(b"content-length", str(BODY_BYTES_MAX + 1).encode())]) == 413


async def test_a_body_of_unknown_length_is_counted_while_it_comes(app: FastAPI, admission: Admission) -> None:
    """Without a length the bound holds as well, and reading stops there."""
    asked = 0

    async def receive() -> AsgiMessage:
        nonlocal asked
        asked += 1
        return {"type": "http.request", "body": bytes(BODY_BYTES_MAX // 4), "more_body": True}

    assert await status_of(app, receive) == 413
    assert asked == 5
    assert admission.bytes_in_flight == 0


async def test_a_sender_that_hangs_up_is_counted_and_forgotten(
    app: FastAPI, admission: Admission, telemetry: Telemetry
) -> None:
    """A connection that closes in the middle of a body gives its room back."""

    async def receive() -> AsgiMessage:
        return {"type": "http.disconnect"}

    assert await status_of(app, receive) == 400
    assert admission.requests_in_flight == 0
    labels = {"signal": "traces", "transport": "http", "outcome": "invalid_request"}
    assert telemetry.value("homeostat_ingest_requests_total", **labels) == 1


async def test_a_body_that_never_ends_is_given_up(reception: Reception) -> None:
    """Who sends too slowly is refused: memory is not held for nothing."""
    impatient = replace(reception, body_timeout_s=0.01)
    app = create_app(version="1", guard=lambda _headers: None, ingest=ingest_router(impatient))

    async def receive() -> AsgiMessage:
        await asyncio.Event().wait()
        raise AssertionError("nothing ever comes")

    assert await status_of(app, receive) == 400


async def status_of(
    app: FastAPI,
    receive: Callable[[], "AsyncIterator[AsgiMessage] | object"],
    headers: list[tuple[bytes, bytes]] | None = None,
) -> int:
    """Send one request by hand, so that its body comes as a test wants, and return the answer's status."""
    sent: list[AsgiMessage] = []

    async def send(message: AsgiMessage) -> None:
        sent.append(message)

    scope = {
        "type": "http",
        "method": "POST",
        "path": "/v1/traces",
        "raw_path": b"/v1/traces",
        "query_string": b"",
        "root_path": "",
        "headers": [(b"content-type", b"application/x-protobuf"), (b"host", b"localhost"), *(headers or [])],
    }
    await app(scope, receive, send)  # type: ignore[arg-type] # each test's receive is one
    status: int = sent[0]["status"]
    return status


@pytest.mark.parametrize(
    ("error", "answer"),
    [
        (SpoolFull("append", retry_after_s=4.2), (503, "5")),
        (SpoolUnavailable("append", hint="The disk is full."), (503, "1")),
        (TooManyRequests("append", retry_after_s=0.01), (429, "1")),
    ],
)
async def test_who_cannot_be_served_now_is_told_when(
    client: httpx.AsyncClient, spools: dict[Signal, MemorySpool], error: SpoolFull, answer: tuple[int, str]
) -> None:
    """Overload is 429 or 503 with Retry-After in whole seconds, which OTLP clients heed."""
    spools[Signal.TRACES].refuse_with = error
    response = await client.post("/v1/traces", content=GOOD[Signal.TRACES].SerializeToString(), headers=PROTOBUF)
    assert (response.status_code, response.headers["retry-after"]) == answer


async def test_a_full_house_is_overload(
    client: httpx.AsyncClient, admission: Admission, spools: dict[Signal, MemorySpool]
) -> None:
    """When the bound on bytes in flight is reached, the next sender is told to come back."""
    with admission.admit() as other:
        other.grow(4 * BODY_BYTES_MAX)
        response = await client.post("/v1/traces", content=b"", headers=PROTOBUF)
    assert response.status_code == 503
    assert response.headers["retry-after"] == "1"
    assert spools[Signal.TRACES].requests == []


async def test_a_key_decides_the_tenant(
    client: httpx.AsyncClient, keys: KeyRing, spools: dict[Signal, MemorySpool]
) -> None:
    """Once a key exists, a request without one is 401, one with the wrong scope 403, and the header decides nothing."""
    ingest = keys.create(Tenant("acme"), scopes=frozenset({Scope.INGEST}))
    read = keys.create(Tenant("acme"), scopes=frozenset({Scope.READ}))
    body = GOOD[Signal.TRACES].SerializeToString()
    forged = PROTOBUF | {"X-Scope-OrgID": "globex"}
    nobody = await client.post("/v1/traces", content=body, headers=forged)
    reader = await client.post("/v1/traces", content=body, headers=forged | {"Authorization": f"Bearer {read.token}"})
    writer = await client.post("/v1/traces", content=body, headers=forged | {"Authorization": f"Bearer {ingest.token}"})
    assert (nobody.status_code, reader.status_code, writer.status_code) == (401, 403, 200)
    assert nobody.headers["www-authenticate"] == "Bearer"
    assert spools[Signal.TRACES].requests == [(Tenant("acme"), body)]


async def test_the_tenant_comes_from_the_header_when_open(
    client: httpx.AsyncClient, spools: dict[Signal, MemorySpool]
) -> None:
    """An open server takes the sender's word for its tenant."""
    await client.post(
        "/v1/logs", content=GOOD[Signal.LOGS].SerializeToString(), headers=PROTOBUF | {"X-Scope-OrgID": "b"}
    )
    assert spools[Signal.LOGS].requests[0][0] == "b"


async def test_a_defect_is_an_answer_too(
    client: httpx.AsyncClient, spools: dict[Signal, MemorySpool], caplog: pytest.LogCaptureFixture
) -> None:
    """An unforeseen error is a status without its text, logged under the trace id that the sender came with."""
    spools[Signal.TRACES].fail_with = RuntimeError("secret")
    headers = JSON | {"traceparent": f"00-{'ab' * 16}-{'cd' * 8}-01"}
    response = await client.post("/v1/traces", content=as_json(GOOD[Signal.TRACES]), headers=headers)
    assert response.status_code == 500
    assert "secret" not in response.text
    assert response.json()["details"][0]["metadata"]["trace_id"] == "ab" * 16
    assert "ab" * 16 in caplog.text


async def test_requests_are_counted_by_outcome(client: httpx.AsyncClient, telemetry: Telemetry) -> None:
    """Accepted, repeated, partly refused and refused requests are told apart in the metrics."""
    good, bad = traces(span(name="good")).SerializeToString(), BAD[Signal.TRACES].SerializeToString()
    for body in (good, good, bad, b"\xff"):
        await client.post("/v1/traces", content=body, headers=PROTOBUF)
    for outcome in ("accepted", "duplicate", "partial", "invalid_request"):
        labels = {"signal": "traces", "transport": "http", "outcome": outcome}
        assert telemetry.value("homeostat_ingest_requests_total", **labels) == 1


async def test_a_bad_neighbour_costs_nothing(client: httpx.AsyncClient, spools: dict[Signal, MemorySpool]) -> None:
    """Of a request with a bad item the good ones are stored, and nothing else."""
    await client.post("/v1/traces", content=BAD[Signal.TRACES].SerializeToString(), headers=PROTOBUF)
    stored = ExportTraceServiceRequest.FromString(spools[Signal.TRACES].requests[0][1])
    assert stored == traces(span())
