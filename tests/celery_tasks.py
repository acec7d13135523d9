"""A Celery application for tests: its tasks say what they find. A prefork worker of its own imports this module."""

import os
from typing import Any

from celery import Celery
from celery.signals import setup_logging, worker_process_init
from opentelemetry.trace import get_current_span

from homeostat.propagation import current

app = Celery("tests", broker=os.environ.get("CELERY_BROKER_URL"), backend=os.environ.get("CELERY_BROKER_URL"))
app.conf.update(worker_hijack_root_logger=False, broker_connection_retry_on_startup=True)


@setup_logging.connect  # type: ignore[untyped-decorator] # Celery has no types
def leave_logging(**_rest: object) -> None:
    """Keep Celery from setting up the logging of the process that tests run in."""


def found() -> dict[str, Any]:
    """Return what is current, in a form that a result can hold."""
    span = get_current_span().get_span_context()
    return {"values": list(current()), "trace": span.trace_id, "span": span.span_id, "process": os.getpid()}


@app.task(name="see")  # type: ignore[untyped-decorator] # Celery has no types
def see_task(_previous: object = None) -> dict[str, Any]:
    """Say what is current."""
    return found()


@app.task(name="fail")  # type: ignore[untyped-decorator] # Celery has no types
def fail_task() -> None:
    """Fail."""
    raise ValueError("mine")


@app.task(name="declared", throws=(KeyError,))  # type: ignore[untyped-decorator] # Celery has no types
def declared_task() -> None:
    """Fail as declared."""
    raise KeyError("declared")


@app.task(name="again", bind=True, max_retries=1)  # type: ignore[untyped-decorator] # Celery has no types
def retry_task(self: Any) -> dict[str, Any]:  # noqa: ANN401 - a task of Celery, which has no types
    """Try a second time."""
    if self.request.retries == 0:
        raise self.retry(countdown=0)
    return found()


if os.environ.get("CELERY_TASKS_OBSERVED"):
    # Installed in the worker's parent, before it forks, as a program does that is configured when it is imported.
    from homeostat.integrations import celery as integration
    from homeostat.integrations.messaging import Messaging
    from homeostat.propagation import Propagator

    integration.install(Messaging(Propagator()))

    @worker_process_init.connect  # type: ignore[untyped-decorator] # the same
    def provide(**_rest: object) -> None:
        """Make spans real in each child."""
        from opentelemetry.sdk.trace import TracerProvider  # noqa: PLC0415 - in the child only
        from opentelemetry.trace import set_tracer_provider  # noqa: PLC0415 - the same

        set_tracer_provider(TracerProvider())
