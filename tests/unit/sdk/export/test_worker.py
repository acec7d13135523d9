import logging
import threading

import pytest
from opentelemetry import context
from opentelemetry.context import _SUPPRESS_INSTRUMENTATION_KEY

from homeostat.export.worker import Worker, untraced
from tests.waiting import until


def test_it_works_when_woken_and_when_its_time_has_come() -> None:
    """The task says when it wants to be called again."""
    rounds: list[int] = []

    def task() -> float | None:
        rounds.append(1)
        return 0.001 if len(rounds) < 3 else None

    worker = Worker("test", task)
    worker.wake()
    worker.start()
    worker.start()
    until(lambda: len(rounds) >= 3)
    before = len(rounds)
    worker.wake()
    worker.wake()
    until(lambda: len(rounds) > before)
    worker.stop()


def test_what_it_does_is_not_traced() -> None:
    """Our own requests are not the program's."""
    seen = threading.Event()

    def task() -> None:
        if context.get_value(_SUPPRESS_INSTRUMENTATION_KEY):
            seen.set()

    worker = Worker("test", task)
    worker.start()
    assert seen.wait(10)
    worker.stop()
    with untraced():
        assert context.get_value(_SUPPRESS_INSTRUMENTATION_KEY)
    assert not context.get_value(_SUPPRESS_INSTRUMENTATION_KEY)


def test_a_round_that_fails_is_not_the_last(caplog: pytest.LogCaptureFixture) -> None:
    """It is told with its traceback, and the next round comes."""
    rounds: list[int] = []

    def task() -> None:
        rounds.append(1)
        if len(rounds) == 1:
            raise ZeroDivisionError

    worker = Worker("test", task)
    with caplog.at_level(logging.ERROR):
        worker.start()
        until(lambda: rounds)
        worker.wake()
        until(lambda: len(rounds) > 1)
    worker.stop()
    assert caplog.messages == ["homeostat's test failed and goes on"]


def test_a_stopped_one_does_not_start() -> None:
    """The end of the process is no time for new threads."""
    worker = Worker("stopped", lambda: None)
    worker.stop()
    worker.start()
    assert "stopped" not in {thread.name for thread in threading.enumerate()}


def test_somebody_else_who_starts_it_is_enough() -> None:
    """A handler that interrupts a start does not wait for it."""
    worker = Worker("twice", lambda: None)
    with worker._starting:
        worker.start()
    assert "twice" not in {thread.name for thread in threading.enumerate()}


def test_without_threads_it_does_without(monkeypatch: pytest.MonkeyPatch) -> None:
    """An interpreter that ends gives none."""

    def refuse(_: threading.Thread) -> None:
        raise RuntimeError("can't start new thread at interpreter shutdown")

    monkeypatch.setattr(threading.Thread, "start", refuse)
    Worker("late", lambda: None).start()
