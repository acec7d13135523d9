from collections.abc import Iterator
from pathlib import Path
from threading import Event, Thread

import pytest

from homeostat_server.exceptions import HomeostatError, QueryLimit, StoreUnavailable
from homeostat_server.model.tenant import Tenant
from homeostat_server.store.ports import QueryLimits, TelemetryStore
from tests.contract.store.conftest import MEBIBYTE, Adapter

ASKER = Tenant("asker")
HEAVY = "SELECT count() AS n FROM numbers(1000000000000) WHERE NOT ignore(sipHash64(number))"
BRIEF = QueryLimits(duration_s=1, rows_max=10, result_bytes_max=MEBIBYTE, memory_bytes_max=256 * MEBIBYTE)


class Question(Thread):
    """Ask what lasts until its time is over, and keep how it ended."""

    def __init__(self, store: TelemetryStore) -> None:
        """Ask from a thread."""
        super().__init__()
        self._store = store
        self.begun = Event()
        self.ending: HomeostatError | None = None

    def run(self) -> None:
        """Ask."""
        self.begun.set()
        try:
            self._store.read(ASKER, HEAVY, {})
        except HomeostatError as ending:
            self.ending = ending


@pytest.fixture
def store(adapter: Adapter, tmp_path: Path) -> Iterator[TelemetryStore]:
    """Return a store that runs one question at a time, each for a second."""
    opened = adapter(tmp_path, limits=BRIEF, readers_max=1)
    yield opened
    opened.close()


def test_a_question_that_lasts_too_long_is_stopped(store: TelemetryStore) -> None:
    """Time is bounded, and the next question gets its answer."""
    with pytest.raises(QueryLimit):
        store.read(ASKER, HEAVY, {})
    assert store.read(ASKER, "SELECT 1 AS one", {}) == [{"one": 1}]


def test_too_many_questions_wait_then_are_refused(store: TelemetryStore) -> None:
    """One that finds no free session in the time it may last is asked to come again."""
    questions = [Question(store) for _ in range(4)]
    for question in questions:
        question.start()
    for question in questions:
        question.join()
    refused = [question.ending for question in questions if isinstance(question.ending, StoreUnavailable)]
    assert refused
    assert all(refusal.retryable for refusal in refused)
    assert any(isinstance(question.ending, QueryLimit) for question in questions)


def test_close_lets_a_running_question_end(store: TelemetryStore) -> None:
    """It gets its answer or its limit, or was too late; it is never broken off, and close returns after it."""
    question = Question(store)
    question.start()
    question.begun.wait()
    store.close()
    question.join(0.5)
    assert not question.is_alive()
    assert isinstance(question.ending, (QueryLimit, StoreUnavailable))
