"""Celery against a real Redis, in a worker of the same process and in one that forks."""

import gc
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from celery import chain
from celery.contrib.testing.worker import start_worker
from opentelemetry.trace import SpanKind, StatusCode

from homeostat.integrations import celery as integration
from homeostat.propagation import Correlation
from tests import celery_tasks
from tests.brokers import redis_url as redis_url  # noqa: PLC0414 - a fixture is asked for by its name here
from tests.messages import Observed, Seen, check_values, context_of, in_request, observing
from tests.waiting import until

RESULT_S = 60

pytestmark = [
    pytest.mark.xdist_group("redis"),
    # Celery's backend for Redis calls a command of redis-py that has been renamed, and its worker leaves sockets open.
    pytest.mark.filterwarnings("ignore:Call to deprecated setex:DeprecationWarning"),
    pytest.mark.filterwarnings("ignore:.*<socket:pytest.PytestUnraisableExceptionWarning"),
]


@pytest.fixture
def observed() -> Iterator[Observed]:
    """Install the integration."""
    with observing(integration) as found:
        yield found


@pytest.fixture
def app(redis_url: str) -> Iterator[Any]:
    """Give the application with this broker."""
    celery_tasks.app.conf.update(broker_url=redis_url, result_backend=redis_url)
    yield celery_tasks.app
    # A result that is collected when the broker is gone would wait for it to come back.
    gc.collect()


@pytest.fixture
def worker(observed: Observed, app: Any) -> Iterator[None]:  # noqa: ANN401 - Celery has no types
    """Run a worker in a thread of this process."""
    with start_worker(app, pool="solo", perform_ping_check=False, shutdown_timeout=RESULT_S):
        yield


def handled(observed: Observed, count: int = 1) -> list[Any]:
    """Wait until so many runs have ended, and return their spans."""
    until(lambda: len(observed.spans(SpanKind.CONSUMER)) >= count, what="handled tasks")
    return observed.spans(SpanKind.CONSUMER)


@pytest.mark.usefixtures("worker")
def test_a_task_runs_inside_the_span_of_its_message(observed: Observed) -> None:
    """With all that travels; the task's id is the message's."""
    with in_request(observed):
        result = celery_tasks.see_task.apply_async(headers={"mine": "1"})
    found = result.get(timeout=RESULT_S)
    [consumer] = handled(observed)
    [producer] = observed.spans(SpanKind.PRODUCER)
    seen = Seen(Correlation(*found["values"]), context_of(consumer))
    assert found["span"] == context_of(consumer).span_id
    assert seen.values.message_id == result.id
    check_values(seen)
    assert [producer.name, consumer.name] == ["publish see", "process see"]
    assert consumer.parent is not None
    assert consumer.parent.span_id == context_of(producer).span_id
    for attributes in (producer.attributes or {}, consumer.attributes or {}):
        assert attributes["messaging.destination.name"] == "celery"
        assert attributes["messaging.message.id"] == result.id
    assert consumer.attributes["celery.state"] == "SUCCESS"


@pytest.mark.usefixtures("worker")
def test_a_task_that_fails_marks_its_span(observed: Observed) -> None:
    """But for exceptions that it declares."""
    with pytest.raises(ValueError, match="mine"):
        celery_tasks.fail_task.delay().get(timeout=RESULT_S)
    with pytest.raises(KeyError, match="declared"):
        celery_tasks.declared_task.delay().get(timeout=RESULT_S)
    failed, declared = handled(observed, 2)
    assert failed.status.status_code is StatusCode.ERROR
    assert failed.attributes["error.type"] == "ValueError"
    assert declared.status.status_code is StatusCode.UNSET


@pytest.mark.usefixtures("worker")
def test_a_retry_and_the_next_of_a_chain_are_caused_by_the_run_before(observed: Observed) -> None:
    """All in one trace, with the same correlation."""
    with in_request(observed) as request:
        chained = chain(celery_tasks.retry_task.s(), celery_tasks.see_task.s()).apply_async()
    last = Correlation(*chained.get(timeout=RESULT_S)["values"])
    spans = handled(observed, 3)
    assert {context_of(span).trace_id for span in spans} == {request.trace_id}
    assert [span.attributes["celery.state"] for span in spans] == ["RETRY", "SUCCESS", "SUCCESS"]
    assert [span.attributes["celery.retries"] for span in spans] == [0, 1, 0]
    assert (last.correlation_id, last.tenant) == ("c-1", "acme")
    assert last.causation_id == chained.parent.id


def test_an_eager_task_is_part_of_its_caller(observed: Observed, app: Any) -> None:  # noqa: ANN401 - Celery has no types
    """It has no message."""
    with in_request(observed) as request:
        found = celery_tasks.see_task.apply().get()
    assert found["span"] == request.span_id
    assert [span.kind for span in observed.spans()] == [SpanKind.SERVER]


def test_children_of_a_prefork_pool_have_it_from_their_parent(
    observed: Observed,
    app: Any,  # noqa: ANN401 - Celery has no types
    redis_url: str,
    tmp_path: Path,
) -> None:
    """Each run has its own values, in whichever process it is."""
    command = [sys.executable, "-m", "celery", "-A", "tests.celery_tasks", "worker"]
    options = ["--pool=prefork", "--concurrency=2", "--without-gossip", "--without-mingle", "--without-heartbeat"]
    environment = {**os.environ, "CELERY_BROKER_URL": redis_url, "CELERY_TASKS_OBSERVED": "1"}
    log = tmp_path / "worker.log"
    with log.open("wb") as out:
        worker = subprocess.Popen([*command, *options], stdout=out, stderr=out, env=environment)
    try:
        sent = []
        for _ in range(6):
            with in_request(observed) as request:
                sent.append((request.trace_id, celery_tasks.see_task.delay()))
        answers = [(trace_id, result, result.get(timeout=RESULT_S)) for trace_id, result in sent]
    finally:
        worker.send_signal(signal.SIGQUIT)  # which Celery takes as "at once"
        worker.wait(RESULT_S)
    for trace_id, result, found in answers:
        assert found["trace"] == trace_id, log.read_text()
        assert found["process"] not in {worker.pid, os.getpid()}
        assert Correlation(*found["values"]) == Correlation("c-1", "m-1", result.id, "acme", "u-1")


def test_celery_is_as_before_afterwards(app: Any) -> None:  # noqa: ANN401 - Celery has no types
    """Nothing listens any more."""
    before = type(app).send_task
    with observing(integration):
        assert type(app).send_task is not before
    assert type(app).send_task is before
    assert celery_tasks.see_task.apply().get()["values"] == [None] * 5
