import asyncio
import re
import threading
from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from starlette.requests import Request

from homeostat_server.api.app import create_app
from homeostat_server.api.lists import Answer
from homeostat_server.api.reading import Reading
from homeostat_server.api.services import services_router
from homeostat_server.exceptions import Forbidden, Overloaded, QueryCancelled, QueryLimit
from homeostat_server.model.identity import Principal, Scope
from homeostat_server.model.tenant import DEFAULT_TENANT
from homeostat_server.runtime.clock import SystemClock
from homeostat_server.runtime.telemetry import Telemetry
from homeostat_server.security.tokens import Headers
from homeostat_server.store.ports import Row, TelemetryReader, WatchedReader
from homeostat_server.store.testing import MemoryStore
from homeostat_server.store.watched import Scanned
from tests.waiting import until

PLACES = {"trace_id": "ab" * 16, "service": "shop"}


class Nobody:
    """Let nobody in."""

    def authenticate(self, headers: Headers, *, scope: Scope) -> Principal:  # noqa: ARG002 - the same for all
        """Refuse."""
        raise Forbidden(f"use a key without {scope.value}")


class Caller:
    """Wait for an answer until told to leave, as the server's side of a connection says it."""

    def __init__(self) -> None:
        self._leaving = asyncio.Event()
        self._begun = False

    def leave(self) -> None:
        """Go away."""
        self._leaving.set()

    async def _receive(self) -> dict[str, object]:
        if not self._begun:
            self._begun = True
            return {"type": "http.request", "body": b"", "more_body": False}
        await self._leaving.wait()
        return {"type": "http.disconnect"}

    @property
    def request(self) -> Request:
        """Return the caller's request."""
        return Request({"type": "http", "headers": []}, self._receive)


@pytest.fixture
def caller() -> Caller:
    """Return who asks."""
    return Caller()


@pytest.fixture
def memory() -> MemoryStore:
    """Return what is asked."""
    return MemoryStore()


@pytest.fixture
def narrow(memory: MemoryStore, telemetry: Telemetry) -> Reading:
    """Return a way to the store for one question at a time, with room for one that waits."""
    return reading_of(telemetry, memory, running_max=1, waiting_max=1)


def reading_of(telemetry: Telemetry, store: MemoryStore | None = None, **bounds: Any) -> Reading:  # noqa: ANN401 - bounds of Reading
    """Return a way to a store."""
    return Reading(store or MemoryStore(), authenticator=Nobody(), clock=SystemClock(), telemetry=telemetry, **bounds)


def one_row(reader: TelemetryReader) -> list[Row]:
    """Ask one statement."""
    return reader.read(DEFAULT_TENANT, "SELECT 1", {})


def ended(telemetry: Telemetry, outcome: str) -> float:
    """Return how many questions about logs ended so."""
    return telemetry.value("homeostat_answer_seconds_count", question="logs", outcome=outcome)


async def test_a_question_runs_beside_the_event_loop(telemetry: Telemetry, caller: Caller) -> None:
    """And is measured by its name."""
    thread = await reading_of(telemetry).ask("trace", caller.request, lambda _: threading.current_thread())
    assert thread is not threading.main_thread()
    assert telemetry.value("homeostat_answer_seconds_count", question="trace", outcome="ok") == 1


async def test_a_question_that_fails_is_measured_by_its_error(
    telemetry: Telemetry, narrow: Reading, memory: MemoryStore, caller: Caller
) -> None:
    """By the code that its caller is told; one that nobody foresaw is an internal one."""
    memory.fail_with = QueryLimit("read too much")
    with pytest.raises(QueryLimit):
        await narrow.ask("logs", caller.request, one_row)
    memory.fail_with = RuntimeError("unforeseen")
    with pytest.raises(RuntimeError):
        await narrow.ask("logs", caller.request, one_row)
    assert (ended(telemetry, "query_limit"), ended(telemetry, "internal")) == (1, 1)


async def test_who_leaves_takes_a_running_question_along(
    telemetry: Telemetry, narrow: Reading, memory: MemoryStore, caller: Caller
) -> None:
    """Its statement is stopped, and it is counted as cancelled."""
    memory.hold = True
    asking = asyncio.create_task(narrow.ask("logs", caller.request, one_row))
    await asyncio.to_thread(memory.is_held.wait)
    caller.leave()
    with pytest.raises(QueryCancelled):
        await asking
    assert (ended(telemetry, "cancelled"), ended(telemetry, "ok")) == (1, 0)


