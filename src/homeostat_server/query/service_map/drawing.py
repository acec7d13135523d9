"""The service map of a window, from the summaries of its buckets. It knows no store.

Invariant: both ends of every edge are nodes of the map.
"""

from dataclasses import dataclass
from typing import Final, NamedTuple

import numpy as np
import pyarrow as pa

from homeostat_server.query.service_map.figures import NONE, Figures, figures
from homeostat_server.query.summaries.form import EDGES, NODES
from homeostat_server.query.summaries.grouping import Groups, group
from homeostat_server.query.summaries.merging import LEVELS, Words, histograms, numbers, reals, total, words
from homeostat_server.query.summaries.peers import SERVICE
from homeostat_server.query.window import Window

COLUMNS: Final = (
    *NODES,
    *EDGES,
    "clock_service",
    "clock_spans",
    "spans",
    "child_spans",
    "child_spans_seen",
    "repeated",
    "rings",
    "left_out",
)
"""What a map is drawn from."""

EDGES_MAX: Final = 5_000
"""Of one map, the busiest; more than anybody looks at, and some megabytes of JSON."""


class NodeName(NamedTuple):
    """Hold what a node is known by."""

    kind: str
    name: str


class EdgeName(NamedTuple):
    """Hold what an edge is known by."""

    caller: NodeName
    callee: NodeName
    is_async: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Node:
    """Hold a node.

    Attributes:
        name: its kind and name.
        calls_are: "entry" when the figures are of spans of the kinds SERVER and CONSUMER, "all" when they are of all
            spans because a service has none of these kinds, "incoming" when they are of the calls into a node that
            sends no telemetry itself.
        figures: what they were like.
    """

    name: NodeName
    calls_are: str
    figures: Figures


@dataclass(frozen=True, slots=True, kw_only=True)
class Edge:
    """Hold an edge and what its calls were like."""

    name: EdgeName
    figures: Figures


@dataclass(frozen=True, slots=True, kw_only=True)
class Basis:
    """Hold what a map stands on.

    Attributes:
        spans: how many began in the window.
        child_spans: how many of them name a parent.
        parents_seen: the share of these whose parent is there; 1 without any.
        repeated: rows that said a span again.
        rings: spans whose parents went round in a ring, which was cut there.
        left_out: spans of traces that are too large to be summed up.
        moved: services whose clocks were corrected, and by how many calls that was seen.
        edges_left_out: edges beyond the busiest.
    """

    spans: int
    child_spans: int
    parents_seen: float
    repeated: int
    rings: int
    left_out: int
    moved: dict[str, float]
    edges_left_out: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceMap:
    """Hold a map: nodes by kind and name, edges by caller and callee."""

    window: Window
    nodes: tuple[Node, ...]
    edges: tuple[Edge, ...]
    basis: Basis


@dataclass(frozen=True, slots=True)
class _Ends:
    """Hold the nodes of all edges by number."""

    names: tuple[NodeName, ...]
    caller: np.ndarray
    callee: np.ndarray


def draw(table: pa.Table, *, window: Window) -> ServiceMap:
    """Return the map of a window, given the rows of its summaries with `COLUMNS`."""
    ends = _ends(table)
    edges, left_out = _edges(table, ends, window)
    nodes = {**_services(table, window), **_others(table, ends, window)}
    for edge in edges:
        for name in (edge.name.caller, edge.name.callee):
            # A caller whose own span began before the window has no span in it.
            nodes.setdefault(name, Node(name=name, calls_are="all", figures=NONE))
    return ServiceMap(
        window=window,
        nodes=tuple(nodes[name] for name in sorted(nodes)),
        edges=edges,
        basis=_basis(table, left_out),
    )


def _ends(table: pa.Table) -> _Ends:
    numbers_of: dict[NodeName, int] = {}
    ends = []
    for end in ("caller", "callee"):
        kinds, names = words(table, f"edge_{end}_kind"), words(table, f"edge_{end}")
        pairs = group(kinds.codes, names.codes)
        number = [
            numbers_of.setdefault(NodeName(_text(kinds[row]), _text(names[row])), len(numbers_of))
            for row in pairs.first.tolist()
        ]
        ends.append(np.array(number, np.int64)[pairs.of] if number else np.empty(0, np.int64))
    return _Ends(tuple(numbers_of), *ends)


