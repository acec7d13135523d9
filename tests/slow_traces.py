"""Traces by hand: the slow and obvious way to say what `query.forest` says of many at once. They share no code."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

import pyarrow as pa

SERVER, CLIENT, PRODUCER, CONSUMER = 2, 3, 4, 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """Hold what a sender said of a span."""

    trace: int
    span: int
    parent: int
    start_ns: int
    duration_ns: int
    service: str = "shop"
    name: str = "work"
    kind: int = 1
    status: int = 0
    weight: float = 1.0
    attributes: tuple[tuple[str, str], ...] = ()


@dataclass(slots=True, eq=False)
class Node:
    """Hold a span with its place in the tree."""

    row: int
    said: Said
    parent: "Node | None" = None
    children: list["Node"] = field(default_factory=list)
    is_orphan: bool = False
    is_cut: bool = False
    moved_ns: int = 0
    self_ns: int = 0
    is_on_path: bool = False
    begins_path: bool = False

    @property
    def start(self) -> int:
        """Return when it began by its root's clock."""
        return self.said.start_ns + self.moved_ns

    @property
    def end(self) -> int:
        """Return when it ended by its root's clock."""
        return self.start + max(0, self.said.duration_ns)

    @property
    def depth(self) -> int:
        """Return how many spans lie above it."""
        return 0 if self.parent is None else self.parent.depth + 1


def table(spans: Sequence[Said]) -> pa.Table:
    """Return spans as the store would give them."""
    return pa.table(
        {
            "trace_id": pa.array([span.trace.to_bytes(16) for span in spans], pa.binary(16)),
            "span_id": pa.array([span.span.to_bytes(8) for span in spans], pa.binary(8)),
            "parent_span_id": pa.array([span.parent.to_bytes(8) for span in spans], pa.binary(8)),
            "start_ns": pa.array([span.start_ns for span in spans], pa.int64()),
            "duration_ns": pa.array([span.duration_ns for span in spans], pa.int64()),
            "service": pa.array([span.service.encode() for span in spans], pa.binary()),
            "name": pa.array([span.name.encode() for span in spans], pa.binary()),
            "kind": pa.array([span.kind for span in spans], pa.int32()),
            "status_code": pa.array([span.status for span in spans], pa.int32()),
            "weight": pa.array([span.weight for span in spans], pa.float64()),
            "source": pa.array([0 for _ in spans], pa.uint64()),
        }
    )


def trees(spans: Iterable[Said]) -> list[Node]:
    """Return each span once, with parents found, rings cut, clocks corrected and the critical paths walked."""
    nodes = _related(spans)
    for node in nodes:
        if node.parent is None:
            _correct(node)
    for node in nodes:
        if not _is_awaited(node):
            node.begins_path = True
            _hold(node, node.start, node.end)
    return nodes


def _related(spans: Iterable[Said]) -> list[Node]:
    nodes: dict[tuple[int, int], Node] = {}
    for row, span in enumerate(spans):
        known = nodes.get((span.trace, span.span))
        if known is None or span.start_ns < known.said.start_ns:
            nodes[span.trace, span.span] = Node(row, span)
    for node in nodes.values():
        if node.said.parent:
            node.parent = nodes.get((node.said.trace, node.said.parent))
            node.is_orphan = node.parent is None
    _cut_rings(nodes.values())
    for node in nodes.values():
        if node.parent is not None:
            node.parent.children.append(node)
    return sorted(nodes.values(), key=lambda node: node.row)


def _cut_rings(nodes: Iterable[Node]) -> None:
    for node in nodes:
        seen: list[Node] = []
        at: Node | None = node
        while at is not None and at not in seen:
            seen.append(at)
            at = at.parent
        if at is not None:
            ring = seen[seen.index(at) :]
            first = min(ring, key=lambda one: (one.said.start_ns, one.row))
            first.parent = None
            first.is_cut = True


def _is_call(node: Node) -> bool:
    return node.parent is not None and node.said.kind == SERVER and node.parent.said.kind == CLIENT


def _correct(node: Node) -> None:
    parent = node.parent
    if parent is not None:
        is_message = node.said.kind == CONSUMER and parent.said.kind == PRODUCER
        if _is_call(node) or is_message or node.said.service != parent.said.service:
            spare = (parent.end - parent.start) - max(0, node.said.duration_ns)
            if _is_call(node) and spare >= 0:
                if node.start < parent.start or node.end > parent.end:
                    node.moved_ns = parent.start + spare // 2 - node.said.start_ns
            elif node.start < parent.start:
                node.moved_ns = parent.start - node.said.start_ns
        else:
            node.moved_ns = parent.moved_ns
    for child in node.children:
        _correct(child)


def _is_awaited(node: Node) -> bool:
    return node.parent is not None and (_is_call(node) or node.end <= node.parent.end)


def _hold(node: Node, low: int, high: int) -> None:
    """Go from the end of a span to its start, through the children that held it up."""
    node.is_on_path = True
    awaited = [child for child in node.children if _is_awaited(child)]
    parts = [(max(low, min(child.start, high)), min(child.end, high), child) for child in awaited]
    parts = [part for part in parts if part[1] > part[0]]
    at = high
    while True:
        ended = [part for part in parts if part[1] <= at]
        if not ended:
            break
        begin, end, child = max(ended, key=lambda part: (part[1], -part[0], -part[2].row))
        node.self_ns += at - end
        _hold(child, begin, end)
        at = begin
    node.self_ns += at - low
