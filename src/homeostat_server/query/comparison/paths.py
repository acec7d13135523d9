"""Spans by the path of calls that leads to them, and what each path costs a trace. It compares nothing."""

from dataclasses import dataclass
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from homeostat_server.query.error_correlation.sampling import first_tops
from homeostat_server.query.error_correlation.statistics import Integers, Reals, summed
from homeostat_server.query.forest.forest import Forest

ERROR: Final = 2
"""OTLP's number of the status error."""

DEPTH_MAX: Final = 64
"""Steps of a path; what lies deeper is counted at this depth."""


class Step(NamedTuple):
    """Say one call on a path; `kind` is OTLP's number."""

    service: str
    operation: str
    kind: int


Path = tuple[Step, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Costs:
    """Hold what the paths of some traces cost.

    Attributes:
        paths: the distinct paths from a root, each array below by path.
        traces: how many traces there are, weighted; distinct is how many were read.
        duration_ns: of each trace, how long its root took.
        weight: of each trace.
        calls: spans, weighted.
        present: traces that have the path, weighted.
        errors: spans with the status error, weighted.
        self_ns: own time on the critical path, of all traces, weighted.
        self_squares: the squares of what each trace spends there, weighted.
        duration_sum_ns: how long its spans took, weighted.
        only_span: the span of the path where there is one, else -1.
    """

    paths: list[Path]
    traces: float
    distinct: int
    duration_ns: Reals
    weight: Reals
    calls: Reals
    present: Reals
    errors: Reals
    self_ns: Reals
    self_squares: Reals
    duration_sum_ns: Reals
    only_span: Integers


def costs_of(forest: Forest) -> Costs:
    """Return what the paths of a forest cost."""
    root = first_tops(forest.trace, forest.parent, forest.start_ns)
    weight = forest.weight[root]
    path, paths = _paths(forest)
    count = len(paths)
    critical = forest.critical_paths
    own_ns = np.where(critical.root == root[forest.trace], critical.self_ns, 0).astype(np.float64)
    of_span = weight[forest.trace]
    groups, group = np.unique(forest.trace.astype(np.int64) * max(1, count) + path, return_inverse=True)
    in_trace_ns = summed(group, len(groups), own_ns)
    of_path, of_trace = groups % max(1, count), groups // max(1, count)
    calls = np.bincount(path, minlength=count)
    only = np.full(count, -1)
    only[path] = np.arange(len(path))
    return Costs(
        paths=paths,
        traces=float(weight.sum()),
        distinct=len(root),
        duration_ns=(forest.end_ns - forest.start_ns)[root].astype(np.float64),
        weight=weight,
        calls=summed(path, count, of_span),
        present=summed(of_path, count, weight[of_trace]),
        errors=summed(path, count, of_span * (forest.status == ERROR)),
        self_ns=summed(path, count, of_span * own_ns),
        self_squares=summed(of_path, count, weight[of_trace] * in_trace_ns**2),
        duration_sum_ns=summed(path, count, of_span * (forest.end_ns - forest.start_ns)),
        only_span=np.where(calls == 1, only, -1),
    )


def _paths(forest: Forest) -> tuple[NDArray[np.int64], list[Path]]:
    """Return of each span the number of its path, and the paths."""
    place = (forest.service.astype(np.int64) * (len(forest.operations) + 1) + forest.operation) * 64 + forest.kind % 64
    path = np.zeros(len(forest), dtype=np.int64)
    paths: list[Path] = []
    for depth, spans in enumerate(forest.levels):
        above = path[forest.parent[spans]] if depth else np.zeros(len(spans), dtype=np.int64)
        _, first, number = np.unique(np.stack([above, place[spans]]), axis=1, return_index=True, return_inverse=True)
        path[spans] = number.reshape(-1) + len(paths)
        begin = [paths[code] if depth else () for code in above[first].tolist()]
        paths += [
            (*path_above[: DEPTH_MAX - 1], _step(forest, span))
            for path_above, span in zip(begin, spans[first], strict=True)
        ]
    return _merged(path, paths)


def _merged(path: NDArray[np.int64], paths: list[Path]) -> tuple[NDArray[np.int64], list[Path]]:
    """Return paths without those that were cut to the same."""
    known: dict[Path, int] = {}
    numbers = np.array([known.setdefault(each, len(known)) for each in paths], dtype=np.int64)
    return numbers[path] if len(path) else path, list(known)


def _step(forest: Forest, span: int) -> Step:
    return Step(
        forest.services[forest.service[span]].decode("utf-8", "replace"),
        forest.operations[forest.operation[span]].decode("utf-8", "replace"),
        int(forest.kind[span]),
    )
