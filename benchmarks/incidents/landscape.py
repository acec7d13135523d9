"""A made-up system: services in layers, their operations, instances on hosts, stores behind them. It does not run.

Invariant: calls go down the layers only, so that a request ends.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from random import Random
from typing import Final, Literal

NAMES: Final = (
    *("accounts", "billing", "cart", "catalog", "checkout", "discounts", "feed", "fraud", "identity", "images"),
    *("inventory", "invoices", "ledger", "mailer", "orders", "payments", "prices", "profile", "quotes", "ratings"),
    *("recommender", "reports", "search", "sessions", "shipping", "stock", "tax", "warehouse"),
)
VERBS: Final = ("GET", "POST", "PUT", "DELETE")
STORES: Final = (("postgresql", "SELECT"), ("mysql", "UPDATE"), ("redis", "GET"), ("mongodb", "find"))
TENANT_KEYS: Final = ("tenant.id", "customer.id", "app.tenant", "organization")
HOST_KEYS: Final = ("host.name", "k8s.node.name")
REGIONS: Final = ("eu-1", "us-1", "ap-1")

Protocol = Literal["http", "grpc"]


@dataclass(frozen=True, slots=True)
class Store:
    """Be a database or a cache: it sends no telemetry, its callers' client spans tell of it."""

    name: str
    system: str
    verb: str
    median_ms: float


@dataclass(frozen=True, slots=True)
class Call:
    """Be a call that an operation makes: calls of one stage go out together, the next stage waits for all of them."""

    target: "Operation | Store"
    stage: int
    probability: float
    is_needed: bool
    retries_max: int


@dataclass(slots=True, eq=False)
class Operation:
    """Be what a service does when it is asked."""

    service: str
    name: str
    route: str
    verb: str
    protocol: Protocol
    median_ms: float
    sigma: float
    error_rate: float
    calls: list[Call] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Instance:
    """Be one process of a service."""

    service: str
    name: str
    host: str
    version: str
    region: str


@dataclass(slots=True)
class Service:
    """Be a service with its processes; `weights` say how its requests are spread over them."""

    name: str
    layer: int
    has_new_names: bool
    operations: list[Operation]
    instances: list[Instance]
    weights: list[float]


@dataclass(slots=True)
class Landscape:
    """Hold the system: the first service is the gateway, tenants come with the share of requests of each."""

    services: dict[str, Service]
    gateway: Service
    route_weights: list[float]
    hosts: list[str]
    host_key: str
    tenants: dict[str, float]
    tenant_key: str
    has_tenant_everywhere: bool
    stores: list[Store]

    def operations(self) -> list[Operation]:
        """Return all operations of all services."""
        return [operation for service in self.services.values() for operation in service.operations]

    def usage(self) -> dict[Operation, float]:
        """Return how often each operation runs for one request, in the mean."""
        total = sum(self.route_weights)
        usage: dict[Operation, float] = dict.fromkeys(self.operations(), 0.0)
        for operation, weight in zip(self.gateway.operations, self.route_weights, strict=True):
            usage[operation] = weight / total
        for operation in sorted(usage, key=lambda each: self.services[each.service].layer):
            for call in operation.calls:
                if isinstance(call.target, Operation):
                    usage[call.target] += usage[operation] * call.probability
        return usage


def make_landscape(random: Random) -> Landscape:
    """Return a system of 8 to 12 services."""
    names = random.sample(NAMES, random.randint(7, 11))
    hosts = [f"node-{random.randrange(16**5):05x}" for _ in range(random.randint(5, 8))]
    layers = [1] * random.randint(2, 4)
    layers += [random.choice((2, 2, 3)) for _ in range(len(names) - len(layers))]
    services = {"gateway": _service("gateway", 0, hosts, random)}
    for name, layer in zip(names, layers, strict=True):
        services[name] = _service(name, layer, hosts, random)
    stores = [_store(number, random) for number in range(random.randint(2, 4))]
    for service in services.values():
        below = [each for each in services.values() if each.layer > service.layer]
        for operation in service.operations:
            operation.calls = _calls(service, below, stores, random)
    _reach_everybody(services, random)
    tenants = {f"{random.choice(NAMES)}-{number:02}": random.paretovariate(1.3) for number in range(12)}
    return Landscape(
        services=services,
        gateway=services["gateway"],
        route_weights=[random.uniform(0.5, 3) for _ in services["gateway"].operations],
        hosts=hosts,
        host_key=random.choice(HOST_KEYS),
        tenants={tenant: min(weight, 6) for tenant, weight in tenants.items()},
        tenant_key=random.choice(TENANT_KEYS),
        has_tenant_everywhere=random.random() < 0.5,
        stores=stores,
    )


