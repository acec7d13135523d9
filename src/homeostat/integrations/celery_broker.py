"""Keeps what a worker of Celery says to its broker out of traces: polls, heartbeats and gossip, many a second.

The main process of a prefork pool runs no task, so the instrumentation of clients is silent there. Its children, which
run the tasks, make spans as any process does. Other pools run tasks beside the loop that polls and are left alone.
"""

import importlib
from typing import Any, Final

from opentelemetry import context

from homeostat.integrations.messaging import Messaging

LIBRARY: Final = "celery"

_PREFORK: Final = "celery.concurrency.prefork"


def install(_: Messaging) -> None:
    """Begin with the workers that start from now on."""
    signals = importlib.import_module("celery.signals")
    signals.worker_init.connect(_silence, weak=False)
    signals.worker_process_init.connect(_speak, weak=False)


def uninstall() -> None:
    """Leave Celery as it was."""
    signals = importlib.import_module("celery.signals")
    signals.worker_init.disconnect(_silence)
    signals.worker_process_init.disconnect(_speak)


def _silence(sender: Any = None, **_: Any) -> None:
    if getattr(getattr(sender, "pool_cls", None), "__module__", "") == _PREFORK:
        _say(is_silent=True)


def _speak(**_: Any) -> None:
    _say(is_silent=False)


def _say(*, is_silent: bool) -> None:
    key = importlib.import_module("opentelemetry.context")._SUPPRESS_INSTRUMENTATION_KEY  # noqa: SLF001 - no other way
    context.attach(context.set_value(key, is_silent or None))
