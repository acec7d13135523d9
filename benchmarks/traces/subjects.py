"""What is asked about: traces, hours, services and values that the data set is known to hold. It asks nothing.

All of it follows from the generator's seed, so that no question has to be asked to find questions.
"""

import random
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Final

import numpy as np

from benchmarks.realistic import landscape, values
from benchmarks.realistic.generation import SPANS_PER_ROUND
from benchmarks.realistic.landscape import Kind
from benchmarks.realistic.spans import Forest, identity
from benchmarks.traces.dataset import ROUND_S, SEED, Dataset

HOUR_NS: Final = 3600 * 10**9
NS_PER_MS: Final = 10**6
_NS: Final = 10**9
_RARE_TRACES: Final = range(2, 6)
"""A value is rare when so many traces of the whole set have it."""

_ENTRIES: Final = frozenset((Kind.HTTP_SERVER, Kind.RPC_SERVER, Kind.CONSUMER))
_ATTRIBUTES: Final = (
    ("app.country", "FR"),
    ("app.customer.tier", "premium"),
    ("app.currency", "CHF"),
    ("http.response.status_code", "404"),
    ("http.request.method", "POST"),
    ("db.system.name", "postgresql"),
    ("server.port", "50051"),
)
_FUNCTIONS: Final = ("rate()", "quantile_over_time(duration, .5, .95)", "count_over_time()")
_ORDERS: Final = ("newest", "newest", "newest", "slowest", "errors")
_DURATIONS: Final = ("2ms", "5ms", "10ms", "20ms")


@dataclass(frozen=True, slots=True)
class Hours:
    """Hold a window of time as parameters of a request."""

    start_ns: int
    end_ns: int

    def parameters(self) -> dict[str, str]:
        """Return it as parameters."""
        return {"start": str(self.start_ns), "end": str(self.end_ns)}

    def seconds(self) -> dict[str, str]:
        """Return it as parameters in seconds."""
        return {"start": str(self.start_ns // _NS), "end": str(self.end_ns // _NS)}

    def microseconds(self) -> dict[str, str]:
        """Return it as parameters in microseconds."""
        return {"start": str(self.start_ns // 1_000), "end": str(self.end_ns // 1_000)}


@dataclass(frozen=True, slots=True)
class Search:
    """Hold what is searched for: a service, a duration and an attribute."""

    service: str
    duration: str
    key: str
    value: str


class Subjects:
    """Draw subjects of a data set, the same ones for the same seed."""

    def __init__(self, dataset: Dataset, *, seed: int) -> None:
        """Take a set; the ids of its traces are computed when they are first asked for."""
        self._dataset = dataset
        self._random = random.Random(seed)

    @cached_property
    def _forest(self) -> Forest:
        return Forest.grown(landscape.build(), seed=SEED, spans=SPANS_PER_ROUND)

    @cached_property
    def services(self) -> list[str]:
        """Return all services, the busiest first."""
        counts: dict[str, int] = {}
        for node in self._forest.nodes:
            counts[node.operation.service.name] = counts.get(node.operation.service.name, 0) + 1
        return sorted(counts, key=lambda name: -counts[name])

    def trace_id(self) -> str:
        """Return the id of some trace."""
        number = self._random.choice(self._dataset.rounds)
        names = identity(self._forest, seed=SEED, round_number=number)
        trace = self._random.randrange(len(names.trace_high))
        return np.array([names.trace_high[trace], names.trace_low[trace]], "<u8").tobytes().hex()

    def order_id(self) -> str:
        """Return the id of some order, which a few spans of one trace name, if any does."""
        number = self._random.choice(self._dataset.rounds)
        orders = identity(self._forest, seed=SEED, round_number=number).orders
        order = orders[self._random.randrange(len(orders))]
        return "ord_" + np.array([order], "<u8").tobytes().decode()

    def trace_ids(self, count: int) -> Iterator[str]:
        """Yield so many ids of traces."""
        for _ in range(count):
            yield self.trace_id()

    def hours(self, hours: float = 1.0) -> Hours:
        """Return a window of so many hours within the set, the whole set when it is shorter."""
        first_ns, last_ns = self._dataset.start_ns, self._dataset.end_ns
        length_ns = min(int(hours * HOUR_NS), last_ns - first_ns)
        start_ns = first_ns + int(self._random.random() * (last_ns - first_ns - length_ns))
        return Hours(start_ns, start_ns + length_ns)

    def whole(self) -> Hours:
        """Return the time that the whole set fills; the last spans start a little after its rounds."""
        return Hours(self._dataset.start_ns, self._dataset.end_ns + 60 * _NS)

    def search(self) -> Search:
        """Return something to search for."""
        key, value = self._random.choice(_ATTRIBUTES)
        service = self._random.choice(self.services[: len(self.services) // 2])
        return Search(service, self._random.choice(_DURATIONS), key, value)

    def hours_of_requests(self, requests: int) -> float:
        """Return in how many hours so many requests began: spans of the kinds SERVER and CONSUMER."""
        entries = sum(node.operation.kind in _ENTRIES for node in self._forest.nodes)
        return requests / entries * ROUND_S / 3600

    def service(self) -> str:
        """Return the name of a service."""
        return self._random.choice(self.services)

    @cached_property
    def _rare_users(self) -> list[str]:
        traces = self._forest.shape.traces
        drawn = [
            values.users(values.generator(seed=SEED, round_number=number, purpose=1), traces)
            for number in self._dataset.rounds
        ]
        users, counts = np.unique(np.concatenate(drawn), return_counts=True)
        rare = users[(counts >= _RARE_TRACES.start) & (counts < _RARE_TRACES.stop)]
        return [f"u-{int(number):08d}" for number in rare]

    def function(self) -> str:
        """Return a function of TraceQL that measures over time."""
        return self._random.choice(_FUNCTIONS)

    def sorting(self) -> str:
        """Return an order of a list of traces, mostly the usual one."""
        return self._random.choice(_ORDERS)

    def rare_user(self) -> str:
        """Return a value of `user.id` that a handful of traces have."""
        return self._random.choice(self._rare_users)