def _service(name: str, layer: int, hosts: Sequence[str], random: Random) -> Service:
    version, older = (f"{random.randint(1, 4)}.{random.randint(0, 30)}.{random.randint(0, 9)}" for _ in range(2))
    count = random.randint(2, 5)
    versions = [version] * count
    if random.random() < 0.3:
        versions[0] = older
    return Service(
        name=name,
        layer=layer,
        has_new_names=random.random() < 0.6,
        operations=[
            _operation(name, layer, random) for _ in range(random.randint(3, 5) if layer == 0 else random.randint(1, 3))
        ],
        instances=[
            Instance(name, f"{name}-{random.randrange(16**8):08x}", random.choice(hosts), each, random.choice(REGIONS))
            for each in versions
        ],
        weights=[random.uniform(0.6, 1.4) for _ in range(count)],
    )


def _operation(service: str, layer: int, random: Random) -> Operation:
    verb, noun = random.choice(VERBS), f"{random.choice(NAMES)}{random.randrange(100)}"
    protocol: Protocol = "http" if layer == 0 or random.random() < 0.6 else "grpc"
    route = f"/{noun}/{{id}}" if protocol == "http" else f"{service}.v1.{service.title()}/{verb.title()}{noun.title()}"
    return Operation(
        service=service,
        name=f"{verb} {route}" if protocol == "http" else route,
        route=route,
        verb=verb,
        protocol=protocol,
        median_ms=random.uniform(1, 5) if layer == 0 else random.uniform(2, 25),
        sigma=random.uniform(0.25, 0.55),
        error_rate=random.choice((0.0, 0.0, 0.001, 0.003, 0.006)),
    )


def _store(number: int, random: Random) -> Store:
    system, verb = random.choice(STORES)
    median_ms = random.uniform(0.3, 1.5) if system == "redis" else random.uniform(1.5, 12)
    return Store(f"{random.choice(NAMES)}-{system}-{number}", system, verb, median_ms)


def _calls(service: Service, below: Sequence[Service], stores: Sequence[Store], random: Random) -> list[Call]:
    calls = []
    wanted = random.randint(2, 3) if service.layer == 0 else random.choice((0, 1, 1, 2))
    near = [each for each in below if each.layer == service.layer + 1] or list(below)
    for stage in range(min(wanted, len(near))):
        target = random.choice(random.choice(near).operations)
        calls.append(_call(target, stage if random.random() < 0.6 else 0, random))
    questions = 0 if service.layer == 0 else random.choice((0, 1, 1, 2))
    calls += [_call(random.choice(stores), random.randint(0, 2), random) for _ in range(questions)]
    return sorted(calls, key=lambda call: call.stage)


def _call(target: Operation | Store, stage: int, random: Random) -> Call:
    is_needed = random.random() < 0.8
    return Call(
        target=target,
        stage=stage,
        probability=random.choice((1.0, 1.0, 0.9, 0.6)),
        is_needed=is_needed,
        retries_max=random.choice((0, 0, 0, 1, 2)),
    )


def _reach_everybody(services: dict[str, Service], random: Random) -> None:
    """Let each operation below the gateway be called by somebody."""
    called = {id(call.target) for service in services.values() for each in service.operations for call in each.calls}
    for service in sorted(services.values(), key=lambda each: each.layer):
        for operation in service.operations if service.layer else []:
            if id(operation) in called:
                continue
            above = [each for each in services.values() if each.layer < service.layer]
            caller = random.choice(random.choice(above).operations)
            caller.calls.append(_call(operation, random.randint(0, 2), random))
            caller.calls.sort(key=lambda call: call.stage)
