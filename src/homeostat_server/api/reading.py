"""How a question of a caller reaches the store: who asks, is there room, and a thread to wait in.

It knows no question. The store blocks, so whatever asks it, and whatever turns much data into text, runs beside the
event loop; a bounded number at a time, a bounded number waiting.
"""

from collections.abc import Callable
from typing import Final, Protocol, TypeVar

import anyio.to_thread
from anyio import CapacityLimiter
from pydantic import BaseModel
from starlette.requests import Request
from starlette.responses import Response

from homeostat_server.exceptions import HomeostatError, Overloaded
from homeostat_server.model.identity import Principal, Scope
from homeostat_server.runtime.clock import Clock
from homeostat_server.runtime.telemetry import Telemetry
from homeostat_server.security.tokens import Headers
from homeostat_server.store.ports import TelemetryStore

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
        self.store = store
        self.clock = clock
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

    async def run(self, question: str, ask: Callable[[], T]) -> T:
        """Return what a function returns that is run in a thread.

        Args:
            question: its name in the metrics.
            ask: may block and take long.

        Raises:
            Overloaded: too many are waiting already.
        """
        if self._threads.available_tokens <= 0 and self.waiting >= self._waiting_max:
            raise Overloaded("start a query", value=f"{self.waiting} are waiting", hint="Try again later.")
        began_s = self.clock.monotonic_s()
        outcome = "cancelled"
        try:
            answer = await anyio.to_thread.run_sync(ask, limiter=self._threads)
            outcome = "ok"
        except HomeostatError as error:
            outcome = error.code
            raise
        finally:
            self._durations.labels(question, outcome).observe(self.clock.monotonic_s() - began_s)
        return answer

    async def answer(self, question: str, ask: Callable[[], BaseModel]) -> Response:
        """Return as JSON what a function returns that is run in a thread."""

        def written() -> bytes:
            return ask().model_dump_json().encode()

        return Response(await self.run(question, written), media_type="application/json")
