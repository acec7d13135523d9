"""What was planted, as data. It knows no spans."""

from dataclasses import dataclass, field
from typing import Final

KINDS: Final = ("slow_dependency", "bad_version", "failing_host", "hot_tenant", "retry_storm", "lock_convoy")


@dataclass(frozen=True, slots=True, kw_only=True)
class Truth:
    """Hold the true cause of an incident.

    Attributes:
        kind: one of `KINDS`.
        services: where it is: the service itself; of a store without telemetry, the services that wait for it.
        operations: span names there, empty where the cause is not of an operation.
        attributes: pairs of key and value that name it; each says the same in this system.
        caller: of a retry storm, the service that repeats its calls.
        severity: how bad it is made, in words, for the report.
    """

    kind: str
    services: frozenset[str] = frozenset()
    operations: frozenset[str] = frozenset()
    attributes: frozenset[tuple[str, str]] = frozenset()
    caller: str = ""
    severity: dict[str, float] = field(default_factory=dict)
