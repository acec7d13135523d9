"""How a question of a caller reaches the store: who asks, is there room, and a thread to wait in.

It knows no question. The store blocks, so whatever asks it, and whatever turns much data into text, runs beside the
event loop; a bounded number at a time, a bounded number waiting. A caller who goes away takes the question along: one
that waits is dropped, the statement of one that runs is stopped in the engine.
"""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from functools import partial
from typing import Final, Protocol, TypeVar

import anyio.to_thread
from anyio import CancelScope, CapacityLimiter
from pydantic import BaseModel
from starlette.requests import Request
from starlette.responses import Response

from homeostat_server.exceptions import HomeostatError, Overloaded, QueryCancelled
from homeostat_server.model.identity import Principal, Scope
from homeostat_server.query.sources import SourceMemory
from homeostat_server.runtime.clock import Clock
from homeostat_server.runtime.telemetry import Telemetry
from homeostat_server.security.tokens import Headers
from homeostat_server.store.ports import TelemetryStore, WatchedReader
from homeostat_server.store.watched import QueryWatch

_LOG: Final = logging.getLogger(__name__)

RUNNING_MAX: Final = 8
"""Questions at a time: the engine has two cores, further ones only take memory from each other."""

WAITING_MAX: Final = 64
"""Questions in the queue; at 50 ms each the last one waits for half a second."""

T = TypeVar("T")


class Authenticates(Protocol):
    """Say who is asking; `homeostat_server.security.authentication.Authenticator` does."""

    def authenticate(self, headers: Headers, *, scope: Scope) -> Principal:
        """Return who is asking for something that needs the scope, or raise."""
        ...


class Reading:
    """Let callers read; belongs to one event loop."""

    def __init__(
        self,
        store: TelemetryStore,
        *,
        authenticator: Authenticates,
        clock: Clock,
        telemetry: Telemetry,
        running_max: int = RUNNING_MAX,
        waiting_max: int = WAITING_MAX,
    ) -> None:
        """Take what is asked, who says who may ask, and how much at once."""
        self.clock = clock
        self.sources = SourceMemory()
        self._store = store
        self._authenticator = authenticator
        self._threads = CapacityLimiter(running_max)
        self._waiting_max = waiting_max
        self._durations = telemetry.histogram(
            "homeostat_answer_seconds",
            "Time from a question of the API to its answer, the wait for a thread included, by how it ended.",
            labels=("question", "outcome"),
        )
        telemetry.observe(
            "homeostat_answer_waiting",
            "Questions of the API that wait for a thread.",
            read=lambda: [((), float(self.waiting))],
        )

    @property
    def waiting(self) -> int:
        """Return how many questions wait for a thread."""
        return self._threads.statistics().tasks_waiting

    async def caller(self, request: Request) -> Principal:
        """Return who is asking; use it as a dependency of a route.

        Raises:
            Unauthenticated: no key where one is needed, or one that is not valid.
            Forbidden: the key may not read.
        """
        # Async although it waits for nothing: the framework gives a thread to what is not.
        return self._authenticator.authenticate(request.headers.raw, scope=Scope.READ)

    async def ask(self, question: str, request: Request, ask: Callable[[WatchedReader], T]) -> T:
        """Return what a function returns that is run in a thread.

        Args:
            question: its name in the metrics.
            request: whose caller is waited for: once they have gone, nothing is asked any more.
            ask: is given what to read from; may block and take long.

        Raises:
            Overloaded: too many are waiting already.
            QueryCancelled: the caller has gone.
        """
        if self._threads.available_tokens <= 0 and self.waiting >= self._waiting_max:
            raise Overloaded("start a query", value=f"{self.waiting} are waiting", hint="Try again later.")
        began_s = self.clock.monotonic_s()
        outcome = "internal"
        watch = QueryWatch()
        try:
            async with _while_wanted(request, watch):
                answer = await anyio.to_thread.run_sync(partial(ask, self._store.watched(watch)), limiter=self._threads)
            outcome = "ok"
        except HomeostatError as error:
            outcome = error.code
            raise
        except asyncio.CancelledError:
            outcome = QueryCancelled.code
            raise
        finally:
            self._durations.labels(question, outcome).observe(self.clock.monotonic_s() - began_s)
        return answer

    async def answer(self, question: str, request: Request, ask: Callable[[WatchedReader], BaseModel]) -> Response:
        """Return as JSON what a function returns that is run in a thread; see `ask`."""

        def written(reader: WatchedReader) -> bytes:
            return ask(reader).model_dump_json().encode()

        return Response(await self.ask(question, request, written), media_type="application/json")


@asynccontextmanager
async def _while_wanted(request: Request, watch: QueryWatch) -> AsyncIterator[None]:
    """Surround a question: it is called off when its caller goes away, or when the task that asks is cancelled.

    Raises:
        QueryCancelled: the caller went away while the question waited for a thread.
    """
    scope = CancelScope()
    listening = asyncio.create_task(_listen(request, watch, scope), name="caller")
    try:
        with scope:
            yield
        if scope.cancelled_caught:
            raise QueryCancelled("wait for a thread")
    except asyncio.CancelledError:
        _call_off(watch)
        raise
    finally:
        listening.cancel()


async def _listen(request: Request, watch: QueryWatch, scope: CancelScope) -> None:
    """Wait until the caller goes away, then call the question off."""
    while (await request.receive())["type"] != "http.disconnect":
        pass
    # What waits for a thread ends by the scope; a thread cannot be interrupted and ends by the watch.
    scope.cancel()
    _call_off(watch)


def _call_off(watch: QueryWatch) -> None:
    """Cancel a watch in a thread: it talks to the engine."""
    asyncio.get_running_loop().run_in_executor(None, _cancel, watch)


def _cancel(watch: QueryWatch) -> None:
    try:
        watch.cancel()
    except HomeostatError as error:
        _LOG.warning("a question was not stopped and goes on to its time limit: %s", error)
