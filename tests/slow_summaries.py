"""What spans come to, worked out slowly and obviously: calls between nodes, figures of services, critical paths."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from homeostat_server.query.window import Window
from tests.slow_traces import CLIENT, CONSUMER, PRODUCER, SERVER, Node

NodeKey = tuple[str, str]
EdgeKey = tuple[NodeKey, NodeKey, bool]
CACHES = {"redis", "memcached"}


@dataclass(slots=True)
class Calls:
    """Hold weighted durations and errors."""

    durations: list[tuple[int, float]] = field(default_factory=list)
    errors: float = 0.0

    def add(self, node: Node, *, failed: bool) -> None:
        """Add one call that a span stands for."""
        self.durations.append((max(0, node.said.duration_ns), node.said.weight))
        self.errors += node.said.weight if failed else 0.0

    @property
    def count(self) -> float:
        """Return how many there are."""
        return sum(weight for _, weight in self.durations)

    def quantile_ms(self, level: float) -> float:
        """Return the duration at the rank of the level, rounded down."""
        rank, running = level * (self.count - 1), 0.0
        for duration, weight in sorted(self.durations):
            running += weight
            if running > rank:
                return duration / 1e6
        return max(self.durations)[0] / 1e6


def counted(nodes: Iterable[Node], window: Window) -> list[Node]:
    """Return the spans that begin in a window by their own clocks."""
    return [node for node in nodes if window.start_ns <= node.said.start_ns < window.end_ns]


def peer(node: Node) -> NodeKey | None:
    """Return the node that a span says it has to do with."""
    said = dict(node.said.attributes)
    kind = node.said.kind
    if kind not in {CLIENT, PRODUCER, CONSUMER}:
        return None
    if "messaging.system" in said:
        words = [said["messaging.system"], said.get("messaging.destination.name", "")]
        return ("messaging", "/".join(filter(None, words)))
    if kind == CONSUMER:
        return None
    if "db.system" in said or "db.system.name" in said:
        system = said.get("db.system.name") or said.get("db.system", "")
        place = "/".join(filter(None, [said.get("server.address", ""), said.get("db.namespace", "")]))
        name = said.get("peer.service") or (f"{system}://{place}" if place else system)
        return ("cache" if system in CACHES else "database", name)
    return ("external", said.get("peer.service") or said.get("server.address") or said.get("rpc.service") or "unknown")


def _is_remote(node: Node) -> bool:
    parent = node.parent
    if parent is None:
        return False
    pair = (parent.said.kind, node.said.kind)
    return node.said.service != parent.said.service or pair in {(CLIENT, SERVER), (PRODUCER, CONSUMER)}


def edges(nodes: Sequence[Node], window: Window) -> dict[EdgeKey, Calls]:
    """Return the calls that began in a window."""
    found: dict[EdgeKey, Calls] = defaultdict(Calls)
    for node in counted(nodes, window):
        own, named, failed = ("service", node.said.service), peer(node), node.said.status == 2
        queued = named is not None and named[0] == "messaging"
        if node.parent is not None and _is_remote(node) and not (node.said.kind == CONSUMER and queued):
            above = node.parent.said
            gave_up = above.kind == CLIENT and above.status == 2
            is_async = node.said.kind == CONSUMER or above.kind == PRODUCER
            found[("service", above.service), own, is_async].add(node, failed=failed or gave_up)
        if node.said.kind == CONSUMER and queued and named is not None:
            found[named, own, True].add(node, failed=failed)
        answered = any(_is_remote(child) for child in node.children)
        if node.said.kind in {CLIENT, PRODUCER} and (queued or not answered) and named is not None:
            found[own, named, queued or node.said.kind == PRODUCER].add(node, failed=failed)
    return dict(found)


def services(nodes: Sequence[Node], window: Window) -> dict[str, Calls]:
    """Return the entry spans of each service, all its spans when it has none."""
    entry: dict[str, Calls] = defaultdict(Calls)
    every: dict[str, Calls] = defaultdict(Calls)
    for node in counted(nodes, window):
        chosen = entry if node.said.kind in {SERVER, CONSUMER} else every
        chosen[node.said.service].add(node, failed=node.said.status == 2)
    return {**every, **entry}


def self_times(nodes: Sequence[Node], window: Window) -> dict[tuple[str, str], float]:
    """Return the weighted time of each operation on the paths that began in a window, in nanoseconds."""
    begun = {id(node) for node in counted(nodes, window)}
    found: dict[tuple[str, str], float] = defaultdict(float)
    for node in nodes:
        at = node
        while not at.begins_path:
            assert at.parent is not None
            at = at.parent
        if node.is_on_path and id(at) in begun:
            found[node.said.service, node.said.name] += node.self_ns * node.said.weight
    return dict(found)
