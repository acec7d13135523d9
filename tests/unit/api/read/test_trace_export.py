import httpx
import pytest
from fastapi import APIRouter, FastAPI
from opentelemetry.proto.trace.v1.trace_pb2 import TracesData

from homeostat_server.api.app import create_app
from homeostat_server.api.reading import Reading
from homeostat_server.api.trace_files import read_traces, trace_export_router
from homeostat_server.model.tenant import Tenant
from tests.otlp import NOW_NS, span, traces
from tests.peers.traces import CHECKOUT, requests
from tests.telemetry_store import FilledStore


@pytest.fixture
def app(reading: Reading) -> FastAPI:
    """Return the application with the route."""
    return create_app(version="0", guard=lambda _: None, ingest=APIRouter(), routers=[trace_export_router(reading)])


def names(data: TracesData) -> list[str]:
    """Return the names of spans, in order."""
    return sorted(made.name for block in data.resource_spans for scoped in block.scope_spans for made in scoped.spans)


@pytest.mark.parametrize("form", ["otlp", "jaeger"])
async def test_a_trace_that_leaves_as_a_file_can_be_read_back(
    filled: FilledStore, client: httpx.AsyncClient, tenant: Tenant, form: str
) -> None:
    """Either file has all spans, and a name that says what it is."""
    filled.insert(tenant, *requests())
    answer = await client.get(f"/api/v1/traces/{CHECKOUT}/export", params={"format": form})
    assert answer.status_code == 200
    assert answer.headers["content-disposition"] == f'attachment; filename="{CHECKOUT}.{form}.json"'
    assert names(read_traces(answer.content)) == [
        "GET /checkout",
        "POST",
        "POST /orders",
        "Payments/Charge",
        "SELECT orders",
        "charge",
    ]


@pytest.mark.parametrize("form", ["otlp", "jaeger"])
async def test_a_large_trace_leaves_in_pieces(
    filled: FilledStore, client: httpx.AsyncClient, tenant: Tenant, form: str
) -> None:
    """More spans than are read at once are one valid file."""
    spans = [
        span(span_id=number.to_bytes(8, "big"), name=str(number), start_time_unix_nano=NOW_NS + number)
        for number in range(1, 4_502)
    ]
    filled.insert(tenant, traces(*spans))
    answer = await client.get(f"/api/v1/traces/{bytes(range(16)).hex()}/export", params={"format": form})
    assert names(read_traces(answer.content)) == sorted(str(number) for number in range(1, 4_502))


async def test_a_trace_that_is_not_there_is_no_file(client: httpx.AsyncClient) -> None:
    """In whatever format; an unknown format is refused."""
    path = "/api/v1/traces/" + "1" * 32 + "/export"
    assert (await client.get(path)).status_code == 404
    assert (await client.get(path, params={"format": "jaeger"})).status_code == 404
    assert (await client.get(path, params={"format": "zipkin"})).status_code == 400
