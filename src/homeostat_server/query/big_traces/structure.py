"""The tree of one trace as arrays in the order in which a person reads it: each span before what it called.

Invariant: no attribute is in here, some 60 bytes a span are, and position 0 is the root that began first.
"""

from dataclasses import dataclass
from functools import cached_property
from typing import Final

import numpy as np
import numpy.typing as npt

from homeostat_server.query.forest.forest import Forest

LEVELS_MAX: Final = 5_000
"""Deeper trees are walked span by span: a step a level would take longer than a step a span."""

Numbers = npt.NDArray[np.int32]
Moments = npt.NDArray[np.int64]


@dataclass(frozen=True, kw_only=True)
class TraceTree:
    """Hold the spans of a trace, each before its descendants, siblings by start.

    Attributes:
        span_ids: 8 bytes each.
        parent: position of each span's parent, -1 for roots.
        depth: how many spans are above each.
        size: how many spans its subtree has, itself included.
        start_ns, end_ns: when it was, by its own clock.
        service, operation: indexes into the words `services` and `operations`.
        kind, status: OTLP's numbers.
        is_orphan: its parent is said and is not here.
        repeated: how many rows were left out because they say a span again.
    """

    span_ids: npt.NDArray[np.void]
    parent: Numbers
    depth: Numbers
    size: Numbers
    start_ns: Moments
    end_ns: Moments
    service: Numbers
    services: tuple[bytes, ...]
    operation: Numbers
    operations: tuple[bytes, ...]
    kind: npt.NDArray[np.int32]
    status: npt.NDArray[np.int32]
    is_orphan: npt.NDArray[np.bool_]
    repeated: int

    @classmethod
    def of(cls, forest: Forest, *, levels_max: int = LEVELS_MAX) -> "TraceTree":
        """Make a tree of the forest of one trace; one with more levels is walked span by span."""
        position, size = _preorder(forest, levels_max)
        order = np.argsort(position)
        parent = np.full(len(forest), -1, np.int32)
        has_parent = forest.parent >= 0
        parent[has_parent] = position[forest.parent[has_parent]]
        return cls(
            span_ids=forest.span_ids.reshape(-1)[order],
            parent=parent[order],
            depth=forest.depth[order].astype(np.int32),
            size=size[order],
            start_ns=forest.start_ns[order],
            end_ns=forest.end_ns[order],
            service=forest.service[order].astype(np.int32),
            services=forest.services,
            operation=forest.operation[order].astype(np.int32),
            operations=forest.operations,
            kind=forest.kind[order],
            status=forest.status[order],
            is_orphan=forest.is_orphan[order],
            repeated=forest.repeated,
        )

    def __len__(self) -> int:
        return len(self.parent)

    @cached_property
    def errors_before(self) -> Moments:
        """Return how many spans before each position failed; one more than there are spans."""
        return np.concatenate([[0], np.cumsum(self.status == 2)])

    @cached_property
    def children(self) -> Numbers:
        """Return how many children each span has."""
        counted: Numbers = np.bincount(self.parent[self.parent >= 0], minlength=len(self)).astype(np.int32)
        return counted

    @cached_property
    def self_ns(self) -> Moments:
        """Return how long each span took without the time in which a child of it ran."""
        return _self_ns(self.parent, self.start_ns, self.end_ns)

    def position_of(self, span_id: bytes) -> int | None:
        """Return where a span is, None when it is not here."""
        found = np.flatnonzero(self.span_ids.view(np.uint64) == np.frombuffer(span_id, np.uint64)[0])
        return int(found[0]) if len(found) else None


def _preorder(forest: Forest, levels_max: int) -> tuple[Numbers, Numbers]:
    """Return the position of each span before its descendants, and how many spans its subtree has."""
    siblings = np.lexsort((forest.span_ids.reshape(-1).view(">u8"), forest.start_ns, forest.parent))
    if len(forest) and int(forest.depth.max()) >= levels_max:
        return _walked(forest.parent, siblings)
    size = np.ones(len(forest), np.int64)
    for level in reversed(forest.levels[1:]):
        np.add.at(size, forest.parent[level], size[level])
    # How much of the subtrees of earlier siblings lies before each span; siblings stand together, by their parent.
    before = np.cumsum(size[siblings]) - size[siblings]
    parents = forest.parent[siblings]
    begins = np.flatnonzero(np.concatenate([[True], parents[1:] != parents[:-1]])) if len(parents) else parents
    lengths = np.diff(np.concatenate([begins, [len(parents)]]))
    offset = np.empty(len(forest), np.int64)
    offset[siblings] = before - np.repeat(before[begins], lengths)
    position = offset.copy()
    for level in forest.levels[1:]:
        position[level] = position[forest.parent[level]] + 1 + offset[level]
    return position.astype(np.int32), size.astype(np.int32)


def _walked(parent: Numbers, siblings: Moments) -> tuple[Numbers, Numbers]:
    """Do the same one span at a time."""
    children: dict[int, list[int]] = {}
    for span, above in zip(siblings.tolist(), parent[siblings].tolist(), strict=True):
        children.setdefault(above, []).append(span)
    position, size = np.empty(len(parent), np.int32), np.ones(len(parent), np.int32)
    waiting = children.get(-1, [])[::-1]
    order = []
    while waiting:
        span = waiting.pop()
        order.append(span)
        waiting.extend(reversed(children.get(span, ())))
    position[order] = np.arange(len(parent), dtype=np.int32)
    for span in reversed(order):
        above = parent[span]
        if above >= 0:
            size[above] += size[span]
    return position, size


def _self_ns(parent: Numbers, start_ns: Moments, end_ns: Moments) -> Moments:
    """Return durations without the union of the children's times."""
    self_ns: Moments = end_ns - start_ns
    called = np.flatnonzero(parent >= 0)
    if not len(called):
        return self_ns
    above = parent[called]
    begin = np.clip(start_ns[called], start_ns[above], end_ns[above])
    end = np.clip(end_ns[called], start_ns[above], end_ns[above])
    order = np.lexsort((begin, above))
    above, begin, end = above[order], begin[order], end[order]
    # The latest end so far among siblings, by ranks, so that a running maximum over all does not leave a family.
    by_end = np.argsort(end, kind="stable")
    rank = np.empty(len(end), np.int64)
    rank[by_end] = np.arange(len(end))
    first = np.concatenate([[True], above[1:] != above[:-1]])
    family = np.cumsum(first) - 1
    latest = np.maximum.accumulate(family * len(end) + rank) % len(end)
    covered_until = np.concatenate([begin[:1], end[by_end[latest[:-1]]]])
    covered_until[first] = begin[first]
    covered = np.maximum(end - np.maximum(begin, covered_until), 0)
    np.subtract.at(self_ns, above, covered)
    return self_ns
