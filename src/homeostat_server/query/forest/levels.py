"""How deep each span lies, and where a ring of parents is cut. It knows parents and starts, nothing else.

Invariant: after `untangle` every span reaches a root, and a parent is one level above its children.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from homeostat_server.query.forest.identity import NOBODY, Indexes


@dataclass(frozen=True, slots=True)
class Levels:
    """Hold the parents after cutting, how deep each span lies (roots: 0), and which spans lost their parent to it."""

    parent: Indexes
    depth: Indexes
    cut: Indexes


def untangle(parent: Indexes, *, start_ns: npt.NDArray[np.int64]) -> Levels:
    """Return parents without rings: in each the span that began first becomes a root, of several the first."""
    depth, reached = _climb(parent)
    astray = np.flatnonzero(reached != NOBODY)
    if not len(astray):
        return Levels(parent, depth, np.empty(0, np.int32))
    # Whoever climbs for longer than there are spans goes round, and where all of them are then is on the rings.
    cut = _cuts(np.unique(reached[astray]), parent, start_ns)
    parent = parent.copy()
    parent[cut] = NOBODY
    depth, _ = _climb(parent)
    return Levels(parent, depth, cut)


def _climb(parent: Indexes) -> tuple[Indexes, Indexes]:
    """Return how far each span is from its root, and for those that go round where they are after a long climb.

    Each round doubles the steps, so there are as many rounds as the longest path has bits.
    """
    above = parent.copy()
    depth = (parent != NOBODY).astype(np.int32)
    climbing = np.flatnonzero(above != NOBODY)
    for _ in range(max(1, len(parent)).bit_length() + 1):
        if not len(climbing):
            break
        via = above[climbing]
        # Both are read before either is written: the steps of one round are those of the round before.
        further, steps = above[via], depth[via]
        above[climbing] = further
        depth[climbing] += steps
        climbing = climbing[further != NOBODY]
    return depth, above


def _cuts(on_rings: npt.NDArray[np.int32], parent: Indexes, start_ns: npt.NDArray[np.int64]) -> Indexes:
    waiting = dict.fromkeys(on_rings.tolist())
    cuts = []
    while waiting:
        ring = [next(iter(waiting))]
        del waiting[ring[0]]
        while (following := int(parent[ring[-1]])) in waiting:
            del waiting[following]
            ring.append(following)
        cuts.append(min(ring, key=lambda span: (int(start_ns[span]), span)))
    return np.array(sorted(cuts), np.int32)


def by_level(depth: Indexes) -> Iterator[npt.NDArray[np.int64]]:
    """Yield the spans of each level, roots first."""
    order = np.argsort(depth, kind="stable")
    ends = np.cumsum(np.bincount(depth)) if len(depth) else np.empty(0, np.int64)
    begin = 0
    for end in ends.tolist():
        yield order[begin:end]
        begin = end
