"""What a question costs and how it is called off, over all its statements. It knows no engine and runs nothing.

Invariant: once `cancel` was called no statement of the question begins any more, and one that runs was told to end.
"""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final

from homeostat_server.exceptions import QueryCancelled

LOOK_AGAIN_S: Final = 0.02
"""Until a statement that was not found among the running ones is looked for again: it has begun here, not yet there."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Scanned:
    """Hold how much was read from tables to answer."""

    rows: int
    bytes: int


@dataclass(frozen=True, slots=True, eq=False)
class _Running:
    stop: Callable[[], bool]
    ended: threading.Event


class QueryWatch:
    """Follow the statements of one question; any thread may ask, look on or cancel."""

    def __init__(self) -> None:
        """Begin with nothing read and nothing running."""
        self._lock = threading.Lock()
        self._running: list[_Running] = []
        self._rows = 0
        self._bytes = 0
        self._cancelled = False

    @property
    def scanned(self) -> Scanned:
        """Return what the statements that have ended have read."""
        with self._lock:
            return Scanned(rows=self._rows, bytes=self._bytes)

    @property
    def is_cancelled(self) -> bool:
        """Say whether the question was called off."""
        with self._lock:
            return self._cancelled

    def check(self) -> None:
        """Return when the question still wants an answer; long work between two statements asks now and then.

        Raises:
            QueryCancelled: it was called off.
        """
        if self.is_cancelled:
            raise QueryCancelled("answer a query")

    def cancel(self) -> None:
        """Call the question off; return when what runs was told to end or has ended. Calling it again does no harm.

        It blocks, usually for some milliseconds: an event loop calls it in a thread.

        Raises:
            StoreUnavailable: the store cannot be told; the statement goes on to its time limit.
        """
        with self._lock:
            self._cancelled = True
            running = list(self._running)
        for statement in running:
            # A statement ends at its time limit at the latest, so this does too.
            while not statement.ended.is_set() and not statement.stop():
                statement.ended.wait(LOOK_AGAIN_S)

    @contextmanager
    def statement(self, stop: Callable[[], bool]) -> Iterator[None]:
        """Surround the run of one statement; stores call it.

        Args:
            stop: ends the statement from another thread and says whether it was found running.

        Raises:
            QueryCancelled: the question was called off before.
        """
        running = _Running(stop, threading.Event())
        with self._lock:
            if self._cancelled:
                raise QueryCancelled("answer a query")
            self._running.append(running)
        try:
            yield
        finally:
            running.ended.set()
            with self._lock:
                self._running.remove(running)

    def count(self, scanned: Scanned) -> None:
        """Add what a statement has read; stores call it."""
        with self._lock:
            self._rows += scanned.rows
            self._bytes += scanned.bytes