def _edges(table: pa.Table, ends: _Ends, window: Window) -> tuple[tuple[Edge, ...], int]:
    is_async = numbers(table, "edge_async")
    groups = group(ends.caller, ends.callee, is_async)
    found = _figures(table, "edge", groups, window)
    busiest = np.lexsort((np.arange(len(groups)), -np.array([one.calls for one in found])))[:EDGES_MAX]
    edges = []
    for number in busiest.tolist():
        row = int(groups.first[number])
        name = EdgeName(ends.names[ends.caller[row]], ends.names[ends.callee[row]], bool(is_async[row]))
        edges.append(Edge(name=name, figures=found[number]))
    return tuple(sorted(edges, key=lambda edge: edge.name)), len(groups) - len(edges)


def _services(table: pa.Table, window: Window) -> dict[NodeName, Node]:
    services, entry = words(table, "node_service"), numbers(table, "node_entry")
    groups = group(services.codes, entry)
    found = _figures(table, "node", groups, window)
    nodes: dict[NodeName, Node] = {}
    # Entry spans come after the others of their service and take their place.
    for number in np.argsort(entry[groups.first], kind="stable").tolist():
        row = int(groups.first[number])
        name = NodeName(SERVICE.decode(), _text(services[row]))
        nodes[name] = Node(name=name, calls_are="entry" if entry[row] else "all", figures=found[number])
    return nodes


def _others(table: pa.Table, ends: _Ends, window: Window) -> dict[NodeName, Node]:
    """Return the nodes that send no telemetry themselves, with the figures of what is sent to them."""
    silent = np.array([name.kind != SERVICE.decode() for name in ends.names], dtype=bool)
    if not silent.any():
        return {}
    into = silent[ends.callee]
    rows = np.flatnonzero(into)
    groups = group(ends.callee[rows])
    entries = np.full(len(into), -1)
    entries[rows] = groups.of
    calls, errors = groups.sum(reals(table, "edge_calls")[rows]), groups.sum(reals(table, "edge_errors")[rows])
    quantiles = histograms(table, "edge", of=entries, groups=len(groups)).quantiles(LEVELS)
    nodes = {}
    for number, row in enumerate(rows[groups.first].tolist()):
        name = ends.names[ends.callee[row]]
        found = figures(
            float(calls[number]), float(errors[number]), quantiles[number].tolist(), duration_s=window.duration_s
        )
        nodes[name] = Node(name=name, calls_are="incoming", figures=found)
    # A queue that is only read from has no calls into it.
    for name in ends.names:
        if name.kind != SERVICE.decode():
            nodes.setdefault(name, Node(name=name, calls_are="incoming", figures=NONE))
    return nodes


def _figures(table: pa.Table, name: str, groups: Groups, window: Window) -> list[Figures]:
    calls, errors = groups.sum(reals(table, f"{name}_calls")), groups.sum(reals(table, f"{name}_errors"))
    quantiles = histograms(table, name, of=groups.of, groups=len(groups)).quantiles(LEVELS)
    return [
        figures(float(calls[number]), float(errors[number]), row, duration_s=window.duration_s)
        for number, row in enumerate(quantiles.tolist())
    ]


def _basis(table: pa.Table, edges_left_out: int) -> Basis:
    child_spans = total(table, "child_spans")
    clocks = words(table, "clock_service")
    groups = group(clocks.codes)
    return Basis(
        spans=round(total(table, "spans")),
        child_spans=round(child_spans),
        parents_seen=total(table, "child_spans_seen") / child_spans if child_spans else 1.0,
        repeated=round(total(table, "repeated")),
        rings=round(total(table, "rings")),
        left_out=round(total(table, "left_out")),
        moved=_moved(clocks, groups, groups.sum(reals(table, "clock_spans"))),
        edges_left_out=edges_left_out,
    )


def _moved(clocks: Words, groups: Groups, spans: np.ndarray) -> dict[str, float]:
    named = {_text(clocks[row]): float(spans[number]) for number, row in enumerate(groups.first.tolist())}
    return dict(sorted(named.items()))


def _text(word: bytes) -> str:
    return word.decode("utf-8", "replace")
