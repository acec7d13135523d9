"""Requests that run through a landscape under conditions, as spans. It does not know which condition is the cause.

Requests run one by one, but for the moments at which they come to a lock: there they wait in the order of time.
"""

from collections.abc import Generator, Iterable
from dataclasses import dataclass
from heapq import heapify, heappop, heappush
from random import Random
from typing import Final, NamedTuple, TypeVar

from benchmarks.incidents.conditions import Conditions, Lock, Retrying
from benchmarks.incidents.landscape import Call, Instance, Landscape, Operation, Store
from benchmarks.incidents.writing import Piece, Request, SpanWriter

NS_PER_MS: Final = 1_000_000
OUTLIER_SHARE: Final = 0.01
OUTLIER_FACTOR: Final = 4.0
NETWORK_MS: Final = (0.2, 1.2)

T = TypeVar("T")


class End(NamedTuple):
    """Say when something ended and whether it went well."""

    at_ns: int
    is_good: bool


@dataclass(frozen=True, slots=True)
class _Place:
    """Hold who is working: what it makes spans for."""

    operation: Operation
    instance: Instance
    span_id: bytes


@dataclass(frozen=True, slots=True)
class _Arrival:
    """Be the moment at which somebody comes to a lock; the answer is when they have it."""

    at_ns: int
    lock: Lock
    scope: str
    hold_ns: int


_Waiting = Generator[_Arrival, int, T]
"""Work that stops at locks."""


def _together(works: Iterable[_Waiting[T]]) -> _Waiting[list[T]]:
    """Do several works at once: who comes to a lock first asks for it first."""
    running = list(works)
    ends: dict[int, T] = {}
    arrivals: list[tuple[int, int, _Arrival]] = []

    def go_on(number: int, had_ns: int | None) -> None:
        try:
            arrival = next(running[number]) if had_ns is None else running[number].send(had_ns)
        except StopIteration as end:
            ends[number] = end.value
        else:
            heappush(arrivals, (arrival.at_ns, number, arrival))

    for number in range(len(running)):
        go_on(number, None)
    heapify(arrivals)
    while arrivals:
        _, number, arrival = heappop(arrivals)
        had_ns = yield arrival
        go_on(number, had_ns)
    return [ends[number] for number in range(len(running))]


