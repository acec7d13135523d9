"""Operations by their time on critical paths, beside a window before. It knows the rows of summaries, no store."""

from dataclasses import dataclass
from typing import Final

import numpy as np
import pyarrow as pa

from homeostat_server.query.summaries.form import WORK
from homeostat_server.query.summaries.grouping import group
from homeostat_server.query.summaries.merging import reals, total, words

NS_PER_MS: Final = 1_000_000

COLUMNS: Final = (*WORK, "requests", "requests_ns", "background", "background_ns", "spans", "left_out")
"""What the ranking is made of."""

Name = tuple[str, str]
"""Service and operation."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Time:
    """Hold the time of an operation on critical paths.

    Attributes:
        self_ms: all of it.
        share: of the time of all paths, 0 to 1.
        on_path: spans that were on a path.
        spans: all spans of the operation.
        mean_ms: the time of one span on a path.
        per_request_ms: the time by all paths there are, which does not grow with traffic.
    """

    self_ms: float
    share: float
    on_path: float
    spans: float
    mean_ms: float
    per_request_ms: float


NONE: Final = Time(self_ms=0.0, share=0.0, on_path=0.0, spans=0.0, mean_ms=0.0, per_request_ms=0.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Bottleneck:
    """Hold an operation, its time now and before, and the trace with its longest single part.

    `operation` is empty for those of a service that take too little to be told apart.
    """

    service: str
    operation: str
    now: Time
    before: Time
    example: str
    example_ms: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Paths:
    """Hold how many critical paths began in a window and what they add up to.

    Attributes:
        requests: paths that begin with a span without a parent.
        requests_ms: their durations together.
        background: paths that begin with a span that nobody waited for.
        background_ms: their durations together.
    """

    requests: float
    requests_ms: float
    background: float
    background_ms: float

    @property
    def count(self) -> float:
        """Return how many there are."""
        return self.requests + self.background

    @property
    def total_ms(self) -> float:
        """Return the time of all of them."""
        return self.requests_ms + self.background_ms


@dataclass(frozen=True, slots=True, kw_only=True)
class _Measured:
    time: Time
    example: str
    example_ms: float


def paths(table: pa.Table) -> Paths:
    """Return the paths of a window."""
    return Paths(
        requests=total(table, "requests"),
        requests_ms=total(table, "requests_ns") / NS_PER_MS,
        background=total(table, "background"),
        background_ms=total(table, "background_ns") / NS_PER_MS,
    )


def rank(now: pa.Table, before: pa.Table | None, *, service: str | None, limit: int) -> tuple[Bottleneck, ...]:
    """Return the operations with the most time on critical paths, of one service when one is given."""
    found = _measured(now)
    earlier = {} if before is None else _measured(before)
    wanted = [name for name in found if service is None or name[0] == service]
    wanted.sort(key=lambda name: (-found[name].time.self_ms, name))
    return tuple(
        Bottleneck(
            service=name[0],
            operation=name[1],
            now=found[name].time,
            before=earlier[name].time if name in earlier else NONE,
            example=found[name].example,
            example_ms=found[name].example_ms,
        )
        for name in wanted[:limit]
    )


def spans_of(table: pa.Table) -> dict[Name, float]:
    """Return how many spans each operation has."""
    return {name: one.time.spans for name, one in _measured(table).items()}


def _measured(table: pa.Table) -> dict[Name, _Measured]:
    services, operations = words(table, "work_service"), words(table, "work_operation")
    groups = group(services.codes, operations.codes)
    all_paths = paths(table)
    self_ms = groups.sum(reals(table, "work_self_ns")) / NS_PER_MS
    on_path, spans = groups.sum(reals(table, "work_on_path")), groups.sum(reals(table, "work_spans"))
    longest = reals(table, "work_example_ns")
    top = groups.top(longest) if len(groups) else np.empty(0, np.int64)
    examples = words(table, "work_example")
    found: dict[Name, _Measured] = {}
    for number, row in enumerate(groups.first.tolist()):
        name = (services[row].decode("utf-8", "replace"), operations[row].decode("utf-8", "replace"))
        time = Time(
            self_ms=float(self_ms[number]),
            share=float(self_ms[number]) / all_paths.total_ms if all_paths.total_ms else 0.0,
            on_path=float(on_path[number]),
            spans=float(spans[number]),
            mean_ms=float(self_ms[number] / on_path[number]) if on_path[number] else 0.0,
            per_request_ms=float(self_ms[number]) / all_paths.count if all_paths.count else 0.0,
        )
        example = int(top[number])
        found[name] = _Measured(
            time=time, example=examples[example].hex(), example_ms=float(longest[example]) / NS_PER_MS
        )
    return found
