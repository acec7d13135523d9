"""Threads and executors: what work finds there, and what it leaves behind."""

import multiprocessing
import queue
import threading
from collections.abc import Callable
from concurrent.futures import Executor, Future, ProcessPoolExecutor, ThreadPoolExecutor

import pytest
from opentelemetry.context import attach
from opentelemetry.propagate import get_global_textmap, set_global_textmap

from homeostat.propagation import Propagator, bound, carried, carry_into_threads, stop_carrying_into_threads
from tests.contexts import Asking, tenant, use_propagator

pytestmark = pytest.mark.usefixtures("nothing_left")


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


def test_what_somebody_else_puts_on_top_stays() -> None:
    """It goes on to be called, and finds nothing carried once that is switched off."""
    plain = threading.Thread.start
    carry_into_threads()
    ours, started = threading.Thread.start, []

    def start(thread: threading.Thread) -> None:
        started.append(thread)
        ours(thread)

    threading.Thread.start = start  # type: ignore[method-assign, assignment] # what another library does
    stop_carrying_into_threads()
    thread = Asking()
    with bound(tenant="acme"):
        thread.start()
    thread.join()
    assert (started, thread.answer) == ([thread], None)
    threading.Thread.start = ours  # type: ignore[method-assign] # what it does when it ends
    stop_carrying_into_threads()
    assert threading.Thread.start is plain


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
        with ProcessPoolExecutor(max_workers=1, mp_context=context, initializer=use_propagator) as pool:
            with bound(tenant="acme"):
                work = carried(tenant)
            assert pool.submit(work).result(timeout=60) == "acme"
            assert pool.submit(tenant).result(timeout=60) is None
    finally:
        set_global_textmap(before)
