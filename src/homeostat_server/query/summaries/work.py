"""Whose time the critical paths are made of, by service and operation. It knows a forest, no window of the answer."""

from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from homeostat_server.query.forest.forest import Forest
from homeostat_server.query.summaries.grouping import Groups, group

OPERATIONS_MAX: Final = 4_000
"""Of one summary; those with the least time are put together, those of a service under an empty name."""

Codes = npt.NDArray[np.int64]
Reals = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Work:
    """Hold, for each operation, its part in the paths.

    Attributes:
        service: index into the forest's services.
        operation: index into the forest's operations, -1 for what was put together.
        self_ns: its time on critical paths.
        on_path: its spans on a path.
        spans: all its spans that count.
        example: the span with the most time on a path.
        example_ns: that time.
    """

    service: Codes
    operation: Codes
    self_ns: Reals
    on_path: Reals
    spans: Reals
    example: Codes
    example_ns: Reals


def work(forest: Forest, *, counted: npt.NDArray[np.bool_]) -> Work:
    """Return the work of the paths that begin with a span that counts, and of the spans that count."""
    paths = forest.critical_paths
    on_path = paths.is_on & counted[paths.root]
    spans = np.flatnonzero(on_path | counted)
    service, operation = forest.service[spans].astype(np.int64), forest.operation[spans].astype(np.int64)
    self_ns = np.where(on_path[spans], paths.self_ns[spans], 0).astype(np.float64)
    weight = forest.weight[spans]
    groups = group(service, operation + 1)
    if len(groups) > OPERATIONS_MAX:
        operation = _put_together(groups, operation, groups.sum(self_ns * weight))
        groups = group(service, operation + 1)
    top = groups.top(self_ns)
    return Work(
        service=service[groups.first],
        operation=operation[groups.first],
        self_ns=groups.sum(self_ns * weight),
        on_path=groups.sum(np.where(on_path[spans], weight, 0.0)),
        spans=groups.sum(np.where(counted[spans], weight, 0.0)),
        example=spans[top],
        example_ns=self_ns[top],
    )


def _put_together(groups: Groups, operation: Codes, self_ns: Reals) -> Codes:
    kept = np.zeros(len(groups), dtype=bool)
    kept[np.lexsort((np.arange(len(groups)), -self_ns))[:OPERATIONS_MAX]] = True
    return np.where(kept[groups.of], operation, -1)
