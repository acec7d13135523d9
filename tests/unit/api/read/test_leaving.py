"""Callers who go away, over real connections to a real store."""

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import closing
from typing import Annotated, cast

import httpx
import pytest
from fastapi import APIRouter, Depends
from starlette.requests import Request

from homeostat.settings.kinds import Address
from homeostat_server.api.app import create_app
from homeostat_server.api.reading import Reading
from homeostat_server.api.traces import traces_router
from homeostat_server.model.identity import Principal
from homeostat_server.model.tenant import Tenant
from homeostat_server.query.traces.lookup import SPANS_PER_PIECE
from homeostat_server.runtime.telemetry import Telemetry
from homeostat_server.server.listening import HttpServer, bind
from homeostat_server.store.ports import Row, WatchedReader
from homeostat_server.store.telemetry.embedded import EmbeddedStore
from tests import otlp
from tests.telemetry_store import FilledStore
from tests.unit.api.read.test_traces import URL, numbered, span_ids
from tests.waiting import until

HEAVY = "SELECT count() AS n FROM numbers(1000000000000) WHERE NOT ignore(sipHash64(number))"


def heavy_router(reading: Reading) -> APIRouter:
    """Return a route whose question lasts longer than anybody waits."""
    router = APIRouter()

    @router.get("/heavy")
    async def heavy(principal: Annotated[Principal, Depends(reading.caller)], request: Request) -> list[Row]:
        def ask(reader: WatchedReader) -> list[Row]:
            return reader.read(principal.tenant, HEAVY, {})

        return await reading.ask("heavy", request, ask)

    return router


@pytest.fixture
async def address(reading: Reading) -> AsyncIterator[Address]:
    """Return where the application is served by the platform's own server."""
    app = create_app(
        version="0", guard=lambda _: None, ingest=APIRouter(), routers=[heavy_router(reading), traces_router(reading)]
    )
    with closing(bind(Address("127.0.0.1", 0))) as bound:
        server = HttpServer(app, bound=bound, tls=None)
        await server.start()
        yield Address(*bound.getsockname()[:2])
        await server.stop()


def running(filled: FilledStore) -> int:
    """Return how many such questions run in the engine."""
    engine = cast("EmbeddedStore", filled.store)._upkeep
    [row] = engine.rows("SELECT countIf(query LIKE '%1000000000000%') AS n FROM system.processes", {})
    return cast("int", row["n"]) - 1  # this one too


async def test_a_question_ends_when_its_caller_closes_the_connection(
    filled: FilledStore, tenant: Tenant, address: Address, telemetry: Telemetry
) -> None:
    """It is gone from the engine long before its time is over, and counted as cancelled."""
    with socket.create_connection((address.host, address.port)) as caller:
        caller.sendall(f"GET /heavy HTTP/1.1\r\nHost: test\r\nX-Scope-OrgID: {tenant}\r\n\r\n".encode())
        await asyncio.to_thread(until, lambda: running(filled) == 1)
    await asyncio.to_thread(until, lambda: running(filled) == 0, timeout_s=10)

    def cancelled() -> bool:
        return telemetry.value("homeostat_answer_seconds_count", question="heavy", outcome="cancelled") == 1

    await asyncio.to_thread(until, cancelled)


async def test_who_stays_gets_a_large_trace_whole(filled: FilledStore, tenant: Tenant, address: Address) -> None:
    """Listening for a caller who leaves takes nothing from an answer that comes in pieces."""
    spans = numbered(2 * SPANS_PER_PIECE)
    filled.insert(tenant, otlp.traces(*spans))
    async with httpx.AsyncClient(base_url=f"http://{address}", trust_env=False) as client:
        for _ in range(2):
            answer = await client.get(URL, headers={"X-Scope-OrgID": tenant})
            assert span_ids(answer.json()) == [span.span_id.hex() for span in spans]
