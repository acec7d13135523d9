"""Statements shared between connections, each run by one thread. It knows no statement and no table."""

from collections import deque
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from functools import partial

from homeostat_server.store.telemetry.session import Session


class Hands:
    """Run statements on several connections at once, the caller's thread being one of the hands."""

    def __init__(self, threads: int) -> None:
        """Take how many hands there are beside the callers'; a thread begins when it is first needed."""
        self._threads = ThreadPoolExecutor(max(1, threads), thread_name_prefix="insert")

    def share(self, statements: Iterable[str], sessions: Sequence[Session]) -> None:
        """Run each statement once, on whichever session is free; return when none is running any more.

        Raises:
            SegmentRejected: the engine cannot decode what one of them was to insert.
            StoreUnavailable: any other failure.
        """
        waiting = deque(statements)
        others = [self._threads.submit(partial(_work, waiting, session)) for session in sessions[1:]]
        try:
            _work(waiting, sessions[0])
        finally:
            wait(others)
        for other in others:
            other.result()

    def close(self) -> None:
        """Let running statements end; nothing is shared afterwards."""
        self._threads.shutdown()


def _work(waiting: deque[str], session: Session) -> None:
    try:
        while (statement := _next(waiting)) is not None:
            session.execute(statement)
    except BaseException:
        # What this one could not do makes the rest useless.
        waiting.clear()
        raise


def _next(waiting: deque[str]) -> str | None:
    try:
        return waiting.popleft()
    except IndexError:
        return None
