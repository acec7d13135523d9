"""Series: which metric series every instance exports, with their attributes.

Invariant: knows no time and no values; a series is named by its family and its position within it.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from benchmarks.realistic.attributes import Attributes
from benchmarks.realistic.fleet import Instance
from benchmarks.realistic.landscape import Endpoint, Kind, Landscape


class Family(StrEnum):
    """Name the ways in which a series' values are made and encoded."""

    COUNTER = "counter"
    """Cumulative monotonic sum of integers."""
    CLOCK = "clock"
    """Cumulative monotonic sum of doubles."""
    DELTA = "delta"
    """Delta monotonic sum of integers."""
    GAUGE = "gauge"
    """Double that wanders."""
    LEVEL = "level"
    """Integer that wanders."""
    UP_DOWN = "up_down"
    """Cumulative sum of integers that is not monotonic."""
    HISTOGRAM = "histogram"
    """Cumulative histogram with explicit bounds and exemplars."""
    EXPONENTIAL = "exponential"
    """Delta exponential histogram."""
    SUMMARY = "summary"


@dataclass(frozen=True)
class Instrument:
    """Describe a metric."""

    name: str
    unit: str
    family: Family
    description: str = ""


@dataclass(frozen=True)
class Series:
    """Name one series: an instrument of an instance with attributes, numbered within its family."""

    instrument: Instrument
    instance: int
    attributes: Attributes
    index: int

    @property
    def share(self) -> float:
        """Return how busy the series is, relative to one of answers that are fine."""
        status = self.attributes.get("http.response.status_code")
        return _FAILURES.get(status, 1.0) if isinstance(status, int) else 1.0


REQUESTS: Final = Instrument("app.requests", "{request}", Family.COUNTER, "Requests answered.")
DURATION: Final = Instrument("http.server.request.duration", "s", Family.HISTOGRAM, "Duration of HTTP server requests.")
RPC_DURATION: Final = Instrument("rpc.server.call.duration", "s", Family.HISTOGRAM, "Duration of inbound calls.")
BODY_SIZE: Final = Instrument("http.server.response.body.size", "By", Family.EXPONENTIAL, "Size of response bodies.")
LATENCY: Final = Instrument("app.request.latency", "ms", Family.SUMMARY, "Latency quantiles of requests.")
DB_DURATION: Final = Instrument("db.client.operation.duration", "s", Family.HISTOGRAM, "Duration of database calls.")
ROWS: Final = Instrument("app.db.rows", "{row}", Family.DELTA, "Rows read or written.")
ACTIVE: Final = Instrument("http.server.active_requests", "{request}", Family.UP_DOWN, "Requests being served.")
POOL: Final = Instrument("db.client.connection.count", "{connection}", Family.UP_DOWN, "Connections of a pool.")
LAG: Final = Instrument("messaging.kafka.consumer.lag", "{message}", Family.LEVEL, "Messages behind.")
SENT: Final = Instrument("messaging.client.sent.messages", "{message}", Family.DELTA, "Messages sent.")
MEMORY: Final = Instrument("process.memory.usage", "By", Family.LEVEL, "Resident memory.")
CPU_TIME: Final = Instrument("process.cpu.time", "s", Family.CLOCK, "CPU seconds.")
CPU_SHARE: Final = Instrument("process.cpu.utilization", "1", Family.GAUGE, "Share of CPU used.")
IO: Final = Instrument("process.network.io", "By", Family.COUNTER, "Bytes moved.")
COLLECTIONS: Final = Instrument("cpython.gc.collections", "{collection}", Family.COUNTER, "Collections.")
TEMPERATURE: Final = Instrument("app.cache.hit_ratio", "1", Family.GAUGE, "Share of look-ups answered by the cache.")
DESCRIPTORS: Final = Instrument("process.open_file_descriptor.count", "{file}", Family.LEVEL, "Open descriptors.")

_FAILURES: Final = {404: 0.02, 500: 0.01}
"""How often an answer has a status, relative to 200."""

