"""Which spans the time of a trace went to: the critical path. It knows intervals and parents, no names.

Walk from the end of a root to its start: whenever children were awaited, the one that ended last before where the walk
is has held the parent up, so the walk goes through it, and on from its start; what no child covers is the parent's own.
Each moment of the root belongs to one span, so the self-times of a path add up to the duration of its root.

A child that ends after its parent was not waited for and begins a path of its own, unless it is the other end of a
call: then the caller waited until it gave up, and the part up to there counts.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from homeostat_server.query.forest.clocks import Calls, Nanoseconds
from homeostat_server.query.forest.identity import NOBODY

Spans = npt.NDArray[np.int64]

FEW: Final = 24
"""Chains that are followed one after the other, because numpy takes longer to be called than to follow so few."""

_KEY_BITS: Final = 62


@dataclass(frozen=True, slots=True, kw_only=True)
class CriticalPaths:
    """Hold what each span's part in the paths is.

    Attributes:
        self_ns: the time of the path that is the span's own; 0 for spans beside the path.
        is_on: the span is on the path of its root.
        is_root: a path begins at the span: it has no parent, or its parent did not wait for it.
        root: position of the span at which the path begins that the span belongs to, on it or beside it.
    """

    self_ns: Nanoseconds
    is_on: npt.NDArray[np.bool_]
    is_root: npt.NDArray[np.bool_]
    root: npt.NDArray[np.int32]


def critical_paths(
    call: Calls, levels: Iterable[Spans], *, start_ns: Nanoseconds, end_ns: Nanoseconds
) -> CriticalPaths:
    """Return the critical path from each root, over times of one clock."""
    by_level = list(levels)
    parent = call.parent
    has_parent = parent != NOBODY
    above = np.where(has_parent, parent, 0)
    is_root = ~has_parent | ((end_ns > end_ns[above]) & ~call.is_awaited) if len(parent) else ~has_parent
    low, high, root = _clipped(parent, is_root, by_level, start_ns=start_ns, end_ns=end_ns)
    holds = _holding(parent, np.flatnonzero(~is_root & (high > low)), low=low, high=high)
    is_on = is_root.copy()
    for spans in by_level[1:]:
        is_on[spans] |= holds[spans] & is_on[parent[spans]]
    self_ns = np.where(is_on, high - low, 0)
    within = np.flatnonzero(is_on & ~is_root)
    np.subtract.at(self_ns, parent[within], high[within] - low[within])
    return CriticalPaths(self_ns=self_ns, is_on=is_on, is_root=is_root, root=root)


def _clipped(
    parent: npt.NDArray[np.int32],
    is_root: npt.NDArray[np.bool_],
    by_level: Sequence[Spans],
    *,
    start_ns: Nanoseconds,
    end_ns: Nanoseconds,
) -> tuple[Nanoseconds, Nanoseconds, npt.NDArray[np.int32]]:
    """Return the part of each span that lies within all of those that wait for it, and the root of its path."""
    low, high = start_ns.copy(), end_ns.copy()
    root = np.arange(len(parent), dtype=np.int32)
    for spans in by_level[1:]:
        inner = spans[~is_root[spans]]
        above = parent[inner]
        low[inner] = np.minimum(np.maximum(low[inner], low[above]), high[above])
        high[inner] = np.maximum(np.minimum(high[inner], high[above]), low[inner])
        root[inner] = root[above]
    return low, high, root


def _holding(
    parent: npt.NDArray[np.int32], children: Spans, *, low: Nanoseconds, high: Nanoseconds
) -> npt.NDArray[np.bool_]:
    """Return which children held their parents up."""
    holds = np.zeros(len(parent), dtype=bool)
    if not len(children):
        return holds
    group = parent[children].astype(np.int64)
    begin, end = low[children] - low[group], high[children] - low[group]
    order, before = _by_end(group, begin, end)
    in_order = group[order]
    is_last = np.ones(len(order), dtype=bool)
    is_last[:-1] = in_order[1:] != in_order[:-1]
    held = _followed(np.flatnonzero(is_last), before)
    holds[children[order[held]]] = True
    return holds


def _by_end(group: Spans, begin: Nanoseconds, end: Nanoseconds) -> tuple[Spans, Spans]:
    """Return the children by parent and end, and for each in this order the last that ended before it began.

    Of those that end together only the longest can be it, of these the first. Positions are those in the order, -1 for
    none.
    """
    count = len(group)
    order = np.lexsort((-np.arange(count), begin.max() - begin, end, group)) if not _fits(group, end) else None
    if order is None:
        shift = int(end.max()).bit_length()
        ends = (group << shift) | end
        order = _longest_last(np.argsort(ends), ends, begin)
        queries = (group[order] << shift) | begin[order]
        place = _places(ends[order], queries)
    else:
        place = _places_of_pairs(group[order], end[order], begin[order])
    in_order = group[order]
    inside = place >= 0
    inside[inside] = in_order[place[inside]] == in_order[inside]
    return order, np.where(inside, place, NOBODY)


def _fits(group: Spans, end: Nanoseconds) -> bool:
    return int(group.max()).bit_length() + int(end.max()).bit_length() <= _KEY_BITS


def _longest_last(order: Spans, ends: Nanoseconds, begin: Nanoseconds) -> Spans:
    """Return the order with children of equal ends from the shortest to the longest, of equals the first last."""
    in_order = ends[order]
    same = in_order[1:] == in_order[:-1]
    if not same.any():
        return order
    several = np.zeros(len(order), dtype=bool)
    several[1:] = same
    several[:-1] |= same
    places = np.flatnonzero(several)
    rows = order[places]
    settled = order.copy()
    settled[places] = rows[np.lexsort((-rows, -begin[rows], ends[rows]))]
    return settled


def _places(ends: Nanoseconds, queries: Nanoseconds) -> Spans:
    """Return where the last end lies that is not after each query."""
    by_query = np.argsort(queries)
    place = np.empty(len(queries), np.int64)
    place[by_query] = np.searchsorted(ends, queries[by_query], side="right") - 1
    return place


def _places_of_pairs(group: Spans, end: Nanoseconds, begin: Nanoseconds) -> Spans:
    """Do the same for times that do not fit into a key together with their parent."""
    count = len(group)
    is_query = np.repeat([False, True], count)
    merged = np.lexsort((is_query, np.concatenate([end, begin]), np.concatenate([group, group])))
    ends_so_far = np.cumsum(~is_query[merged]) - 1
    place = np.empty(2 * count, np.int64)
    place[merged] = ends_so_far
    return place[count:]


def _followed(first: Spans, before: Spans) -> Spans:
    """Return every position on the chains that begin at these, all chains a step at a time."""
    found = [first]
    at = first
    while len(at) > FEW:
        at = before[at]
        at = at[at != NOBODY]
        found.append(at)
    rest: list[int] = []
    for position in at.tolist():
        following = int(before[position])
        while following != NOBODY:
            rest.append(following)
            following = int(before[following])
    return np.concatenate([*found, np.array(rest, np.int64)])
