"""A bounded pool of reading sessions, each locked to one tenant. It knows no table and no query."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from homeostat_server.exceptions import StoreUnavailable
from homeostat_server.model.tenant import Tenant
from homeostat_server.store.telemetry.session import Session


class ReaderPool:
    """Lend sessions by tenant; what is idle is kept for the next question, the longest idle goes first."""

    def __init__(self, open_session: Callable[[Tenant], Session], *, sessions_max: int, wait_s: float) -> None:
        """Begin with none.

        Args:
            open_session: opens a session that sees one tenant's rows and is locked.
            sessions_max: how many may be lent at once; as many again may be idle.
            wait_s: how long a question waits for its turn.
        """
        self._open = open_session
        self._sessions_max = sessions_max
        self._wait_s = wait_s
        self._turns = threading.BoundedSemaphore(sessions_max)
        self._lock = threading.Lock()
        self._idle: list[tuple[Tenant, Session]] = []
        self._closed = False

    @contextmanager
    def session(self, tenant: Tenant) -> Iterator[Session]:
        """Lend a session of this tenant.

        Raises:
            StoreUnavailable: all sessions stayed busy for the waiting time, or the pool is closed.
        """
        self._check_open()
        if not self._turns.acquire(timeout=self._wait_s):
            raise StoreUnavailable("start a query", value=f"{self._sessions_max} are running", hint="Try again later.")
        try:
            self._check_open()
            session = self._take(tenant) or self._open(tenant)
            try:
                yield session
            finally:
                # One that failed too: its session changes its connection by itself.
                self._give_back(tenant, session)
        finally:
            self._turns.release()

    def _check_open(self) -> None:
        with self._lock:
            if self._closed:
                raise StoreUnavailable("start a query", hint="The store is closed.")

    def _take(self, tenant: Tenant) -> Session | None:
        with self._lock:
            for position, (owner, session) in enumerate(self._idle):
                if owner == tenant:
                    del self._idle[position]
                    return session
        return None

    def _give_back(self, tenant: Tenant, session: Session) -> None:
        with self._lock:
            self._idle.append((tenant, session))
            if len(self._idle) <= self._sessions_max:
                return
            _, surplus = self._idle.pop(0)
        surplus.close()

    def close(self) -> None:
        """Lend no more, wait for what is lent (each question has its time limit), then close all."""
        with self._lock:
            self._closed = True
        for _ in range(self._sessions_max):
            self._turns.acquire()
        for _, session in self._idle:
            session.close()
        self._idle.clear()
        for _ in range(self._sessions_max):
            self._turns.release()