_Found = tuple[Instrument, Attributes]


def of_fleet(landscape: Landscape, instances: list[Instance]) -> list[Series]:
    """Return the series of all instances, those of one instance together."""
    counts = dict.fromkeys(Family, 0)
    series: list[Series] = []
    for number, instance in enumerate(instances):
        for instrument, attributes in _of_instance(landscape, instance):
            series.append(Series(instrument, number, attributes, counts[instrument.family]))
            counts[instrument.family] += 1
    return series


def fleet_of(landscape: Landscape, series_wanted: int) -> list[Instance]:
    """Return the smallest fleet, services in turn, that has at least the series wanted (at most a million)."""
    sizes = [sum(1 for _ in _of_instance(landscape, Instance(service, 0))) for service in landscape.services]
    instances: list[Instance] = []
    total = 0
    while total < series_wanted or len(instances) < len(landscape.services):
        service = landscape.services[len(instances) % len(landscape.services)]
        instances.append(Instance(service, (len(instances)) // len(landscape.services)))
        total += sizes[service.index]
    return instances


def _of_instance(landscape: Landscape, instance: Instance) -> Iterator[_Found]:
    yield from _runtime()
    for endpoint in landscape.endpoints[instance.service.name]:
        yield from _of_endpoint(endpoint)
    yield from _of_clients(landscape, instance)


def _runtime() -> Iterator[_Found]:
    yield MEMORY, {}
    yield DESCRIPTORS, {}
    for mode in ("user", "system", "wait"):
        yield CPU_TIME, {"cpu.mode": mode}
        yield CPU_SHARE, {"cpu.mode": mode}
    for direction in ("receive", "transmit"):
        yield IO, {"network.io.direction": direction, "network.interface.name": "eth0"}
    for generation in range(3):
        yield COLLECTIONS, {"cpython.gc.generation": generation}


def _of_endpoint(endpoint: Endpoint) -> Iterator[_Found]:
    operation = endpoint.operation
    if operation.kind is Kind.CONSUMER:
        for partition in range(4):
            place: Attributes = {"messaging.destination.name": operation.subject}
            yield LAG, {**place, "messaging.destination.partition.id": str(partition)}
        return
    route = _route(endpoint)
    duration = DURATION if operation.kind is Kind.HTTP_SERVER else RPC_DURATION
    for status in (200, 404, 500):
        yield REQUESTS, {**route, "http.response.status_code": status}
    yield duration, {**route, "http.response.status_code": 200}
    yield duration, {**route, "http.response.status_code": 500, "error.type": "500"}
    yield BODY_SIZE, {**route, "http.response.status_code": 200}
    yield LATENCY, route
    yield ACTIVE, route


def _route(endpoint: Endpoint) -> Attributes:
    operation = endpoint.operation
    if operation.kind is Kind.HTTP_SERVER:
        method, route = operation.subject.split(" ")
        return {"http.request.method": method, "http.route": route, "url.scheme": "http"}
    service, method = operation.subject.split("/")
    return {"rpc.system": "grpc", "rpc.service": service, "rpc.method": method}


def _of_clients(landscape: Landscape, instance: Instance) -> Iterator[_Found]:
    service = instance.service
    for operation in landscape.operations:
        if operation.service is not service:
            continue
        if operation.kind in (Kind.SQL, Kind.CACHE):
            facts: Attributes = {"db.system.name": service.database, "db.operation.name": operation.name.split(" ")[0]}
            facts |= {"db.collection.name": operation.subject, "server.address": f"{service.database}.data.svc"}
            yield DB_DURATION, facts
            yield ROWS, facts
        elif operation.kind is Kind.PRODUCER:
            yield SENT, {"messaging.system": "kafka", "messaging.destination.name": operation.subject}
    if service.database:
        yield TEMPERATURE, {"app.cache.name": f"{service.name}-local"}
        for state in ("idle", "used"):
            pool = f"{service.name}-{service.database}"
            yield POOL, {"db.client.connection.pool.name": pool, "db.client.connection.state": state}
