import gzip
from collections.abc import AsyncIterator

import httpx
import orjson
import pytest
from fastapi import APIRouter
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from homeostat_server.api.app import create_app
from homeostat_server.api.reception import Reception
from homeostat_server.api.trace_files import trace_import_router
from homeostat_server.exceptions import SpoolUnavailable
from homeostat_server.ingest.testing_intake import MemorySpool
from homeostat_server.model.identity import Scope
from homeostat_server.model.otlp_json import to_otlp_json
from homeostat_server.model.signal import Signal
from homeostat_server.model.tenant import Tenant
from homeostat_server.security.keys import KeyRing
from tests.otlp import span, traces
from tests.peers.questions import read_captures
from tests.peers.traces import CHECKOUT

PATH = "/api/v1/traces/import"
JSON = {"Content-Type": "application/json"}


@pytest.fixture
async def client(reception: Reception) -> AsyncIterator[httpx.AsyncClient]:
    """Return a client of the route, as a caller on this machine."""
    guard = reception.authenticator.refuse_foreign_page
    app = create_app(version="0", guard=guard, ingest=APIRouter(), routers=[trace_import_router(reception)])
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://localhost:4318") as made:
        yield made


def taken(spools: dict[Signal, MemorySpool]) -> list[str]:
    """Return the names of the spans that are durable."""
    requests = [ExportTraceServiceRequest.FromString(body) for _, body in spools[Signal.TRACES].requests]
    return [
        made.name
        for request in requests
        for block in request.resource_spans
        for scoped in block.scope_spans
        for made in scoped.spans
    ]


async def test_a_file_of_otlp_json_is_durable_when_it_is_answered(
    client: httpx.AsyncClient, spools: dict[Signal, MemorySpool]
) -> None:
    """It goes the way of every span, and the answer counts it and names its traces."""
    answer = await client.post(PATH, content=orjson.dumps(to_otlp_json(traces(span()))), headers=JSON)
    assert answer.status_code == 200
    assert answer.json() == {"spans": 1, "rejected": 0, "explanation": "", "traces": [bytes(range(16)).hex()]}
    assert taken(spools) == ["GET /"]


async def test_a_file_that_a_real_jaeger_made_is_taken(
    client: httpx.AsyncClient, spools: dict[Signal, MemorySpool]
) -> None:
    """The trace of a captured answer, as Jaeger's UI would save it; compressed, as any body may be."""
    trace = read_captures("jaeger.json")["answers"]["trace checkout"]["body"]["data"][0]
    # The captures have processes in the place of their ids.
    spans = [
        {**item, "processID": f"p{number}", "process": item["processID"]} for number, item in enumerate(trace["spans"])
    ]
    body = gzip.compress(orjson.dumps({"data": [{**trace, "spans": spans, "processes": {}}]}))
    answer = await client.post(PATH, content=body, headers=JSON | {"Content-Encoding": "gzip"})
    assert (answer.status_code, answer.json()["spans"], answer.json()["traces"]) == (200, 6, [CHECKOUT])
    assert sorted(taken(spools)) == [
        "GET /checkout",
        "POST",
        "POST /orders",
        "Payments/Charge",
        "SELECT orders",
        "charge",
    ]


async def test_spans_that_the_checks_refuse_are_counted_and_told(
    client: httpx.AsyncClient, spools: dict[Signal, MemorySpool]
) -> None:
    """As with OTLP, the good ones are taken."""
    request = traces(span(name="good"), span(name="bad", span_id=b""))
    answer = (await client.post(PATH, content=orjson.dumps(to_otlp_json(request)), headers=JSON)).json()
    assert (answer["spans"], answer["rejected"]) == (1, 1)
    assert "span" in answer["explanation"]
    assert taken(spools) == ["good"]


@pytest.mark.parametrize(
    ("body", "media_type", "status"),
    [
        (b"{", "application/json", 400),
        (b"[]", "application/json", 400),
        (b"{}", "application/json", 400),
        (b'{"resourceSpans": 7}', "application/json", 400),
        (b'{"spans": [], "processes": 1}', "application/json", 400),
        (b'{"data": [{"spans": [{}], "processes": {}}]}', "application/json", 400),
        (b"{}", "application/x-protobuf", 415),
        (b"{}", "", 415),
        (b" " * (1 << 20) + b"{}", "application/json", 413),
    ],
)
async def test_what_is_no_file_of_traces_is_refused(
    client: httpx.AsyncClient, body: bytes, media_type: str, status: int
) -> None:
    """With a problem document."""
    answer = await client.post(PATH, content=body, headers={"Content-Type": media_type})
    assert (answer.status_code, answer.headers["content-type"]) == (status, "application/problem+json")


async def test_a_file_that_cannot_be_made_durable_is_not_acknowledged(
    client: httpx.AsyncClient, spools: dict[Signal, MemorySpool]
) -> None:
    """The sender is told to come again."""
    spools[Signal.TRACES].refuse_with = SpoolUnavailable("write")
    answer = await client.post(PATH, content=orjson.dumps(to_otlp_json(traces(span()))), headers=JSON)
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "1")


async def test_a_key_that_may_only_read_imports_nothing(
    client: httpx.AsyncClient, keys: KeyRing, spools: dict[Signal, MemorySpool]
) -> None:
    """Importing needs the scope that sending needs, and what is taken is of the key's tenant."""
    body = orjson.dumps(to_otlp_json(traces(span())))
    for scope, status in ((Scope.READ, 403), (Scope.INGEST, 200)):
        token = keys.create(Tenant("acme"), scopes=frozenset({scope})).token
        headers = JSON | {"Authorization": f"Bearer {token}"}
        assert (await client.post(PATH, content=body, headers=headers)).status_code == status
    assert [tenant for tenant, _ in spools[Signal.TRACES].requests] == ["acme"]
