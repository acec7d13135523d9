"""The two threads of the export: one gathers, one sends, so that a slow backend never makes the queue overflow.

They start with the first item, are daemons, and are not carried over a fork. They know when to work, not how.
"""

import logging
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from queue import Empty, SimpleQueue
from typing import Final

from opentelemetry import context
from opentelemetry.context import _SUPPRESS_INSTRUMENTATION_KEY

_AFTER_FAILURE_S: Final = 5.0

_LOG: Final = logging.getLogger("homeostat.export")


@contextmanager
def untraced() -> Iterator[None]:
    """Let nothing that happens inside be traced: our own requests are not the program's."""
    token = context.attach(context.set_value(_SUPPRESS_INSTRUMENTATION_KEY, True))
    try:
        yield
    finally:
        context.detach(token)


class Worker:
    """Run a task again and again in a thread of its own.

    Args:
        name: of the thread.
        task: what to do; it returns how many seconds until it wants to be called again, `None` for never by itself.
    """

    def __init__(self, name: str, task: Callable[[], float | None]) -> None:
        """Start nothing yet."""
        self._name = name
        self._task = task
        self.begin()

    def begin(self) -> None:
        """Forget the thread; in a forked child there is none."""
        # Not an Event: waking must be possible from a signal's handler that interrupts a waking in its middle.
        self._woken: SimpleQueue[None] = SimpleQueue()
        self._is_stopping = False
        self._is_started = False
        self._starting = threading.Lock()

    def start(self) -> None:
        """Start the thread, once; where the interpreter has none to give any more, do without."""
        if not self._starting.acquire(blocking=False):
            return  # somebody else is about to, or this is a signal's handler inside of this very method
        try:
            if not self._is_started and not self._is_stopping:
                self._is_started = True
                threading.Thread(target=self._run, name=self._name, daemon=True).start()
        except RuntimeError:  # at its end; what was gathered goes out with the shutdown
            _LOG.debug("no thread for %s", self._name)
        finally:
            self._starting.release()

    def wake(self) -> None:
        """Let the task run now."""
        if self._woken.empty():
            self._woken.put(None)

    def stop(self) -> None:
        """Let the thread end after the task that it may be at."""
        self._is_stopping = True
        self._woken.put(None)

    def _run(self) -> None:
        woken = self._woken
        with untraced():
            while not self._is_stopping:
                wait_s = self._once()
                with suppress(Empty):
                    woken.get(timeout=wait_s)

    def _once(self) -> float | None:
        try:
            return self._task()
        except Exception:
            _LOG.exception("homeostat's %s failed and goes on", self._name)
            return _AFTER_FAILURE_S
