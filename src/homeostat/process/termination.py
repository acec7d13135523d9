"""What happens at SIGTERM: the program's own behaviour, after a last chance to save. It knows nothing of what is saved.

Invariant: the process ends, or does not end, exactly as it would have without us: a handler of the program is called,
an ignored signal stays ignored, and where nobody handles it the process dies of the signal, so that its parent sees so.
"""

import _thread
import os
import signal
import threading
from collections.abc import Callable
from types import FrameType
from typing import Any, Final

PATIENCE_S: Final = 0.5
"""How long a handler of the program waits for us: a round trip to a receiver, too short for a person to notice."""

Handler = Callable[[int, FrameType | None], Any]


class Termination:
    """Chain to the handler of SIGTERM.

    Args:
        save: what is done before the process dies where nobody else handles the signal; it may take `budget_s`.
        hasten: what is done before a handler of the program is called, which may end the process without a word; it
            may take `PATIENCE_S`.
        budget_s: how long `save` may take, in seconds.
    """

    def __init__(self, *, save: Callable[[], None], hasten: Callable[[], None], budget_s: float) -> None:
        self._save = save
        self._hasten = hasten
        self._budget_s = budget_s
        self._previous: Handler | signal.Handlers | int | None = None
        self._is_chained = False

    @property
    def is_chained(self) -> bool:
        """Say whether our handler was installed."""
        return self._is_chained

    def start(self) -> None:
        """Chain to the handler that is there. Outside the main thread, and where the signal is ignored, do nothing."""
        if threading.current_thread() is not threading.main_thread():
            return
        previous = signal.getsignal(signal.SIGTERM)
        if previous is None or previous is signal.SIG_IGN:  # None: installed by something that is not Python
            return
        self._previous = previous
        self._is_chained = True
        signal.signal(signal.SIGTERM, self._handle)

    def stop(self) -> None:
        """Give the signal back to whom it belonged, unless somebody has taken it in the meantime."""
        is_main = threading.current_thread() is threading.main_thread()
        if self._is_chained and is_main and signal.getsignal(signal.SIGTERM) == self._handle:
            signal.signal(signal.SIGTERM, self._previous)
            self._is_chained = False

    def _handle(self, number: int, frame: FrameType | None) -> None:
        previous = self._previous
        if callable(previous):
            _in_time(self._hasten, PATIENCE_S)
            previous(number, frame)
            return
        _in_time(self._save, self._budget_s)
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        os.kill(os.getpid(), signal.SIGTERM)
        # Only the first process of a container gets here: the kernel spares it, as it would have without us.
        signal.signal(signal.SIGTERM, self._handle)


def _in_time(act: Callable[[], None], timeout_s: float) -> None:
    """Act in a thread of its own: what was interrupted may hold a lock that it needs, and would never let go.

    `_thread` and not `threading`, whose own lock could be the one.
    """
    done = _thread.allocate_lock()
    done.acquire()

    def run() -> None:
        try:
            act()
        finally:
            done.release()

    _thread.start_new_thread(run, ())
    done.acquire(timeout=timeout_s)
