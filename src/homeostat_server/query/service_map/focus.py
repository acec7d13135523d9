"""The part of a map around one service, and what changed between two maps. It draws none."""

from collections import defaultdict
from dataclasses import dataclass, replace
from typing import Final

from homeostat_server.query.service_map.drawing import Edge, EdgeName, Node, NodeName, ServiceMap
from homeostat_server.query.service_map.figures import NONE, Figures
from homeostat_server.query.summaries.peers import SERVICE

DEPTH_MAX: Final = 10


def around(drawn: ServiceMap, service: str, *, depth: int) -> ServiceMap:
    """Return the nodes at most so many calls away from a service, in whichever direction, and the edges among them."""
    neighbours: dict[NodeName, set[NodeName]] = defaultdict(set)
    for edge in drawn.edges:
        neighbours[edge.name.caller].add(edge.name.callee)
        neighbours[edge.name.callee].add(edge.name.caller)
    centre = NodeName(SERVICE.decode(), service)
    kept = edge_of_kept = {centre}
    for _ in range(depth):
        edge_of_kept = {name for node in edge_of_kept for name in neighbours[node]} - kept
        kept = kept | edge_of_kept
    return replace(
        drawn,
        nodes=tuple(node for node in drawn.nodes if node.name in kept),
        edges=tuple(edge for edge in drawn.edges if edge.name.caller in kept and edge.name.callee in kept),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """Hold what a node or an edge was like before: its figures, and whether it came or went ("new", "gone", "")."""

    before: Figures
    came: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ComparedMap:
    """Hold a map with what was before: what is gone is in it, with no calls."""

    now: ServiceMap
    before: ServiceMap
    nodes: dict[NodeName, Change]
    edges: dict[EdgeName, Change]


def compare(now: ServiceMap, before: ServiceMap) -> ComparedMap:
    """Return what changed from one map to another."""
    nodes_now, nodes_before = {node.name: node for node in now.nodes}, {node.name: node for node in before.nodes}
    edges_now, edges_before = {edge.name: edge for edge in now.edges}, {edge.name: edge for edge in before.edges}
    gone_nodes = [
        Node(name=node.name, calls_are=node.calls_are, figures=NONE)
        for node in before.nodes
        if node.name not in nodes_now
    ]
    gone_edges = [Edge(name=edge.name, figures=NONE) for edge in before.edges if edge.name not in edges_now]
    whole = replace(
        now,
        nodes=tuple(sorted((*now.nodes, *gone_nodes), key=lambda node: node.name)),
        edges=tuple(sorted((*now.edges, *gone_edges), key=lambda edge: edge.name)),
    )
    return ComparedMap(
        now=whole,
        before=before,
        nodes={node.name: _change(nodes_now.get(node.name), nodes_before.get(node.name)) for node in whole.nodes},
        edges={edge.name: _change(edges_now.get(edge.name), edges_before.get(edge.name)) for edge in whole.edges},
    )


def _change(now: Node | Edge | None, before: Node | Edge | None) -> Change:
    if before is None:
        return Change(before=NONE, came="new")
    return Change(before=before.figures, came="gone" if now is None else "")
