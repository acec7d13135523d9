"""How spans lie to each other in the trees of their traces, many traces at once. It knows no query.

Spans are rows; a span's parent is the row of the same trace that has its parent's id, the first when several have.
Where parents go round in a circle, the spans of the circle and below it have no parent here.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import numpy.typing as npt

Bits = npt.NDArray[np.bool_]
Numbers = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Tree:
    """Hold the row of each span's parent, -1 without one, and its distance from the top."""

    parent: Numbers
    depth: Numbers

    @property
    def has_parent(self) -> Bits:
        """Return which spans have a parent here."""
        return self.parent >= 0

    def levels(self) -> Iterator[Numbers]:
        """Yield the rows of each depth from 1 on."""
        order = np.argsort(self.depth, kind="stable")
        bounds = np.searchsorted(self.depth[order], np.arange(1, int(self.depth.max(initial=0)) + 2))
        for first, last in pairwise(bounds.tolist()):
            yield order[first:last]


def tree_of(trace: Numbers, span_ids: npt.NDArray[np.uint64], parent_ids: npt.NDArray[np.uint64]) -> Tree:
    """Return the tree over spans given as the number of their trace, their id and their parent's (0 for none)."""
    order = np.lexsort((np.arange(len(trace)), span_ids, trace))
    keys = _keys(trace[order], span_ids[order])
    wanted = _keys(trace, parent_ids)
    found = np.searchsorted(keys, wanted)
    at = np.minimum(found, max(len(keys) - 1, 0))
    is_there = (keys[at] == wanted) & (parent_ids != 0) if len(keys) else np.zeros(0, dtype=np.bool_)
    parent = np.where(is_there, order[at] if len(keys) else 0, -1).astype(np.int64)
    return _without_circles(parent)


def _keys(trace: Numbers, ids: npt.NDArray[np.uint64]) -> npt.NDArray[np.void]:
    """Return one comparable key of a trace and an id; big-endian bytes compare as numbers do."""
    pairs = np.empty((len(trace), 2), dtype=">u8")
    pairs[:, 0], pairs[:, 1] = trace, ids
    return np.ascontiguousarray(pairs).view("V16").reshape(-1)


def _without_circles(parent: Numbers) -> Tree:
    depth = np.full(len(parent), -1, dtype=np.int64)
    depth[parent < 0] = 0
    order = np.argsort(parent, kind="stable")
    sorted_parents = parent[order]
    frontier = np.flatnonzero(parent < 0)
    level = 0
    while len(frontier):
        level += 1
        first = np.searchsorted(sorted_parents, frontier, side="left")
        last = np.searchsorted(sorted_parents, frontier, side="right")
        children = [order[begin:end] for begin, end in zip(first, last, strict=True) if end > begin]
        frontier = np.concatenate(children) if children else np.empty(0, dtype=np.int64)
        depth[frontier] = level
    in_circle = depth < 0
    return Tree(np.where(in_circle, -1, parent), np.where(in_circle, 0, depth))


def children_of(tree: Tree, chosen: Bits) -> Bits:
    """Return the spans whose parent is chosen."""
    return tree.has_parent & chosen[tree.parent]


def parents_of(tree: Tree, chosen: Bits) -> Bits:
    """Return the spans that have a chosen child."""
    found = np.zeros(len(chosen), dtype=np.bool_)
    found[tree.parent[chosen & tree.has_parent]] = True
    return found


def descendants_of(tree: Tree, chosen: Bits) -> Bits:
    """Return the spans that have a chosen one above them."""
    found = np.zeros(len(chosen), dtype=np.bool_)
    for rows in tree.levels():
        above = tree.parent[rows]
        found[rows] = found[above] | chosen[above]
    return found


def ancestors_of(tree: Tree, chosen: Bits) -> Bits:
    """Return the spans that have a chosen one below them."""
    found = np.zeros(len(chosen), dtype=np.bool_)
    for rows in reversed(list(tree.levels())):
        below = rows[found[rows] | chosen[rows]]
        found[tree.parent[below]] = True
    return found


def siblings_of(tree: Tree, chosen: Bits) -> Bits:
    """Return the spans that share their parent with a chosen one that is not themselves."""
    counted = np.bincount(tree.parent[chosen & tree.has_parent], minlength=len(chosen))
    return tree.has_parent & (counted[tree.parent] > chosen)
