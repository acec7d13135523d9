"""What goes wrong in an incident, one way of planting for each kind, and what changes beside it without harm."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from random import Random
from typing import Final

from benchmarks.incidents.conditions import Conditions, Fault, Lock, Retrying, StoreFault
from benchmarks.incidents.landscape import Instance, Landscape, Operation, Store
from benchmarks.incidents.truth import Truth

EXCEPTIONS: Final = (
    ("ValueError", "cannot parse amount"),
    ("KeyError", "missing field"),
    ("OSError", "No space left on device"),
    ("ConnectTimeout", "connect timed out"),
)


@dataclass(frozen=True, slots=True)
class Scene:
    """Hold what planting needs: the system, how often things run, how long a request takes, requests a second."""

    landscape: Landscape
    usage: dict[Operation, float]
    request_ms: float
    requests_per_s: float
    random: Random

    def used(self, share_min: float) -> list[Operation]:
        """Return the operations below the gateway that run for so many of the requests."""
        gateway = self.landscape.gateway.name
        found = [each for each, share in self.usage.items() if share >= share_min and each.service != gateway]
        return found or [
            max((each for each in self.usage if each.service != gateway), key=lambda each: self.usage[each])
        ]

    def service_usage(self, service: str) -> float:
        """Return how often a service works for one request, in the mean."""
        return sum(share for operation, share in self.usage.items() if operation.service == service)


def make_scene(landscape: Landscape, *, requests_per_s: float, random: Random) -> Scene:
    """Return what planting needs to know of a system."""
    weights = landscape.route_weights
    times = [expected_ms(operation) for operation in landscape.gateway.operations]
    request_ms = sum(weight * time for weight, time in zip(weights, times, strict=True)) / sum(weights)
    return Scene(landscape, landscape.usage(), request_ms, requests_per_s, random)


def expected_ms(target: Operation | Store) -> float:
    """Return how long something takes, roughly."""
    if isinstance(target, Store):
        return target.median_ms
    stages: dict[int, float] = {}
    for call in target.calls:
        took_ms = call.probability * (expected_ms(call.target) + 1.5)
        stages[call.stage] = max(stages.get(call.stage, 0.0), took_ms)
    return target.median_ms + sum(stages.values())


def plant(kind: str, scene: Scene, conditions: Conditions) -> Truth:
    """Let one thing go wrong."""
    return _PLANTS[kind](scene, conditions)


def _slow_dependency(scene: Scene, conditions: Conditions) -> Truth:
    random = scene.random
    added_ms = scene.request_ms * random.uniform(0.15, 2)
    share = random.uniform(0.3, 1)
    severity = {"added_ms": added_ms, "share": share}
    stores = _used_stores(scene)
    if stores and random.random() < 0.4:
        store = random.choice(sorted(stores, key=lambda each: each.name))
        conditions.store_faults.append(StoreFault(store=store, share=share, added_ms=added_ms))
        keys = ("db.namespace", "db.name", "server.address", "net.peer.name", "peer.service")
        names = [(key, value) for key in keys for value in (store.name, f"{store.name}.internal")]
        return Truth(
            kind="slow_dependency",
            services=frozenset(stores[store]),
            operations=frozenset({f"{store.verb} {store.name}"}),
            attributes=frozenset(names),
            severity=severity,
        )
    target = random.choice(scene.used(0.2))
    fault = Fault(where=lambda operation, _, __: operation is target, share=share, added_ms=added_ms)
    conditions.faults.append(fault)
    return Truth(
        kind="slow_dependency",
        services=frozenset({target.service}),
        operations=frozenset({target.name}),
        severity=severity,
    )


def _used_stores(scene: Scene) -> dict[Store, set[str]]:
    used: dict[Store, float] = {}
    callers: dict[Store, set[str]] = {}
    for operation, share in scene.usage.items():
        for call in operation.calls:
            if isinstance(call.target, Store):
                used[call.target] = used.get(call.target, 0.0) + share * call.probability
                callers.setdefault(call.target, set()).add(operation.service)
    return {store: callers[store] for store, share in used.items() if share >= 0.25}


def _harm(scene: Scene, *, slow_share: float) -> tuple[dict[str, float], tuple[str, str]]:
    """Draw how bad it is: failing, or slow."""
    random = scene.random
    if random.random() < slow_share:
        return {"added_ms": scene.request_ms * random.uniform(0.2, 2)}, EXCEPTIONS[0]
    return {"fails": random.uniform(0.05, 0.8)}, random.choice(EXCEPTIONS)


def _bad_version(scene: Scene, conditions: Conditions) -> Truth:
    random = scene.random
    service = scene.landscape.services[random.choice(scene.used(0.2)).service]
    new = _bumped(service.instances[-1].version)
    count = len(service.instances) if random.random() < 0.3 else random.randint(1, len(service.instances))
    conditions.instances[service.name] = _rolled_out(service.instances, new, count, scene)
    severity, exception = _harm(scene, slow_share=0.3)
    name = service.name
    fault = Fault(
        where=lambda operation, instance, _: operation.service == name and instance.version == new,
        exception=exception,
        **severity,
    )
    conditions.faults.append(fault)
    return Truth(
        kind="bad_version",
        services=frozenset({name}),
        attributes=frozenset({("service.version", new)}),
        severity={**severity, "instances": count / len(service.instances)},
    )


def _bumped(version: str) -> str:
    major, minor, _ = version.split(".")
    return f"{major}.{int(minor) + 1}.0"


def _rolled_out(instances: list[Instance], version: str, count: int, scene: Scene) -> list[Instance]:
    """Return the processes after a roll-out: those of the new version are new processes, on any host."""
    random = scene.random
    fresh = [
        replace(
            each,
            name=f"{each.service}-{random.randrange(16**8):08x}",
            host=random.choice(scene.landscape.hosts),
            version=version,
        )
        for each in instances[:count]
    ]
    return fresh + instances[count:]


def _failing_host(scene: Scene, conditions: Conditions) -> Truth:
    random = scene.random
    served: dict[str, set[str]] = {}
    for service in scene.landscape.services.values():
        for instance in service.instances if scene.service_usage(service.name) >= 0.15 else []:
            served.setdefault(instance.host, set()).add(service.name)
    host = random.choice(sorted(each for each, services in served.items() if len(services) > 1) or sorted(served))
    severity, exception = _harm(scene, slow_share=0.5)
    conditions.faults.append(
        Fault(where=lambda _, instance, __: instance.host == host, exception=exception, **severity)
    )
    return Truth(kind="failing_host", attributes=frozenset({(scene.landscape.host_key, host)}), severity=severity)


def _hot_tenant(scene: Scene, conditions: Conditions) -> Truth:
    random = scene.random
    landscape = scene.landscape
    tenant = random.choice(sorted(landscape.tenants))
    share = landscape.tenants[tenant] / sum(landscape.tenants.values())
    # More than half of all requests would be another system, not a hot tenant.
    factor = min(random.uniform(3, 8), max(1.5, 0.5 * (1 - share) / (share * 0.5)))
    conditions.tenant_factors[tenant] = factor
    service = random.choice(scene.used(0.3)).service
    severity, _ = _harm(scene, slow_share=0.6)
    conditions.faults.append(
        Fault(
            where=lambda operation, _, who: operation.service == service and who == tenant,
            exception=("QuotaError", "too many rows"),
            **severity,
        )
    )
    spill = random.uniform(1, 1.8)
    conditions.faults.append(Fault(where=lambda operation, _, __: operation.service == service, factor=spill))
    return Truth(
        kind="hot_tenant",
        attributes=frozenset({(landscape.tenant_key, tenant)}),
        severity={**severity, "traffic": factor, "spill": spill},
    )


def _retry_storm(scene: Scene, conditions: Conditions) -> Truth:
    random = scene.random
    gateway = scene.landscape.gateway.name
    edges = [
        (caller.service, call.target, share * call.probability)
        for caller, share in scene.usage.items()
        for call in caller.calls
        if isinstance(call.target, Operation)
    ]
    often = [edge for edge in edges if edge[2] >= 0.2] or [max(edges, key=lambda edge: edge[2])]
    inner = [edge for edge in often if edge[0] != gateway] or often
    caller_name, target, _ = random.choice(inner if random.random() < 0.7 else often)
    fails, retries = random.uniform(0.25, 0.75), random.randint(3, 8)
    backoff_ms, factor = random.uniform(5, 40), random.uniform(1, 3)
    conditions.retrying.append(Retrying(caller=caller_name, target=target, retries_max=retries, backoff_ms=backoff_ms))
    conditions.faults.append(
        Fault(
            where=lambda operation, _, __: operation is target,
            fails=fails,
            factor=factor,
            exception=("OverloadError", "too busy"),
        )
    )
    return Truth(
        kind="retry_storm",
        services=frozenset({target.service}),
        operations=frozenset({target.name}),
        caller=caller_name,
        severity={"fails": fails, "retries": retries, "factor": factor},
    )


def _lock_convoy(scene: Scene, conditions: Conditions) -> Truth:
    random = scene.random
    service = scene.landscape.services[random.choice(scene.used(0.3)).service]
    ours = list(service.operations)
    if random.random() < 0.5:
        ours = [max(ours, key=lambda each: scene.usage[each])]
    is_everywhere = random.random() < 0.6
    utilisation = random.uniform(0.55, 0.95)
    a_second = scene.requests_per_s * sum(scene.usage[each] for each in ours)
    places = 1 if is_everywhere else len(service.instances)
    hold_ms = utilisation / a_second * places * 1000
    is_told = random.random() < 0.5
    conditions.locks.append(
        Lock(
            operations=frozenset(id(each) for each in ours),
            scope="everywhere" if is_everywhere else "process",
            hold_ms=hold_ms,
            is_told=is_told,
        )
    )
    return Truth(
        kind="lock_convoy",
        services=frozenset({service.name}),
        operations=frozenset({each.name for each in ours} | ({"acquire lock"} if is_told else set())),
        severity={"utilisation": utilisation, "hold_ms": hold_ms},
    )


_PLANTS: Final[dict[str, Callable[[Scene, Conditions], Truth]]] = {
    "slow_dependency": _slow_dependency,
    "bad_version": _bad_version,
    "failing_host": _failing_host,
    "hot_tenant": _hot_tenant,
    "retry_storm": _retry_storm,
    "lock_convoy": _lock_convoy,
}
