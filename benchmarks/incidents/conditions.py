"""What differs between a quiet window and an incident, as values. It knows no spans and draws no lots."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal

from benchmarks.incidents.landscape import Instance, Operation, Store

Where = Callable[[Operation, Instance, str], bool]
"""Say of an operation, the process that does it and the tenant who asks whether a fault is there."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """Make work fail or slow where it is; `share` of it is hit."""

    where: Where
    share: float = 1.0
    fails: float = 0.0
    factor: float = 1.0
    added_ms: float = 0.0
    exception: tuple[str, str] = ("RuntimeError", "unexpected state")


@dataclass(frozen=True, slots=True, kw_only=True)
class StoreFault:
    """Make a store slow."""

    store: Store
    share: float
    added_ms: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Retrying:
    """Let one service repeat its failed calls of an operation again and again."""

    caller: str
    target: Operation
    retries_max: int
    backoff_ms: float


@dataclass(slots=True, kw_only=True)
class Lock:
    """Let one request at a time do its work, in the order they come; `free_ns` says when it is free, by scope."""

    operations: frozenset[int]
    scope: Literal["everywhere", "process"]
    hold_ms: float
    is_told: bool
    free_ns: dict[str, int] = field(default_factory=dict)

    def take(self, scope: str, arrival_ns: int, hold_ns: int) -> int:
        """Return when somebody who comes at this moment has the lock, and keep it for so long."""
        had_ns = max(arrival_ns, self.free_ns.get(scope, 0))
        self.free_ns[scope] = had_ns + hold_ns
        return had_ns


@dataclass(slots=True)
class Conditions:
    """Hold all that is different in a window; empty, it is a quiet one."""

    faults: list[Fault] = field(default_factory=list)
    store_faults: list[StoreFault] = field(default_factory=list)
    retrying: list[Retrying] = field(default_factory=list)
    locks: list[Lock] = field(default_factory=list)
    instances: dict[str, list[Instance]] = field(default_factory=dict)
    tenant_factors: dict[str, float] = field(default_factory=dict)
    route_factors: list[float] = field(default_factory=list)
    flag_share: float = 0.0
    traffic_factor: float = 1.0
