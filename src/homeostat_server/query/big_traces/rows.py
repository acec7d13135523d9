"""The rows of a trace's tree that can be seen, and a window of them: what a screen shows while somebody scrolls."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from homeostat_server.exceptions import InvalidRequest
from homeostat_server.query.big_traces.structure import TraceTree

ROWS_MAX: Final = 1_000
TOGGLED_MAX: Final = 1_000
"""Spans that somebody opened or closed by hand."""

DEPTH_MAX: Final = 2**31 - 1


@dataclass(frozen=True, slots=True, kw_only=True)
class View:
    """Hold which spans show what they called.

    Attributes:
        depth: those less deep than this do (roots: 0).
        opened: ids of spans that do, however deep they are.
        closed: ids of spans that do not.
        root: id of the span below which to look; None for the whole trace.
        show: id of a span that is to be seen: all above it are open.
    """

    depth: int = DEPTH_MAX
    opened: Sequence[bytes] = ()
    closed: Sequence[bytes] = ()
    root: bytes | None = None
    show: bytes | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SpanRow:
    """Hold what a row shows of a span.

    Attributes:
        span_id: 16 hexadecimal digits.
        parent_span_id: of its parent when that is here, else None.
        offset_ns: from the start of the trace to its start.
        self_ns: its duration without the time in which a child of it ran.
        children: spans that it called.
        descendants: spans below it.
        errors: spans that failed, below it or itself.
        is_open: whether its children are rows too.
        is_orphan: its parent is said and is not here.
    """

    span_id: str
    parent_span_id: str | None
    depth: int
    service: str
    operation: str
    kind: int
    status: int
    offset_ns: int
    duration_ns: int
    self_ns: int
    children: int
    descendants: int
    errors: int
    is_open: bool
    is_orphan: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Rows:
    """Hold a window of the rows that can be seen: how many there are, where the window begins, where `show` is."""

    rows: tuple[SpanRow, ...]
    total: int
    offset: int
    shown: int | None


def visible_rows(tree: TraceTree, view: View, *, offset: int, rows_max: int) -> Rows:
    """Return a window of the rows that can be seen, each span before what it called.

    With a span to show, the window is the one of this size in which it is, and `offset` is not looked at.

    Raises:
        InvalidRequest: a span that is named is not in the trace.
    """
    is_open = _open(tree, view)
    seen = _seen(tree, view, is_open)
    shown = None
    if view.show is not None:
        shown = int(np.searchsorted(seen, _position(tree, view.show)))
        if shown >= len(seen) or seen[shown] != _position(tree, view.show):
            raise InvalidRequest("show a span", value=view.show.hex(), hint="It is not below the root that is named.")
        offset = shown // rows_max * rows_max
    window = seen[offset : offset + rows_max]
    return Rows(rows=_rows(tree, window, is_open), total=len(seen), offset=offset, shown=shown)


def rows_of(tree: TraceTree, positions: Iterable[int]) -> tuple[SpanRow, ...]:
    """Return closed rows of some spans."""
    return _rows(tree, np.fromiter(positions, np.int64), np.zeros(len(tree), dtype=bool))


def _open(tree: TraceTree, view: View) -> npt.NDArray[np.bool_]:
    is_open: npt.NDArray[np.bool_] = tree.depth < view.depth
    is_open[[_position(tree, span_id) for span_id in view.opened]] = True
    is_open[[_position(tree, span_id) for span_id in view.closed]] = False
    if view.show is not None:
        above = int(tree.parent[_position(tree, view.show)])
        while above >= 0:
            is_open[above] = True
            above = int(tree.parent[above])
    is_open &= tree.size > 1
    return is_open


def _seen(tree: TraceTree, view: View, is_open: npt.NDArray[np.bool_]) -> npt.NDArray[np.int64]:
    """Return the positions of the spans of which everything above is open."""
    begin, end = 0, len(tree)
    if view.root is not None:
        begin = _position(tree, view.root)
        end = begin + int(tree.size[begin])
    size = tree.size[begin:end]
    closed = np.flatnonzero(~is_open[begin:end] & (size > 1))
    # Subtrees are stretches: +1 where a closed one begins, -1 behind its end.
    hidden = np.zeros(end - begin + 1, np.int32)
    np.add.at(hidden, closed + 1, 1)
    np.subtract.at(hidden, closed + size[closed], 1)
    seen: npt.NDArray[np.int64] = np.flatnonzero(np.cumsum(hidden[:-1]) == 0) + begin
    return seen


def _position(tree: TraceTree, span_id: bytes) -> int:
    position = tree.position_of(span_id)
    if position is None:
        raise InvalidRequest("find a span in the trace", value=span_id.hex(), hint="Name a span of this trace.")
    return position


def _rows(tree: TraceTree, window: npt.NDArray[np.int64], is_open: npt.NDArray[np.bool_]) -> tuple[SpanRow, ...]:
    begin_ns = int(tree.start_ns.min())
    return tuple(
        SpanRow(
            span_id=tree.span_ids[at].tobytes().hex(),
            parent_span_id=None if tree.parent[at] < 0 else tree.span_ids[tree.parent[at]].tobytes().hex(),
            depth=int(tree.depth[at]),
            service=tree.services[tree.service[at]].decode("utf-8", "replace"),
            operation=tree.operations[tree.operation[at]].decode("utf-8", "replace"),
            kind=int(tree.kind[at]),
            status=int(tree.status[at]),
            offset_ns=int(tree.start_ns[at]) - begin_ns,
            duration_ns=int(tree.end_ns[at] - tree.start_ns[at]),
            self_ns=int(tree.self_ns[at]),
            children=int(tree.children[at]),
            descendants=int(tree.size[at]) - 1,
            errors=int(tree.errors_before[at + tree.size[at]] - tree.errors_before[at]),
            is_open=bool(is_open[at]),
            is_orphan=bool(tree.is_orphan[at]),
        )
        for at in window.tolist()
    )
