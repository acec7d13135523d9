"""Traces with calls planted in them: patterns that are to be found, and what looks like them. It knows no detector."""

import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final

from tests.slow_traces import CLIENT, SERVER, Said

MS: Final = 10**6
Plant = Callable[["Planter", int], None]


@dataclass(frozen=True, slots=True)
class Truth:
    """Name a pattern and the operation that shows it."""

    pattern: str
    service: str
    operation: str


class Planter:
    """Grow the traces of one operation, a request each."""

    def __init__(self, chosen: random.Random, *, service: str, operation: str) -> None:
        """Begin with no spans."""
        self.random = chosen
        self.spans: list[Said] = []
        self._service = service
        self._operation = operation
        self._trace = 0
        self._number = 0
        self._at = 0

    def request(self, trace: int, begin_ns: int, plant: Plant) -> None:
        """Grow one request whose handler does what is planted."""
        self._trace, self._number, self._at = trace, 1, begin_ns + self._time(0.1, 1)
        begun = len(self.spans)
        plant(self, begin_ns)
        end = max([self._at, *(span.start_ns + span.duration_ns for span in self.spans[begun:])]) + self._time(0.1, 1)
        self.spans.append(
            Said(
                trace=trace,
                span=1,
                parent=0,
                start_ns=begin_ns,
                duration_ns=end - begin_ns,
                service=self._service,
                name=self._operation,
                kind=SERVER,
            )
        )

    def _time(self, low_ms: float, high_ms: float) -> int:
        return round(self.random.uniform(low_ms, high_ms) * MS)

    def work(self, low_ms: float, high_ms: float) -> None:
        """Let the handler compute for a while."""
        self._at += self._time(low_ms, high_ms)

    def call(self, name: str, low_ms: float, high_ms: float, *, failed: bool = False) -> None:
        """Make a call and wait for it."""
        self._at = self._add(name, self._at, self._time(low_ms, high_ms), failed=failed) + self._time(0.0, 0.05)

    def together(self, names: list[str], low_ms: float, high_ms: float, *, places: int) -> None:
        """Make calls at once, so many at a time, and wait for all of them."""
        free = [self._at] * places
        for name in names:
            free.sort()
            free[0] = self._add(name, free[0] + self._time(0.0, 0.02), self._time(low_ms, high_ms)) + 1
        self._at = max(free)

    def _add(self, name: str, begin: int, duration: int, *, failed: bool = False) -> int:
        self._number += 1
        self.spans.append(
            Said(
                trace=self._trace,
                span=self._number,
                parent=1,
                start_ns=begin,
                duration_ns=duration,
                service=self._service,
                name=name,
                kind=CLIENT,
                status=2 if failed else 0,
                attributes=(("db.system", "postgresql"), ("server.address", "db")),
            )
        )
        return begin + duration


def _many_alike(planter: Planter, _begin: int) -> None:
    planter.call("SELECT list", 2, 6)
    for _ in range(planter.random.randrange(4, 25)):
        planter.call("SELECT item", 0.5, 3)
        planter.work(0.0, 0.1)


def _one_after_the_other(planter: Planter, _begin: int) -> None:
    names = ["GET /price", "GET /stock", "GET /reviews", "GET /offers"]
    for name in planter.random.sample(names, 4):
        planter.call(name, 8, 20)
        planter.work(0.0, 0.5)


def _pool_is_full(planter: Planter, _begin: int) -> None:
    planter.together(["POST /render"] * planter.random.randrange(12, 30), 5, 15, places=4)


def _retries(planter: Planter, _begin: int) -> None:
    for _ in range(planter.random.randrange(4, 8)):
        planter.call("POST /charge", 5, 10, failed=True)
        planter.work(1, 2)
    planter.call("POST /charge", 5, 10)


def _all_at_once(planter: Planter, _begin: int) -> None:
    planter.together([f"GET /shard/{number}" for number in range(6)], 5, 15, places=6)


def _fan_out(planter: Planter, _begin: int) -> None:
    count = planter.random.randrange(8, 20)
    planter.together(["GET /shard"] * count, 5, 15, places=count)


def _few_alike(planter: Planter, _begin: int) -> None:
    for _ in range(planter.random.randrange(1, 4)):
        planter.call("SELECT item", 1, 3)


def _one_is_long(planter: Planter, _begin: int) -> None:
    planter.call("GET /flags", 0.5, 1)
    planter.call("GET /user", 0.5, 1)
    planter.call("POST /search", 80, 120)


def _mostly_own_work(planter: Planter, _begin: int) -> None:
    for name in ("GET /a", "GET /b", "GET /c"):
        planter.call(name, 1, 3)
        planter.work(15, 30)


def _now_and_then_many(planter: Planter, begin: int) -> None:
    if planter.random.random() < 0.02:
        _many_alike(planter, begin)
    else:
        _few_alike(planter, begin)


PLANTS: Final[dict[str, Plant]] = {
    "n_plus_one": _many_alike,
    "sequential": _one_after_the_other,
    "saturation": _pool_is_full,
}
DECOYS: Final[dict[str, Plant]] = {
    "retries": _retries,
    "all at once": _all_at_once,
    "fan out": _fan_out,
    "few": _few_alike,
    "one is long": _one_is_long,
    "own work": _mostly_own_work,
    "now and then": _now_and_then_many,
}


def plant(seed: int, *, begin_ns: int, requests: int = 60) -> tuple[list[Said], set[Truth]]:
    """Return the spans of many operations, a third of them with a pattern, and which have one."""
    chosen = random.Random(seed)
    spans: list[Said] = []
    truths: set[Truth] = set()
    for number, (name, grow) in enumerate(_operations(chosen)):
        service, operation = f"service-{number % 5}", f"GET /{number}"
        planter = Planter(chosen, service=service, operation=operation)
        for request in range(requests):
            trace = seed << 40 | number << 20 | (request + 1)
            planter.request(trace, begin_ns + chosen.randrange(200 * 10**9), grow)
        spans += planter.spans
        if name in PLANTS:
            truths.add(Truth(name, service, operation))
    return spans, truths


def _operations(chosen: random.Random) -> Iterator[tuple[str, Plant]]:
    for _ in range(12):
        yield chosen.choice(list(PLANTS.items()))
        yield chosen.choice(list(DECOYS.items()))
        yield chosen.choice(list(DECOYS.items()))
