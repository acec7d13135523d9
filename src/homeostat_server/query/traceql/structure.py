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
    if not len(trace):
        return Tree(np.empty(0, dtype=np.int64), np.empty(0, dtype=np.int64))
    # Ids become small numbers, so that one whole number tells a trace and an id: those sort quickly.
    ids, codes = np.unique(np.concatenate((span_ids, parent_ids)), return_inverse=True)
    own, wanted = (trace * len(ids) + part for part in np.split(codes.astype(np.int64), 2))
    order = np.argsort(own, kind="stable")
    at = np.minimum(np.searchsorted(own, wanted, sorter=order), len(order) - 1)
    is_there = (own[order[at]] == wanted) & (parent_ids != 0)
    return _without_circles(np.where(is_there, order[at], -1))


def _without_circles(parent: Numbers) -> Tree:
    """Return the tree with its depths; each round looks twice as far up, so twenty do for a million spans in a line."""
    depth = (parent >= 0).astype(np.int64)
    above = parent
    for _ in range(len(parent).bit_length()):
        rows = np.flatnonzero(above >= 0)
        if not len(rows):
            break
        through = above[rows]
        depth[rows] += depth[through]
        following = above.copy()
        following[rows] = above[through]
        above = following
    # Who has not come to an end by now goes round.
    goes_round = above >= 0
    return Tree(np.where(goes_round, -1, parent), np.where(goes_round, 0, depth))


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
