"""Customers of the shop: what they ask, how often, and how it went. It knows the shop's door, not what is behind it."""

import asyncio
import itertools
from collections import Counter, deque
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from random import Random
from typing import Final

import httpx

from demo.services.cars import COUNT, WITHOUT_PRICE

UNDER_WAY_MAX: Final = 64
"""Four seconds of requests; when the shop is slower than that, customers wait at the door."""

TRACE_IDS_MAX: Final = 2_000
"""The newest ones are remembered: enough for two minutes."""

UNEXPECTED_SHOWN_MAX: Final = 5

TIMEOUT_S: Final = 10.0
"""Of one visit."""

_NOT_A_CAR: Final = COUNT + 1
_SLOW_CAR: Final = 26


@dataclass(frozen=True, slots=True)
class Visit:
    """Say what a customer does and which answer is right."""

    method: str
    path: str
    status: int


_BROWSE: Final = Visit("GET", "/cars", 200)
_NO_SUCH_CAR: Final = Visit("GET", f"/cars/{_NOT_A_CAR}", 404)
_NO_PRICE: Final = Visit("GET", f"/cars/{WITHOUT_PRICE}", 502)
_SLOW: Final = Visit("GET", f"/cars/{_SLOW_CAR}", 200)


def _look_at(number: int) -> Visit:
    return Visit("GET", f"/cars/{number}", 502 if number == WITHOUT_PRICE else 200)


def _order(number: int) -> Visit:
    return Visit("POST", f"/orders/{number}", 502 if number == WITHOUT_PRICE else 201)


def visits(random: Random) -> Iterator[Visit]:
    """Yield visits for ever: first one of each kind, so that a short run has all of them, then a mixture."""
    yield from (_look_at(1), _BROWSE, _order(2), _NO_SUCH_CAR, _NO_PRICE, _SLOW)
    while True:
        number = random.randint(1, COUNT)
        kinds = (_BROWSE, _look_at(number), _order(number), _SLOW, _NO_SUCH_CAR, _NO_PRICE)
        yield random.choices(kinds, weights=(25, 45, 20, 4, 4, 2))[0]


@dataclass(slots=True)
class Tally:
    """Count how visits went.

    Attributes:
        answers: how many answers there were of each status.
        trace_ids: of the newest answered visits, oldest first, as the shop gave them in its answers.
        whole_trace_id: of the first visit that all three services had a part in, empty before it.
        has_whole_trace: set with it.
        unexpected: what was not as it should have been, the first few.
        unexpected_count: how many were not.
    """

    answers: Counter[int] = field(default_factory=Counter)
    trace_ids: deque[str] = field(default_factory=lambda: deque(maxlen=TRACE_IDS_MAX))
    whole_trace_id: str = ""
    has_whole_trace: asyncio.Event = field(default_factory=asyncio.Event)
    unexpected: list[str] = field(default_factory=list)
    unexpected_count: int = 0

    @property
    def sent(self) -> int:
        """Return how many visits ended."""
        return self.answers.total() + self.unexpected_count

    @property
    def failed(self) -> int:
        """Return how many were answered with an error, as they should be."""
        return sum(count for status, count in self.answers.items() if status >= httpx.codes.BAD_REQUEST)

    def answered(self, visit: Visit, answer: httpx.Response) -> None:
        """Count an answer."""
        if answer.status_code != visit.status:
            self.went_wrong(visit, f"answered {answer.status_code}, not {visit.status}")
            return
        self.answers[answer.status_code] += 1
        trace_id = _trace_id(answer)
        if not trace_id:
            return
        self.trace_ids.append(trace_id)
        if visit.status == httpx.codes.OK and visit != _BROWSE and not self.whole_trace_id:
            self.whole_trace_id = trace_id
            self.has_whole_trace.set()

    def went_wrong(self, visit: Visit, what: str) -> None:
        """Count a visit that was not answered as it should be."""
        self.unexpected_count += 1
        if len(self.unexpected) < UNEXPECTED_SHOWN_MAX:
            self.unexpected.append(f"{visit.method} {visit.path}: {what}")


def _trace_id(answer: httpx.Response) -> str:
    """Return what the answer's `traceresponse` header says: version, trace id, span id, flags."""
    parts = answer.headers.get("traceresponse", "").split("-")
    return parts[1] if len(parts) == 4 else ""


async def send(tally: Tally, *, client: httpx.AsyncClient, rate: float, random: Random, enough: asyncio.Event) -> None:
    """Send visits at random moments, `rate` a second on average, until it is enough; then wait for the last answers."""
    room = asyncio.Semaphore(UNDER_WAY_MAX)
    async with asyncio.TaskGroup() as group:
        for visit in itertools.takewhile(lambda _: not enough.is_set(), visits(random)):
            await room.acquire()  # customers who find the shop full wait here, and no more of them come
            going = group.create_task(_visit(tally, client=client, visit=visit))
            going.add_done_callback(lambda _: room.release())
            with suppress(TimeoutError):
                await asyncio.wait_for(enough.wait(), random.expovariate(rate))


async def _visit(tally: Tally, *, client: httpx.AsyncClient, visit: Visit) -> None:
    try:
        tally.answered(visit, await client.request(visit.method, visit.path))
    except httpx.RequestError as error:
        tally.went_wrong(visit, repr(error))
