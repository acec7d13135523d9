"""Tasks of Celery: a producer's span around the sending of each, a consumer's around each run.

Its message headers carry what travels, whichever broker is behind. A run belongs to whoever sent the task, also a
retry and the next task of a chain; a task that runs eagerly is part of its caller and has no spans of its own.

Everything hangs on Celery's own signals and on one method, so that children of a prefork pool have it from their
parent.
"""

from collections.abc import Callable
from contextvars import ContextVar
from typing import Any, Final

from homeostat.integrations.messaging import DESTINATION, MESSAGE_ID, Message, Messaging, Publishing, merged
from homeostat.integrations.patching import Patches

LIBRARY: Final = "celery"

SYSTEM: Final = "celery"
TASK: Final = "celery.task_name"
STATE: Final = "celery.state"
RETRIES: Final = "celery.retries"

_PATCHES: Final = Patches()
_SENDING: Final[ContextVar[Publishing | None]] = ContextVar("homeostat_celery_sending", default=None)
_RUNNING: Final = "_homeostat_running"


def install(messaging: Messaging) -> None:
    """Carry contexts in all tasks from now on."""
    if not _PATCHES.start(messaging):
        return
    from celery import signals
    from celery.app.base import Celery

    _PATCHES.replace(Celery, "send_task", _send)
    signals.before_task_publish.connect(_routed, weak=False)
    signals.task_prerun.connect(_started, weak=False)
    signals.task_postrun.connect(_ended, weak=False)


def uninstall() -> None:
    """Leave Celery as it was."""
    from celery import signals

    _PATCHES.restore()
    signals.before_task_publish.disconnect(_routed)
    signals.task_prerun.disconnect(_started)
    signals.task_postrun.disconnect(_ended)


def received(task: Any) -> Message:
    """Describe the message of a task that runs."""
    request = task.request
    delivery = request.delivery_info or {}
    return Message(
        system=SYSTEM,
        destination=str(delivery.get("routing_key") or task.name),
        subject=task.name,
        message_id=request.id,
        attributes={TASK: task.name, RETRIES: request.retries or 0},
        headers=(request.headers or {}).items(),
    )


def _send(
    messaging: Messaging, original: Callable[..., Any], app: Any, name: str, *arguments: Any, **named: Any
) -> Any:
    queue = str(app.conf.task_default_queue)
    message = Message(system=SYSTEM, destination=queue, subject=name, attributes={TASK: name})
    publishing = messaging.publishing(message)
    with publishing as ours:
        named["headers"] = merged(named.get("headers"), ours)
        token = _SENDING.set(publishing)
        try:
            result = original(app, name, *arguments, **named)
        finally:
            _SENDING.reset(token)
        publishing.span.set_attribute(MESSAGE_ID, str(getattr(result, "id", "")))
        return result


def _routed(routing_key: str | None = None, **_rest: object) -> None:
    publishing = _SENDING.get()
    if publishing is not None and routing_key:
        publishing.span.set_attribute(DESTINATION, routing_key)


def _started(task: Any = None, **_rest: object) -> None:
    messaging = _PATCHES.messaging
    if messaging is None or task is None or task.request.is_eager:
        return
    running = messaging.handling(received, task)
    setattr(task.request, _RUNNING, running)
    running.__enter__()


def _ended(task: Any = None, state: str | None = None, retval: object = None, **_rest: object) -> None:
    running: Any = getattr(task.request, _RUNNING, None) if task is not None else None
    if running is None:
        return
    setattr(task.request, _RUNNING, None)
    # What a task declares in `throws` is an answer of its own, and a retry is no failure yet.
    failed = state == "FAILURE" and not isinstance(retval, tuple(task.throws or ()))
    error = retval if failed and isinstance(retval, BaseException) else None
    span = getattr(running, "span", None)
    if span is not None and state:
        span.set_attribute(STATE, state)
    running.__exit__(type(error) if error is not None else None, error, None)