async def test_who_leaves_the_queue_makes_room(
    telemetry: Telemetry, narrow: Reading, memory: MemoryStore, caller: Caller
) -> None:
    """A question that waits for a thread is gone at once, while the one that runs goes on."""
    memory.hold = True
    first, third = Caller(), Caller()
    running = asyncio.create_task(narrow.ask("logs", first.request, one_row))
    await asyncio.to_thread(memory.is_held.wait)
    waiting = asyncio.create_task(narrow.ask("logs", caller.request, one_row))
    await asyncio.to_thread(until, lambda: narrow.waiting)
    with pytest.raises(Overloaded):
        await narrow.ask("logs", third.request, one_row)
    caller.leave()
    with pytest.raises(QueryCancelled):
        await waiting
    assert narrow.waiting == 0
    assert not running.done()
    first.leave()
    await asyncio.gather(running, return_exceptions=True)
    assert ended(telemetry, "cancelled") == 2
    assert not memory.questions


async def test_a_cancelled_task_stops_its_question(
    telemetry: Telemetry, narrow: Reading, memory: MemoryStore, caller: Caller
) -> None:
    """A server that stops waits for no statement."""
    memory.hold = True
    asking = asyncio.create_task(narrow.ask("logs", caller.request, one_row))
    await asyncio.to_thread(memory.is_held.wait)
    asking.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asking
    memory.hold = False
    assert await narrow.ask("logs", caller.request, one_row) == []
    assert (ended(telemetry, "cancelled"), ended(telemetry, "ok")) == (1, 1)


async def test_who_stays_is_answered_with_what_it_cost(
    telemetry: Telemetry, narrow: Reading, memory: MemoryStore, caller: Caller
) -> None:
    """The reader adds up what its statements read, for the answer to say."""
    memory.scanned_each = Scanned(rows=7, bytes=70)

    def ask(reader: WatchedReader) -> Scanned:
        one_row(reader)
        one_row(reader)
        reader.check()
        return reader.scanned

    assert await narrow.ask("logs", caller.request, ask) == Scanned(rows=14, bytes=140)
    assert ended(telemetry, "ok") == 1


async def test_questions_over_the_bound_are_refused(telemetry: Telemetry, caller: Caller) -> None:
    """One runs and none may wait: the second is told to come back, the first is answered."""
    reading = reading_of(telemetry, running_max=1, waiting_max=0)
    began, release = threading.Event(), threading.Event()

    def ask(_: object) -> bool:
        began.set()
        return release.wait()

    running = asyncio.create_task(reading.ask("logs", caller.request, ask))
    await asyncio.to_thread(began.wait)
    with pytest.raises(Overloaded, match="0 are waiting"):
        await reading.ask("logs", caller.request, lambda _: None)
    release.set()
    assert await running
    assert telemetry.value("homeostat_answer_waiting") == 0


class Shown(Answer):
    """Show a thread's name."""

    name: str


async def test_an_answer_is_written_in_the_thread_too(telemetry: Telemetry, caller: Caller) -> None:
    """Turning much data into text takes time that the event loop has not."""
    answer = await reading_of(telemetry).answer(
        "logs", caller.request, lambda _: Shown.model_validate(threading.current_thread())
    )
    assert b"MainThread" not in answer.body
    assert answer.media_type == "application/json"


async def test_who_may_not_read_is_answered_nothing(telemetry: Telemetry) -> None:
    """Authentication comes before every question."""
    app = create_app(version="0", guard=lambda _: None, ingest=services_router(reading_of(telemetry)), routers=())
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app=app), base_url="http://test") as client:
        for path in ("/api/v1/services", "/api/v1/services/shop/operations"):
            assert (await client.get(path)).json()["code"] == "forbidden"


async def test_every_route_asks_for_the_scope_read(app: FastAPI, client: httpx.AsyncClient, authenticator: Any) -> None:  # noqa: ANN401 - the fake of conftest
    """None answers without asking."""
    paths = [path for path in app.openapi()["paths"] if path.startswith("/api/v1/")]
    assert len(paths) >= 7
    for path in paths:
        authenticator.scopes.clear()
        await client.get(re.sub(r"\{(\w+)\}", lambda part: PLACES.get(part[1], "x"), path))
        assert authenticator.scopes == {Scope.READ}
