"""A trace's flame graph: spans of one path (services and operations from the root down) are one frame.

Of more frames than a picture can hold, those with the least time are left out, and counted. A frame is only there with
all frames above it.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from homeostat_server.query.big_traces.structure import TraceTree

FRAMES_MAX: Final = 10_000
DEPTH_MAX: Final = 200
"""Levels that are drawn; deeper spans are counted as left out."""

_ERROR: Final = 2
_Numbers = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Frame:
    """Hold the spans of one path.

    Attributes:
        number: of the frame; a parent has a smaller one.
        parent: number of the frame above, None at the bottom.
        spans: how many it stands for.
        errors: how many of them failed.
        total_ns: sum of their durations.
        self_ns: of that, the time in which none of what they called ran.
    """

    number: int
    parent: int | None
    depth: int
    service: str
    operation: str
    spans: int
    errors: int
    total_ns: int
    self_ns: int


@dataclass(frozen=True, slots=True, kw_only=True)
class FlameGraph:
    """Hold frames, level by level, and what was left out."""

    frames: tuple[Frame, ...]
    frames_left_out: int
    spans_left_out: int


def flame_graph(tree: TraceTree, *, frames_max: int) -> FlameGraph:
    """Return the frames with the most time."""
    paths = _paths(tree)
    drawn = np.flatnonzero(paths.of_span >= 0)
    of_span = paths.of_span[drawn]
    spans = np.bincount(of_span, minlength=paths.count)
    total_ns = _sums(of_span, tree.end_ns[drawn] - tree.start_ns[drawn], paths.count)
    self_ns = _sums(of_span, tree.self_ns[drawn], paths.count)
    errors = np.bincount(of_span[tree.status[drawn] == _ERROR], minlength=paths.count)
    kept = _largest(paths, total_ns, frames_max)
    number_of = {path: number for number, path in enumerate(kept.tolist())}
    frames = tuple(
        Frame(
            number=number,
            parent=number_of.get(int(paths.parent[path])),
            depth=int(paths.depth[path]),
            service=tree.services[paths.service[path]].decode("utf-8", "replace"),
            operation=tree.operations[paths.operation[path]].decode("utf-8", "replace"),
            spans=int(spans[path]),
            errors=int(errors[path]),
            total_ns=int(total_ns[path]),
            self_ns=int(self_ns[path]),
        )
        for path, number in number_of.items()
    )
    return FlameGraph(
        frames=frames,
        frames_left_out=paths.count - len(frames),
        spans_left_out=len(tree) - sum(frame.spans for frame in frames),
    )


@dataclass(frozen=True, slots=True)
class _Paths:
    """Hold the paths of a tree, level by level; `of_span` is -1 for spans that lie too deep."""

    of_span: _Numbers
    parent: _Numbers
    depth: _Numbers
    service: _Numbers
    operation: _Numbers

    @property
    def count(self) -> int:
        return len(self.parent)


def _paths(tree: TraceTree) -> _Paths:
    order = np.argsort(tree.depth, kind="stable")
    ends = np.cumsum(np.bincount(tree.depth)[:DEPTH_MAX])
    of_span = np.full(len(tree), -1, np.int64)
    levels: list[_Numbers] = []
    services, operations = len(tree.services), len(tree.operations)
    known = begin = 0
    for depth, end in enumerate(ends.tolist()):
        level = order[begin:end]
        above = tree.parent[level]
        path_above = np.where(above >= 0, of_span[above], -1)
        # One number instead of three, which sort twenty times as fast; words and paths together stay far below 2^63.
        step = ((path_above + 1) * services + tree.service[level]) * operations + tree.operation[level]
        steps, inverse = np.unique(step, return_inverse=True)
        found = np.stack([steps // operations // services - 1, steps // operations % services, steps % operations])
        of_span[level] = known + inverse
        levels.append(np.concatenate([found, np.full((1, len(steps)), depth)]))
        known, begin = known + len(steps), end
    parent, service, operation, depths = np.concatenate(levels, axis=1)
    return _Paths(of_span, parent, depths, service, operation)


def _largest(paths: _Paths, total_ns: _Numbers, frames_max: int) -> _Numbers:
    """Return the paths with the most time in them or below them, in their order."""
    if paths.count <= frames_max:
        return np.arange(paths.count)
    reach = total_ns.copy()
    for depth in range(int(paths.depth.max()), 0, -1):
        level = np.flatnonzero(paths.depth == depth)
        np.maximum.at(reach, paths.parent[level], reach[level])
    # What is above has as much, and comes first where it has the same.
    kept: _Numbers = np.sort(np.lexsort((np.arange(paths.count), -reach))[:frames_max])
    return kept


def _sums(groups: _Numbers, values: _Numbers, count: int) -> _Numbers:
    sums = np.zeros(count, np.int64)
    np.add.at(sums, groups, values)
    return sums
