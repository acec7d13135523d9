"""A Celery application as a team would write it."""

import os

from celery import Celery
from opentelemetry import trace

import homeostat

homeostat.configure("tasks")
app = Celery("tasks", broker=os.environ["BROKER"], backend=os.environ["BROKER"])
app.conf.broker_connection_retry_on_startup = True


@app.task(name="work")  # type: ignore[untyped-decorator]  # Celery ships no types
def work(number: int) -> int:
    """Do a bit of work in a span of its own, and say which process did it."""
    with trace.get_tracer("service").start_as_current_span("work"):
        return os.getpid() + number * 0