class Traffic:
    """Run requests; they meet at locks only."""

    def __init__(self, landscape: Landscape, conditions: Conditions, writer: SpanWriter, random: Random) -> None:
        """Take the system, how it is, and where spans go."""
        self._landscape = landscape
        self._conditions = conditions
        self._writer = writer
        self._random = random
        routes = landscape.route_weights
        factors = conditions.route_factors or [1.0] * len(routes)
        self._route_weights = [weight * factor for weight, factor in zip(routes, factors, strict=True)]
        self._tenants = list(landscape.tenants)
        self._tenant_weights = [
            weight * conditions.tenant_factors.get(tenant, 1.0) for tenant, weight in landscape.tenants.items()
        ]

    def run(self, moments_ns: Iterable[int]) -> None:
        """Run one request from each moment on."""
        everything = _together([self._request(moment_ns) for moment_ns in moments_ns])
        had_ns: int | None = None
        while True:
            try:
                arrival = next(everything) if had_ns is None else everything.send(had_ns)
            except StopIteration:
                return
            had_ns = arrival.lock.take(arrival.scope, arrival.at_ns, arrival.hold_ns)

    def _request(self, start_ns: int) -> _Waiting[End]:
        random = self._random
        [operation] = random.choices(self._landscape.gateway.operations, self._route_weights)
        [tenant] = random.choices(self._tenants, self._tenant_weights)
        request = Request(
            trace_id=random.randbytes(16),
            tenant=tenant,
            user=f"u-{random.randrange(100_000)}",
            client=random.choice(("ios/7.2", "ios/7.1", "android/5.0", "web", "web", "web")),
            flag="on" if random.random() < self._conditions.flag_share else "off",
            body_bytes=int(random.lognormvariate(7, 1)),
        )
        return (yield from self._serve(operation, start_ns, request, parent=b""))

    def _serve(self, operation: Operation, start_ns: int, request: Request, *, parent: bytes) -> _Waiting[End]:
        instance = self._instance_of(operation.service)
        place = _Place(operation, instance, self._random.randbytes(8))
        work_ns, exception = self._work(operation, instance, request)
        at_ns = start_ns + int(work_ns * self._random.uniform(0.1, 0.5))
        for lock in self._conditions.locks:
            if id(operation) in lock.operations:
                at_ns = yield from self._locked(lock, place, at_ns, request)
        is_good = exception is None
        if is_good:
            at_ns, is_good = yield from self._call_all(place, at_ns, request)
        end_ns = max(at_ns, start_ns) + int(work_ns * 0.5)
        self._writer.server(
            self._piece(
                place, request, span_id=place.span_id, parent=parent, times=(start_ns, end_ns), is_good=is_good
            ),
            operation,
            exception=exception,
        )
        return End(end_ns, is_good)

    def _instance_of(self, service: str) -> Instance:
        known = self._landscape.services[service]
        instances = self._conditions.instances.get(service, known.instances)
        weights = known.weights if len(instances) == len(known.weights) else None
        return self._random.choices(instances, weights)[0]

    def _work(self, operation: Operation, instance: Instance, request: Request) -> tuple[float, tuple[str, str] | None]:
        random = self._random
        work_ms = operation.median_ms * random.lognormvariate(0, operation.sigma)
        if random.random() < OUTLIER_SHARE:
            work_ms *= OUTLIER_FACTOR
        exception = ("TimeoutError", "deadline exceeded") if random.random() < operation.error_rate else None
        for fault in self._conditions.faults:
            if fault.where(operation, instance, request.tenant) and random.random() < fault.share:
                work_ms = work_ms * fault.factor + fault.added_ms * random.lognormvariate(0, 0.3)
                if random.random() < fault.fails:
                    exception = fault.exception
        return work_ms * NS_PER_MS, exception

    def _locked(self, lock: Lock, place: _Place, at_ns: int, request: Request) -> _Waiting[int]:
        hold_ns = int(lock.hold_ms * self._random.lognormvariate(0, 0.15) * NS_PER_MS)
        scope = place.instance.name if lock.scope == "process" else "all"
        had_ns = yield _Arrival(at_ns, lock, scope, hold_ns)
        if lock.is_told:
            self._writer.internal(self._piece(place, request, times=(at_ns, had_ns)), "acquire lock")
        return had_ns + hold_ns

    def _call_all(self, place: _Place, at_ns: int, request: Request) -> _Waiting[End]:
        calls = place.operation.calls
        for stage in sorted({call.stage for call in calls}):
            made = [call for call in calls if call.stage == stage and self._random.random() < call.probability]
            ends = yield from _together([self._call(call, place, at_ns, request) for call in made])
            at_ns = max([at_ns, *(end.at_ns for end in ends)])
            if not all(end.is_good for end in ends):
                return End(at_ns, is_good=False)
        return End(at_ns, is_good=True)

    def _call(self, call: Call, place: _Place, at_ns: int, request: Request) -> _Waiting[End]:
        if isinstance(call.target, Store):
            return self._ask(call.target, place, at_ns, request)
        retrying = self._retrying(place.operation.service, call.target)
        retries_max = retrying.retries_max if retrying else call.retries_max
        end = yield from self._call_once(call.target, place, at_ns, request)
        for number in range(retries_max):
            if end.is_good:
                break
            pause_ms = self._random.uniform(0.5, 1.5) * (retrying.backoff_ms if retrying else 5.0) * (1 + number / 2)
            end = yield from self._call_once(call.target, place, end.at_ns + int(pause_ms * NS_PER_MS), request)
        return End(end.at_ns, end.is_good or not call.is_needed)

    def _retrying(self, caller: str, target: Operation) -> Retrying | None:
        for retrying in self._conditions.retrying:
            if retrying.caller == caller and retrying.target is target:
                return retrying
        return None

    def _call_once(self, target: Operation, place: _Place, at_ns: int, request: Request) -> _Waiting[End]:
        span_id = self._random.randbytes(8)
        there_ns, back_ns = (int(self._random.uniform(*NETWORK_MS) * NS_PER_MS) for _ in range(2))
        end = yield from self._serve(target, at_ns + there_ns, request, parent=span_id)
        times = (at_ns, end.at_ns + back_ns)
        self._writer.client(self._piece(place, request, span_id=span_id, times=times, is_good=end.is_good), target)
        return End(times[1], end.is_good)

    def _ask(self, store: Store, place: _Place, at_ns: int, request: Request) -> End:
        took_ms = store.median_ms * self._random.lognormvariate(0, 0.5)
        for fault in self._conditions.store_faults:
            if fault.store is store and self._random.random() < fault.share:
                took_ms += fault.added_ms * self._random.lognormvariate(0, 0.3)
        end_ns = at_ns + int(took_ms * NS_PER_MS)
        is_good = self._random.random() > 0.0005
        self._writer.store(self._piece(place, request, times=(at_ns, end_ns), is_good=is_good), store)
        return End(end_ns, is_good)

    def _piece(
        self,
        place: _Place,
        request: Request,
        *,
        times: tuple[int, int],
        span_id: bytes | None = None,
        parent: bytes | None = None,
        is_good: bool = True,
    ) -> Piece:
        """Return a span of who works in a place, below its own span when nothing else is said."""
        return Piece(
            request=request,
            instance=place.instance,
            span_id=self._random.randbytes(8) if span_id is None else span_id,
            parent=place.span_id if parent is None else parent,
            times=times,
            is_good=is_good,
        )
