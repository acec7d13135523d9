"""What changes at the time of an incident and is not its cause."""

from collections.abc import Callable
from dataclasses import replace
from typing import Final

from benchmarks.incidents.conditions import Conditions, Fault
from benchmarks.incidents.landscape import Operation
from benchmarks.incidents.planting import Scene
from benchmarks.incidents.truth import Truth


def distract(scene: Scene, conditions: Conditions, truth: Truth) -> list[str]:
    """Change one to four things that do little or no harm and return their names."""
    names = scene.random.sample(sorted(_DISTRACTIONS), scene.random.randint(1, 4))
    for name in names:
        _DISTRACTIONS[name](scene, conditions, truth)
    return names


def _other_operation(scene: Scene, truth: Truth) -> Operation:
    others = [each for each in scene.usage if each.service not in truth.services and each.service != truth.caller]
    return scene.random.choice(others)


def _deployment(scene: Scene, conditions: Conditions, truth: Truth) -> None:
    """Roll out a version that is as good as the one before."""
    random = scene.random
    service = scene.landscape.services[_other_operation(scene, truth).service]
    count = random.randint(1, len(service.instances))
    fresh = [
        replace(each, name=f"{each.service}-{random.randrange(16**8):08x}", version="9.0.0")
        for each in service.instances[:count]
    ]
    conditions.instances[service.name] = fresh + service.instances[count:]


def _little_slower(scene: Scene, conditions: Conditions, truth: Truth) -> None:
    other = _other_operation(scene, truth)
    factor = scene.random.uniform(1.1, 1.6)
    conditions.faults.append(Fault(where=lambda operation, _, __: operation is other, factor=factor))


def _few_errors(scene: Scene, conditions: Conditions, truth: Truth) -> None:
    other = _other_operation(scene, truth)
    conditions.faults.append(
        Fault(
            where=lambda operation, _, __: operation is other,
            share=scene.random.uniform(0.003, 0.025),
            fails=1.0,
            exception=("LookupError", "no such item"),
        )
    )


def _busy_tenant(scene: Scene, conditions: Conditions, truth: Truth) -> None:
    """Let another tenant ask more, as well served as ever."""
    named = {value for _, value in truth.attributes}
    others = [tenant for tenant in scene.landscape.tenants if tenant not in named]
    conditions.tenant_factors[scene.random.choice(others)] = scene.random.uniform(1.5, 3)


def _other_routes(scene: Scene, conditions: Conditions, _: Truth) -> None:
    conditions.route_factors = [scene.random.uniform(0.6, 1.6) for _ in scene.landscape.route_weights]


def _new_flag(scene: Scene, conditions: Conditions, _: Truth) -> None:
    conditions.flag_share = scene.random.uniform(0.1, 0.6)


def _more_traffic(scene: Scene, conditions: Conditions, _: Truth) -> None:
    conditions.traffic_factor = scene.random.uniform(1.1, 1.4)


_DISTRACTIONS: Final[dict[str, Callable[[Scene, Conditions, Truth], None]]] = {
    "deployment": _deployment,
    "little_slower": _little_slower,
    "few_errors": _few_errors,
    "busy_tenant": _busy_tenant,
    "other_routes": _other_routes,
    "new_flag": _new_flag,
    "more_traffic": _more_traffic,
}
