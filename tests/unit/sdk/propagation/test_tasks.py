"""Tasks and background tasks: what work finds there, and what it leaves behind."""

import asyncio

import httpx
import pytest
from starlette.applications import Starlette
from starlette.background import BackgroundTask, BackgroundTasks
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from homeostat.propagation import (
    Attached,
    Propagator,
    bound,
)
from tests.contexts import tenant

pytestmark = pytest.mark.usefixtures("nothing_left")


async def test_tasks_have_the_context_of_whoever_made_them() -> None:
    """Asyncio copies it, also for `to_thread`, groups and call-backs."""
    loop = asyncio.get_running_loop()
    called: asyncio.Future[str | None] = loop.create_future()

    async def ask() -> str | None:
        await asyncio.sleep(0)
        return tenant()

    with bound(tenant="acme"):
        task = asyncio.create_task(ask())
        in_thread = asyncio.create_task(asyncio.to_thread(tenant))
        loop.call_soon(lambda: called.set_result(tenant()))
        async with asyncio.TaskGroup() as group:
            member = group.create_task(ask())
    assert [await task, await in_thread, await called, member.result()] == ["acme"] * 4


@pytest.mark.usefixtures("carrying")
async def test_a_loop_s_executor_has_the_context_of_the_caller() -> None:
    """Which asyncio does not do by itself."""
    with bound(tenant="acme"):
        future = asyncio.get_running_loop().run_in_executor(None, tenant)
    assert await future == "acme"
    await asyncio.get_running_loop().shutdown_default_executor()


async def test_tasks_beside_each_other_do_not_see_each_other() -> None:
    """Each has its own values, however they take turns."""

    async def work(name: str) -> str | None:
        with bound(tenant=name):
            await asyncio.sleep(0)
            return tenant()

    assert await asyncio.gather(*(work(str(number)) for number in range(20))) == [str(number) for number in range(20)]


async def test_a_cancelled_task_leaves_its_block() -> None:
    """And nothing is said about it."""
    entered = asyncio.Event()

    async def wait() -> None:
        with bound(tenant="acme"):
            entered.set()
            await asyncio.Event().wait()

    task = asyncio.create_task(wait())
    await entered.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


class Entry:
    """The smallest middleware that runs a request in its context."""

    def __init__(self, app: ASGIApp) -> None:
        """Wrap an application."""
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Run a request."""
        if scope["type"] != "http":
            return await self.app(scope, receive, send)
        with Attached(Propagator().extract_asgi(scope["headers"])):
            return await self.app(scope, receive, send)


async def test_background_tasks_belong_to_their_request() -> None:
    """Coroutines and plain functions alike, which Starlette runs in a thread."""
    answers: list[str | None] = []

    def plain() -> None:
        answers.append(tenant())

    async def task() -> None:
        answers.append(tenant())

    async def page(request: Request) -> PlainTextResponse:
        return PlainTextResponse("ok", background=BackgroundTasks([BackgroundTask(plain), BackgroundTask(task)]))

    app = Entry(Starlette(routes=[Route("/", page)]))
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app=app), base_url="http://test") as client:
        await client.get("/", headers={"baggage": "tenant.id=acme"})
        await client.get("/")
    assert answers == ["acme", "acme", None, None]
