from collections.abc import Iterator

import pytest
from celery import signals
from celery.concurrency.prefork import TaskPool as Prefork
from celery.concurrency.solo import TaskPool as Solo
from opentelemetry import context
from opentelemetry.instrumentation.utils import is_instrumentation_enabled

from homeostat.integrations import celery_broker
from homeostat.integrations.messaging import Messaging
from homeostat.propagation import Propagator


@pytest.fixture(autouse=True)
def _installed() -> Iterator[None]:
    """Install it, and leave all as it was."""
    before = context.get_current()
    celery_broker.install(Messaging(Propagator()))
    yield
    celery_broker.uninstall()
    context.attach(before)


class Worker:
    """Stand for a worker of Celery."""

    def __init__(self, pool: type) -> None:
        """Take the kind of its pool."""
        self.pool_cls = pool


def test_the_main_process_of_a_prefork_pool_is_silent_and_its_children_are_not() -> None:
    """It polls, and runs no task."""
    signals.worker_init.send(sender=Worker(Prefork))
    assert not is_instrumentation_enabled()
    signals.worker_process_init.send(sender=None)
    assert is_instrumentation_enabled()


def test_a_pool_that_runs_tasks_beside_the_loop_is_left_alone() -> None:
    """Its tasks make spans."""
    signals.worker_init.send(sender=Worker(Solo))
    assert is_instrumentation_enabled()


def test_after_uninstall_workers_are_as_they_were() -> None:
    """They say what they say."""
    celery_broker.uninstall()
    signals.worker_init.send(sender=Worker(Prefork))
    assert is_instrumentation_enabled()
