"""Traces of more spans than are read at once, in the formats of Jaeger and Tempo: each answer is one valid document."""

from collections.abc import Iterator

import httpx
import orjson
import pytest
from fastapi import APIRouter, FastAPI
from opentelemetry.proto.trace.v1.trace_pb2 import TracesData

from homeostat_server.api.app import create_app
from homeostat_server.api.jaeger.routes import jaeger_router
from homeostat_server.api.reading import Reading
from homeostat_server.api.tempo.routes import tempo_router
from homeostat_server.api.tempo.traces import V2_JSON, V2_PROTOBUF, varint
from homeostat_server.model.tenant import Tenant
from tests.otlp import NOW_NS, span, traces
from tests.telemetry_store import FilledStore

SPANS = 4_501
TRACE = bytes(range(16)).hex()
PROTOBUF = {"Accept": "application/protobuf"}


@pytest.fixture
def app(reading: Reading) -> FastAPI:
    """Return the application with the routes of both."""
    routers = [jaeger_router(reading), tempo_router(reading)]
    return create_app(version="0", guard=lambda _: None, ingest=APIRouter(), routers=routers)


@pytest.fixture
def trace(filled: FilledStore, tenant: Tenant) -> str:
    """Return the id of a large trace."""
    spans = [
        span(span_id=number.to_bytes(8, "big"), start_time_unix_nano=NOW_NS + number, end_time_unix_nano=NOW_NS + 10**6)
        for number in range(1, SPANS + 1)
    ]
    filled.insert(tenant, traces(*spans))
    return TRACE


def spans_in(content: bytes) -> int:
    """Return how many spans a message has."""
    data = TracesData.FromString(content)
    return sum(len(scoped.spans) for block in data.resource_spans for scoped in block.scope_spans)


def members(content: bytes) -> Iterator[tuple[int, bytes]]:
    """Yield the members of a message that are texts or messages, with their numbers."""
    place = 0
    while place < len(content):
        number, place = content[place] >> 3, place + 1
        size = shift = 0
        while True:
            byte, place = content[place], place + 1
            size |= (byte & 0x7F) << shift
            shift += 7
            if byte < 0x80:
                break
        yield number, content[place : place + size]
        place += size


async def test_tempo_gives_it_in_pieces(client: httpx.AsyncClient, trace: str) -> None:
    """Readers of protobuf put together what repeats; JSON has commas between."""
    first = await client.get(f"/tempo/api/traces/{trace}", headers=PROTOBUF)
    assert spans_in(first.content) == SPANS
    second = await client.get(f"/tempo/api/v2/traces/{trace}", headers=PROTOBUF)
    pieces = list(members(second.content))
    assert {number for number, _ in pieces} == {1}
    assert len(pieces) > 1
    assert sum(spans_in(piece) for _, piece in pieces) == SPANS
    for path, key in (("traces", "batches"), ("v2/traces", "trace")):
        document = (await client.get(f"/tempo/api/{path}/{trace}")).json()[key]
        blocks = document if isinstance(document, list) else document["resourceSpans"]
        assert sum(len(scoped["spans"]) for block in blocks for scoped in block["scopeSpans"]) == SPANS


async def test_jaeger_gives_it_in_pieces(client: httpx.AsyncClient, trace: str) -> None:
    """All spans name a process that is there; the third version is OTLP."""
    [document] = (await client.get(f"/jaeger/api/traces/{trace}")).json()["data"]
    assert len(document["spans"]) == SPANS
    assert {span["processID"] for span in document["spans"]} == set(document["processes"])
    third = (await client.get(f"/jaeger/api/v3/traces/{trace}")).json()["result"]["resourceSpans"]
    assert sum(len(scoped["spans"]) for block in third for scoped in block["scopeSpans"]) == SPANS


async def test_a_search_gives_what_fits_and_says_so(
    filled: FilledStore, client: httpx.AsyncClient, tenant: Tenant
) -> None:
    """Of traces with more spans together than one answer has, each is cut to as many."""
    for number in range(1, 6):
        trace_id = number.to_bytes(16, "big")
        spans = [
            span(trace_id=trace_id, span_id=child.to_bytes(8, "big"), start_time_unix_nano=NOW_NS + child)
            for child in range(1, SPANS + 1)
        ]
        filled.insert(tenant, traces(*spans))
    found = (await client.get("/jaeger/api/traces", params={"service": "shop"})).json()["data"]
    assert [len(trace["spans"]) for trace in found] == [4_000] * 5
    assert found[0]["warnings"] == [f"This trace has {SPANS} spans; the first 4000 are given."]


def test_a_trace_that_is_cut_says_so_in_tempos_second_version() -> None:
    """As status and message, in either format."""
    tail = V2_PROTOBUF.tail("cut")
    assert tail == b"\x18\x01\x22\x03cut"
    assert orjson.loads(V2_JSON.head + V2_JSON.tail("cut")) == {
        "trace": {"resourceSpans": []},
        "metrics": {},
        "status": "PARTIAL",
        "message": "cut",
    }
    assert varint(300) == b"\xac\x02"
