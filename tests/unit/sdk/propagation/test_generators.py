"""Blocks that are left elsewhere than where they were entered."""

import asyncio
import threading
from collections.abc import AsyncIterator, Generator

import pytest
from opentelemetry.context import Context, attach, get_current

from homeostat.propagation import (
    bound,
    current,
    current_context,
    leave,
)
from tests.contexts import tenant

pytestmark = pytest.mark.usefixtures("nothing_left")


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


def test_a_context_may_be_kept_in_something_else_than_context_variables() -> None:
    """Then what stands for the entering is the other's, and the block is left all the same."""
    previous, entered = current_context(), Context(bound(tenant="acme")._context)
    attach(entered)
    leave(entered, previous=previous, token=object())  # type: ignore[arg-type] # what another runtime gives
    assert current_context() is previous
    attach(entered)
    assert current_context() is entered
    attach(previous)


def test_a_context_can_be_entered_by_hand() -> None:
    """For those who start and end in different functions."""
    previous, entered = current_context(), Context(bound(tenant="acme")._context)
    attach(entered)
    assert tenant() == "acme"
    leave(entered, previous=previous)
    assert current_context() is previous
    leave(entered, previous=Context())
    assert current_context() is previous
