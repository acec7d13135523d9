"""Everywhere that work may go inside a process, and what it finds there and leaves behind."""

import asyncio
import logging
import multiprocessing
import queue
import threading
from collections.abc import AsyncIterator, Callable, Generator, Iterator
from concurrent.futures import Executor, Future, ProcessPoolExecutor, ThreadPoolExecutor
from contextvars import copy_context
from functools import partial

import httpx
import pytest
from opentelemetry.context import Context, attach, get_current
from opentelemetry.propagate import get_global_textmap, set_global_textmap
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
    carried,
    carry_into_threads,
    current,
    current_context,
    detached,
    leave,
    run_in,
    stop_carrying_into_threads,
)


def tenant() -> str | None:
    """Return the tenant of the current work; a function of the module, so that it can be pickled."""
    return current().tenant


@pytest.fixture
def carrying() -> Iterator[None]:
    """Carry contexts into threads during a test."""
    carry_into_threads()
    yield
    stop_carrying_into_threads()


@pytest.fixture(autouse=True)
def nothing_left(caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    """See that whatever a test did, nothing stays current and nothing was complained about."""
    with caplog.at_level(logging.WARNING):
        yield
    assert current().tenant is None
    assert [record.message for record in caplog.records] == []


class Asking(threading.Thread):
    """A thread that overrides `run`, as many do."""

    def __init__(self) -> None:
        """Have no answer yet."""
        super().__init__()
        self.answer: str | None = None

    def run(self) -> None:
        """Ask who this is done for."""
        self.answer = tenant()


# ---- threads


@pytest.mark.usefixtures("carrying")
def test_a_thread_runs_in_the_context_of_whoever_started_it() -> None:
    """Not of whoever made it, and also where `run` is overridden."""
    thread = Asking()
    answers: list[str | None] = []
    with bound(tenant="acme"):
        thread.start()
        plain = threading.Thread(target=lambda: answers.append(tenant()))
        plain.start()
    thread.join()
    plain.join()
    assert (thread.answer, answers) == ("acme", ["acme"])
    with pytest.raises(RuntimeError, match="once"):
        thread.start()


@pytest.mark.usefixtures("carrying")
def test_threads_of_the_sdk_belong_to_nobody() -> None:
    """They are started by whoever makes the first span, and serve all that come after."""
    thread = Asking()
    thread.name = "homeostat-export"
    with bound(tenant="acme"):
        thread.start()
    thread.join()
    assert thread.answer is None


@pytest.mark.usefixtures("carrying")
def test_a_thread_that_cannot_start_says_so_as_ever() -> None:
    """The exception is Python's."""

    class Forgetful(threading.Thread):
        def __init__(self) -> None:
            """Forget the rest."""

    with bound(tenant="acme"), pytest.raises(RuntimeError, match="not called"):
        Forgetful().start()


@pytest.mark.usefixtures("carrying")
def test_a_timer_runs_in_the_context_of_whoever_started_it() -> None:
    """It is a thread that waits first."""
    answers: queue.Queue[str | None] = queue.Queue()
    with bound(tenant="acme"):
        timer = threading.Timer(0, lambda: answers.put(tenant()))
        timer.start()
    assert answers.get(timeout=10) == "acme"
    timer.join()


def test_a_thread_has_no_context_where_that_is_switched_off() -> None:
    """As Python does by itself; switching on and off twice is the same as once."""
    start, submit = threading.Thread.start, ThreadPoolExecutor.submit
    carry_into_threads()
    carry_into_threads()
    assert threading.Thread.start is not start
    stop_carrying_into_threads()
    stop_carrying_into_threads()
    assert (threading.Thread.start, ThreadPoolExecutor.submit) == (start, submit)
    thread = Asking()
    with bound(tenant="acme"):
        thread.start()
    thread.join()
    assert thread.answer is None


# ---- executors


def handed(pool: Executor, hand: Callable[[Executor], "Future[str | None]"]) -> str | None:
    """Return what a piece of work in a pool says."""
    return hand(pool).result(timeout=60)


@pytest.mark.usefixtures("carrying")
def test_a_pool_runs_each_item_in_its_own_context() -> None:
    """Its threads outlive the first submission, and do not keep its context."""
    with ThreadPoolExecutor(max_workers=1) as pool:
        with bound(tenant="first"):
            assert handed(pool, lambda pool: pool.submit(tenant)) == "first"
        assert handed(pool, lambda pool: pool.submit(tenant)) is None
        with bound(tenant="second"):
            assert list(pool.map(lambda _: tenant(), range(3))) == ["second"] * 3
        assert handed(pool, lambda pool: pool.submit(tenant)) is None


@pytest.mark.usefixtures("carrying")
def test_a_pool_keeps_nothing_that_an_item_left_attached() -> None:
    """The next item of the same thread starts clean."""

    def careless(name: str) -> None:
        attach(bound(tenant=name)._context)

    with ThreadPoolExecutor(max_workers=1) as pool:
        with bound(tenant="first"):
            pool.submit(careless, "left").result(timeout=60)
        assert pool.submit(tenant).result(timeout=60) is None


@pytest.mark.usefixtures("carrying")
def test_a_pool_that_is_shut_down_still_refuses() -> None:
    """With the exception that the program expects, and the context unharmed."""
    pool = ThreadPoolExecutor(max_workers=1)
    pool.shutdown()
    with bound(tenant="acme"):
        with pytest.raises(RuntimeError, match="shutdown"):
            pool.submit(tenant)
        assert tenant() == "acme"


def test_another_process_has_the_values_of_a_carried_function() -> None:
    """What travels there is what would leave in a message."""
    before = get_global_textmap()
    set_global_textmap(Propagator())
    context = multiprocessing.get_context("spawn")
    try:
        with ProcessPoolExecutor(max_workers=1, mp_context=context, initializer=_use_propagator) as pool:
            with bound(tenant="acme"):
                work = carried(tenant)
            assert pool.submit(work).result(timeout=60) == "acme"
            assert pool.submit(tenant).result(timeout=60) is None
    finally:
        set_global_textmap(before)


def _use_propagator() -> None:
    set_global_textmap(Propagator())


# ---- tasks


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


# ---- generators closed elsewhere


def rows(name: str) -> Generator[str | None, None, None]:
    """Give the tenant twice, from inside a block that stays open between."""
    with bound(tenant=name):
        yield tenant()
        yield tenant()


def test_a_generator_that_is_read_to_its_end_leaves_nothing() -> None:
    """Though its block was open while the reader ran."""
    assert list(rows("acme")) == ["acme", "acme"]


def test_a_generator_closed_inside_a_later_block_does_not_disturb_it() -> None:
    """The later block stays, and when it ends, what was before the generator is current again."""
    with bound(tenant="outer"):
        reading = rows("inner")
        next(reading)
        with bound(user="u"):
            reading.close()
            assert current().user == "u"
        assert tenant() == "outer"
        assert current().user is None


def test_two_generators_closed_in_the_order_of_their_start() -> None:
    """That is, in the wrong one."""
    with bound(tenant="outer"):
        first, second = rows("first"), rows("second")
        next(first)
        next(second)
        first.close()
        assert tenant() == "second"
        second.close()
        assert tenant() == "outer"


def test_a_generator_closed_in_another_thread_disturbs_nobody() -> None:
    """That thread's context stays as it is, and here the generator's values end with the block around it."""
    answers: list[str | None] = []

    def close(reading: Generator[str | None, None, None]) -> None:
        with bound(tenant="theirs"):
            reading.close()
            answers.append(tenant())

    with bound(tenant="ours"):
        reading = rows("inner")
        next(reading)
        thread = threading.Thread(target=close, args=(reading,))
        thread.start()
        thread.join()
        assert tenant() == "ours"
    assert answers == ["theirs"]


async def pages(name: str) -> AsyncIterator[str | None]:
    """Give the tenant for ever, from inside a block."""
    with bound(tenant=name):
        while True:
            yield tenant()


async def test_an_asynchronous_generator_closed_by_the_loop_disturbs_nobody() -> None:
    """The loop closes it in a task of its own, some time after the reader went away."""

    async def read() -> str | None:
        async for found in pages("inner"):
            return found
        return None

    with bound(tenant="outer"):
        assert await asyncio.create_task(read()) == "inner"
        await asyncio.sleep(0)
        assert tenant() == "outer"


async def test_an_asynchronous_generator_closed_by_another_task_disturbs_nobody() -> None:
    """Neither the task that closes it nor the one that read it."""

    async def close() -> str | None:
        await reading.aclose()  # type: ignore[attr-defined] # it is a generator
        return tenant()

    with bound(tenant="outer"):
        reading = pages("inner")
        assert await anext(reading) == "inner"
        with bound(tenant="theirs"):
            closing = asyncio.create_task(close())
        assert await closing == "theirs"
        assert tenant() == "outer"


async def test_a_broken_loop_over_an_asynchronous_generator_leaves_nothing() -> None:
    """The loop closes the generator in a task of its own; who read it is back where it was as soon as it asks."""
    with bound(tenant="outer"):
        async for found in pages("inner"):
            assert found == "inner"
            break
        assert tenant() == "inner"
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        assert tenant() == "outer"
        assert get_current() is current_context()


async def test_a_task_started_inside_a_block_keeps_it() -> None:
    """However the block ends."""
    go_on = asyncio.Event()

    async def later() -> str | None:
        await go_on.wait()
        return tenant()

    tasks = []
    with bound(tenant="left"):
        tasks.append(asyncio.create_task(later()))
    reading = rows("closed")
    next(reading)
    tasks.append(asyncio.create_task(later()))
    with bound(user="u"):
        reading.close()
    async for _ in pages("broken"):
        tasks.append(asyncio.create_task(later()))
        break
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert tenant() is None
    go_on.set()
    assert await asyncio.gather(*tasks) == ["left", "closed", "broken"]


def test_a_block_is_left_once() -> None:
    """The second time is no harm."""
    block = bound(tenant="acme")
    with bound(user="u"):
        with block:
            pass
        block.leave()
        assert current().user == "u"


def test_a_context_can_be_entered_by_hand() -> None:
    """For those who start and end in different functions."""
    previous, entered = current_context(), Context(bound(tenant="acme")._context)
    attach(entered)
    assert tenant() == "acme"
    leave(entered, previous=previous)
    assert current_context() is previous
    leave(entered, previous=Context())
    assert current_context() is previous


# ---- long-lived workers


def test_a_worker_runs_each_job_in_the_context_of_its_own() -> None:
    """A queue between threads carries functions with their contexts, and none of them stays."""
    jobs: queue.Queue[Callable[[], str | None] | None] = queue.Queue()
    answers: list[str | None] = []

    def work() -> None:
        while job := jobs.get():
            answers.append(job())
            answers.append(tenant())

    worker = threading.Thread(target=work)
    worker.start()
    for name in ("first", "second"):
        with bound(tenant=name):
            jobs.put(carried(tenant))
    jobs.put(tenant)
    jobs.put(None)
    worker.join()
    assert answers == ["first", None, "second", None, None, None]


@pytest.mark.usefixtures("carrying")
def test_a_worker_that_a_request_started_can_be_detached() -> None:
    """So that what it does later does not belong to that request."""
    answers: list[str | None] = []
    with bound(tenant="acme"), detached():
        worker = threading.Thread(target=lambda: answers.append(tenant()))
        worker.start()
    worker.join()
    assert answers == [None]


async def test_a_task_that_a_request_started_can_be_detached() -> None:
    """The same for a task that outlives it; afterwards the request goes on as before."""

    async def refresh() -> str | None:
        return tenant()

    with bound(tenant="acme"):
        with detached():
            task = asyncio.create_task(refresh())
        assert tenant() == "acme"
    assert await task is None


async def test_coroutine_functions_are_carried_too() -> None:
    """The caller's context is back when the coroutine ends, also by an exception."""

    async def fail() -> None:
        await asyncio.sleep(0)
        raise ValueError(tenant())

    async def ask(*names: str, last: str) -> tuple[str | None, ...]:
        await asyncio.sleep(0)
        return (tenant(), *names, last)

    with bound(tenant="acme"):
        answered, failing = carried(ask), carried(fail)
    with bound(tenant="other"):
        assert await answered("a", last="z") == ("acme", "a", "z")
        with pytest.raises(ValueError, match="acme"):
            await failing()
        assert tenant() == "other"


def test_a_carried_function_is_the_function_with_a_context() -> None:
    """Its name stays, arguments and results pass, and another context can be given."""
    with bound(tenant="acme") as block:
        given = block._context
    work = carried(tenant, context=given)
    assert work() == "acme"
    assert work.__name__ == "tenant"
    assert carried(partial(int, base=2))("101") == 5
    assert run_in(given, tenant) == "acme"
    assert copy_context().run(work) == "acme"


# ---- background tasks


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
