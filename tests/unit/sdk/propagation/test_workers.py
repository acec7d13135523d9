"""Long-lived workers, and functions that carry their context to them."""

import asyncio
import queue
import threading
from collections.abc import Callable
from contextvars import copy_context
from functools import partial

import pytest

from homeostat.propagation import (
    bound,
    carried,
    detached,
    run_in,
)
from tests.contexts import tenant

pytestmark = pytest.mark.usefixtures("nothing_left")


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
