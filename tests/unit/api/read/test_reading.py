import asyncio
import threading
from typing import Any, cast

import httpx
import pytest
from fastapi import FastAPI

from homeostat_server.api.app import create_app
from homeostat_server.api.lists import Answer
from homeostat_server.api.reading import Reading
from homeostat_server.api.services import services_router
from homeostat_server.exceptions import Forbidden, Overloaded, QueryLimit
from homeostat_server.model.identity import Principal, Scope
from homeostat_server.runtime.clock import SystemClock
from homeostat_server.runtime.telemetry import Telemetry
from homeostat_server.security.tokens import Headers
from homeostat_server.store.ports import TelemetryStore


class Nobody:
    """Let nobody in."""

    def authenticate(self, headers: Headers, *, scope: Scope) -> Principal:  # noqa: ARG002 - the same for all
        """Refuse."""
        raise Forbidden(f"use a key without {scope.value}")


def reading_of(telemetry: Telemetry, **bounds: Any) -> Reading:  # noqa: ANN401 - bounds of Reading
    """Return a way to a store that is never asked."""
    store = cast("TelemetryStore", None)
    return Reading(store, authenticator=Nobody(), clock=SystemClock(), telemetry=telemetry, **bounds)


async def test_a_question_runs_beside_the_event_loop(telemetry: Telemetry) -> None:
    """And is measured by its name."""
    thread = await reading_of(telemetry).run("trace", threading.current_thread)
    assert thread is not threading.main_thread()
    assert telemetry.value("homeostat_answer_seconds_count", question="trace", outcome="ok") == 1


async def test_a_question_that_fails_is_measured_by_its_error(telemetry: Telemetry) -> None:
    """By the code that its caller is told."""

    def fail() -> None:
        raise QueryLimit("read too much")

    with pytest.raises(QueryLimit):
        await reading_of(telemetry).run("logs", fail)
    assert telemetry.value("homeostat_answer_seconds_count", question="logs", outcome="query_limit") == 1


async def test_questions_over_the_bound_are_refused(telemetry: Telemetry) -> None:
    """One runs and none may wait: the second is told to come back, the first is answered."""
    reading = reading_of(telemetry, running_max=1, waiting_max=0)
    began, release = threading.Event(), threading.Event()

    def ask() -> bool:
        began.set()
        return release.wait()

    running = asyncio.create_task(reading.run("logs", ask))
    await asyncio.to_thread(began.wait)
    with pytest.raises(Overloaded, match="0 are waiting"):
        await reading.run("logs", lambda: None)
    release.set()
    assert await running
    assert telemetry.value("homeostat_answer_waiting") == 0


class Shown(Answer):
    """Show a thread's name."""

    name: str


async def test_an_answer_is_written_in_the_thread_too(telemetry: Telemetry) -> None:
    """Turning much data into text takes time that the event loop has not."""
    answer = await reading_of(telemetry).answer("logs", lambda: Shown.model_validate(threading.current_thread()))
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
    assert len(paths) == 7
    for path in paths:
        authenticator.scopes.clear()
        await client.get(path.format(trace_id="ab" * 16, service="shop", name="x"))
        assert authenticator.scopes == {Scope.READ}
