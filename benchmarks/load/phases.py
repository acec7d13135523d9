"""What is asked of the load generator and what it answers, as one line of JSON each. It does neither."""

import dataclasses
import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from benchmarks.realistic.restamping import SignalName

Transport = Literal["http", "grpc"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Load:
    """Say what to send where.

    Attributes:
        signal: which bodies.
        transport: through which door.
        port: where that is, on the loopback.
        templates: different bodies before they repeat with fresh values.
        items_per_body: how many spans, records or points each has, at most.
        gzip: whether bodies are compressed on their way (HTTP only).
        lane: which of the streams of ids; give each process its own.
        ids_file: where to write ids of acknowledged traces for look-ups, "" for nowhere.
    """

    signal: SignalName
    transport: Transport
    port: int
    templates: int = 128
    items_per_body: int = 512
    gzip: bool = False
    lane: int = 0
    ids_file: str = ""

    def line(self) -> str:
        """Return it as JSON."""
        return json.dumps(dataclasses.asdict(self))


@dataclass(frozen=True, slots=True, kw_only=True)
class Phase:
    """Say how hard to send: `items_per_s` 0 means as fast as the answers come on `connections` connections."""

    duration_s: float
    items_per_s: float = 0.0
    connections: int = 8

    def line(self) -> str:
        """Return it as JSON."""
        return json.dumps(dataclasses.asdict(self))


@dataclass(frozen=True, slots=True, kw_only=True)
class Sent:
    """Hold what came of a phase.

    Attributes:
        seconds: from the first request to the last answer.
        items: acknowledged ones.
        size_bytes: of the acknowledged bodies, as sent.
        statuses: requests by their answer; "200" is acknowledged.
        retry_after: refusals that said when to come back.
        latency_ms: percentiles of the acknowledged requests by name. At a given rate from the moment a request was due,
            so that a slow answer is not hidden by the requests that had to wait for it.
        refusal_ms: the same of the refused ones.
        generator_cpu_s: what this process used.
    """

    seconds: float
    items: int
    size_bytes: int
    statuses: dict[str, int]
    retry_after: int
    latency_ms: dict[str, float]
    refusal_ms: dict[str, float]
    generator_cpu_s: float

    @property
    def items_per_s(self) -> float:
        """Return the acknowledged rate."""
        return self.items / self.seconds if self.seconds else 0.0

    @property
    def refused(self) -> int:
        """Return how many requests were not acknowledged."""
        return sum(count for status, count in self.statuses.items() if status != "200")

    def line(self) -> str:
        """Return it as JSON."""
        return json.dumps(dataclasses.asdict(self))


@dataclass(slots=True)
class Tally:
    """Count answers while a phase runs."""

    items: int = 0
    size_bytes: int = 0
    retry_after: int = 0
    statuses: dict[str, int] = field(default_factory=dict)
    latencies_s: list[float] = field(default_factory=list)
    refusals_s: list[float] = field(default_factory=list)

    def answered(self, status: str, *, items: int, size_bytes: int, seconds: float, retry_after: bool) -> None:
        """Count one answer."""
        self.statuses[status] = self.statuses.get(status, 0) + 1
        if status == "200":
            self.items += items
            self.size_bytes += size_bytes
            self.latencies_s.append(seconds)
        else:
            self.refusals_s.append(seconds)
            self.retry_after += retry_after

    def sent(self, *, seconds: float, generator_cpu_s: float) -> Sent:
        """Return what came of the phase."""
        return Sent(
            seconds=seconds,
            items=self.items,
            size_bytes=self.size_bytes,
            statuses=self.statuses,
            retry_after=self.retry_after,
            latency_ms=percentiles_ms(self.latencies_s),
            refusal_ms=percentiles_ms(self.refusals_s),
            generator_cpu_s=generator_cpu_s,
        )


def percentiles_ms(seconds: Sequence[float]) -> dict[str, float]:
    """Return p50, p95, p99 and max in milliseconds; nothing of nothing."""
    if not seconds:
        return {}
    ordered = sorted(seconds)
    shares = {"p50": 0.50, "p95": 0.95, "p99": 0.99}
    last = len(ordered) - 1
    found = {name: ordered[min(last, int(share * len(ordered)))] for name, share in shares.items()}
    return {name: round(value * 1000, 2) for name, value in (found | {"max": ordered[-1]}).items()}


def parse_line(line: str) -> dict[str, Any]:
    """Return the fields of a line of JSON."""
    fields = json.loads(line)
    assert isinstance(fields, dict)
    return fields
