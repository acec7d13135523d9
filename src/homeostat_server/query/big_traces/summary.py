"""What there is to say of a trace before anybody opens it: its root, its services, its depth, its first level."""

from dataclasses import dataclass
from typing import Final

import numpy as np

from homeostat_server.query.big_traces.rows import SpanRow, rows_of
from homeostat_server.query.big_traces.structure import TraceTree

SERVICES_MAX: Final = 100
FIRST_LEVEL_MAX: Final = 100

_ERROR: Final = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class ServicePart:
    """Hold what part a service has in a trace: spans, those that failed, and the time in which only they ran."""

    service: str
    spans: int
    errors: int
    self_ns: int


@dataclass(frozen=True, slots=True, kw_only=True)
class WholeTrace:
    """Hold what there is to say of a trace.

    Attributes:
        root: its root; of several, the one that began first, those whose parent is missing last.
        first_level: what the root called, by start, at most 100.
        start_ns: start of its first span.
        duration_ns: from there to its last end.
        spans: how many it has.
        errors: how many failed.
        roots: how many have no parent here.
        orphans: how many of these say a parent that is not here.
        repeated: how many were sent more than once and are counted once.
        depth: levels of its tree.
        services: parts of its services, the one with most time first, at most 100.
    """

    root: SpanRow
    first_level: tuple[SpanRow, ...]
    start_ns: int
    duration_ns: int
    spans: int
    errors: int
    roots: int
    orphans: int
    repeated: int
    depth: int
    services: tuple[ServicePart, ...]


def summarize(tree: TraceTree) -> WholeTrace:
    """Return what there is to say of a trace."""
    roots = np.flatnonzero(tree.parent < 0)
    root = int(roots[np.lexsort((tree.start_ns[roots], tree.is_orphan[roots]))[0]])
    first_level = np.flatnonzero(tree.parent[root : root + tree.size[root]] == root)[:FIRST_LEVEL_MAX] + root
    start_ns = int(tree.start_ns.min())
    return WholeTrace(
        root=rows_of(tree, [root])[0],
        first_level=rows_of(tree, first_level.tolist()),
        start_ns=start_ns,
        duration_ns=int(tree.end_ns.max()) - start_ns,
        spans=len(tree),
        errors=int(tree.errors_before[-1]),
        roots=len(roots),
        orphans=int(np.count_nonzero(tree.is_orphan)),
        repeated=tree.repeated,
        depth=int(tree.depth.max()) + 1,
        services=_services(tree),
    )


def _services(tree: TraceTree) -> tuple[ServicePart, ...]:
    count = len(tree.services)
    spans = np.bincount(tree.service, minlength=count)
    errors = np.bincount(tree.service[tree.status == _ERROR], minlength=count)
    self_ns = np.zeros(count, np.int64)
    np.add.at(self_ns, tree.service, tree.self_ns)
    order = [code for code in np.argsort(-self_ns, kind="stable").tolist() if spans[code]]
    return tuple(
        ServicePart(
            service=tree.services[code].decode("utf-8", "replace"),
            spans=int(spans[code]),
            errors=int(errors[code]),
            self_ns=int(self_ns[code]),
        )
        for code in order[:SERVICES_MAX]
    )
