"""Trees: which spans a round of traces has, how they hang together, fail and follow each other in time.

Invariant: knows no ids, no absolute times and no wire format. A child lies inside its parent, except a consumer, which
starts after the producer that is its parent (or, in a trace of its own, the one it links to) has ended.
"""

import math
import random
from collections import deque
from dataclasses import dataclass, field
from typing import Final

from benchmarks.realistic.fleet import Instance, instances_of
from benchmarks.realistic.landscape import Endpoint, Kind, Landscape, Operation, Service, Step

SPANS_MIN: Final = 5
SPANS_MAX: Final = 80
ERROR_SHARE: Final = 0.01
_SIZE_MEDIAN: Final = 15.0
_SIZE_SIGMA: Final = 0.75
_SPREAD_UP: Final = 0.8
"""Chance that a caller fails with its callee; the others fall back or retry."""
_OWN_TRACE: Final = 0.5
"""Share of messages whose consumer starts a trace of its own with a link, as batch consumers do."""
_PARALLEL: Final = 0.25
_MS: Final = 1_000_000.0


@dataclass
class Node:
    """Hold one span while its trace grows; times are nanoseconds after the trace's start."""

    operation: Operation
    instance: Instance
    parent: int
    children: list[int] = field(default_factory=list)
    failed: bool = False
    origin: bool = False
    """True where the failure began."""
    start_ns: float = 0.0
    duration_ns: float = 0.0
    target: Operation | None = None
    """For a call, the operation called, whether or not it has a span."""


@dataclass
class Trace:
    """Hold one trace; the root is node 0 and a parent comes before its children."""

    root: Endpoint
    nodes: list[Node]
    first: int
    """Index of node 0 in the round."""
    link: int = -1
    """Index in the round of the producer span that the root links to, or -1."""


class Grower:
    """Grow the traces of one round, seeded; traces refer to producers of earlier ones."""

    def __init__(self, landscape: Landscape, *, seed: int, spans: int) -> None:
        """Prepare to grow exactly `spans` spans."""
        self._landscape = landscape
        self._random = random.Random(f"trees/{seed}/{spans}")
        self._wanted = spans
        self._weights = [1.0 / (1 + rank) ** 0.8 for rank in range(len(landscape.roots))]
        self._pending: deque[tuple[Endpoint, int]] = deque(maxlen=1000)
        self._grown = 0
        self._failed = 0

    def grow(self) -> list[Trace]:
        """Return traces that together have exactly the spans wanted."""
        traces: list[Trace] = []
        while self._grown < self._wanted:
            trace = self._trace(self._size())
            self._grown += len(trace.nodes)
            traces.append(trace)
        return traces

    def _size(self) -> int:
        """Draw a tree size, skewed to small; the last trace of a round takes what is left."""
        left = self._wanted - self._grown
        size = round(self._random.lognormvariate(math.log(_SIZE_MEDIAN), _SIZE_SIGMA))
        size = min(max(size, SPANS_MIN), SPANS_MAX)
        if left - size >= SPANS_MIN:
            return size
        return left if left <= SPANS_MAX else left // 2

    def _trace(self, size: int) -> Trace:
        root, link = self._root()
        nodes = _Tree(self._random, self._landscape, root, size).nodes
        trace = Trace(root, nodes, self._grown, link)
        self._fail(trace)
        _lay_out(nodes, self._random)
        for position, node in enumerate(nodes):
            if node.operation.kind is Kind.PRODUCER and link < 0 and self._random.random() < _OWN_TRACE:
                endpoints = self._landscape.consumers[node.operation.subject]
                self._pending.append((self._random.choice(endpoints), self._grown + position))
        return trace

    def _root(self) -> tuple[Endpoint, int]:
        if self._pending and self._random.random() < 0.2:  # one trace in five at most is a consumer's
            return self._pending.popleft()
        return self._random.choices(self._landscape.roots, self._weights)[0], -1

    def _fail(self, trace: Trace) -> None:
        """Fail one leaf and callers above it, often enough that the share of failed spans stays as wanted."""
        allowed = ERROR_SHARE * (self._grown + len(trace.nodes))
        if self._failed >= allowed or self._random.random() > 0.3:  # spreads failures out
            return
        leaves = [index for index, node in enumerate(trace.nodes) if not node.children]
        position = self._random.choice(leaves)
        trace.nodes[position].origin = True
        while position >= 0:
            trace.nodes[position].failed = True
            self._failed += 1
            kind = trace.nodes[position].operation.kind
            if kind is Kind.CONSUMER or self._random.random() > _SPREAD_UP:
                return
            position = trace.nodes[position].parent


class _Tree:
    """Grow one tree from an endpoint, breadth first, to an exact size."""

    def __init__(self, source: random.Random, landscape: Landscape, root: Endpoint, size: int) -> None:
        self._random = source
        self._landscape = landscape
        self._instances: dict[str, Instance] = {}
        self._size = size
        self.nodes: list[Node] = []
        entries = [(self._add(root.operation, -1), root)]
        frontier = deque(entries)
        while len(self.nodes) < size:
            # A loop of a handler (one call an item of a cart) is what makes big traces big.
            again = not frontier
            position, endpoint = source.choice(entries) if again else frontier.popleft()
            for step in endpoint.steps:
                if len(self.nodes) < size and source.random() < step.probability:
                    entries.extend(added := self._take(step, position))
                    frontier.extend(added)

    def _take(self, step: Step, position: int) -> list[tuple[int, Endpoint]]:
        """Add the spans of one step; return the entries of other services that it reached."""
        client = self._add(step.operation, position)
        if step.operation.kind is Kind.PRODUCER:
            return self._deliver(step.operation, client)
        if step.target is None:
            return []
        self.nodes[client].target = step.target.operation
        if len(self.nodes) >= self._size:
            return []
        return [(self._add(step.target.operation, client), step.target)]

    def _deliver(self, operation: Operation, producer: int) -> list[tuple[int, Endpoint]]:
        if len(self.nodes) >= self._size or self._random.random() < _OWN_TRACE:
            return []
        endpoint = self._random.choice(self._landscape.consumers[operation.subject])
        return [(self._add(endpoint.operation, producer), endpoint)]

    def _add(self, operation: Operation, parent: int) -> int:
        self.nodes.append(Node(operation, self._instance(operation.service), parent))
        index = len(self.nodes) - 1
        if parent >= 0:
            self.nodes[parent].children.append(index)
        return index

    def _instance(self, service: Service) -> Instance:
        """Return the instance that serves this trace; one a service, as with sticky load balancing."""
        if service.name not in self._instances:
            ordinal = int(instances_of(service) * self._random.random() ** 1.2)
            self._instances[service.name] = Instance(service, ordinal)
        return self._instances[service.name]


def _lay_out(nodes: list[Node], source: random.Random) -> None:
    """Give every node a start and a duration: own time lognormal by operation, children in turn or side by side."""
    parallel = [source.random() < _PARALLEL for _ in nodes]
    for index in range(len(nodes) - 1, -1, -1):
        node = nodes[index]
        own = source.lognormvariate(math.log(node.operation.median_ms), node.operation.sigma) * _MS + 2_000
        inner = [nodes[child].duration_ns for child in _awaited(nodes, node)]
        node.duration_ns = own + (max(inner, default=0.0) if parallel[index] else sum(inner))
        node.start_ns = own
    own_times = [node.start_ns for node in nodes]
    nodes[0].start_ns = 0.0
    for index, node in enumerate(nodes):
        _place_children(nodes, node, own_times[index], side_by_side=parallel[index])
        _place_consumers(nodes, node, source)


def _awaited(nodes: list[Node], node: Node) -> list[int]:
    return [child for child in node.children if nodes[child].operation.kind is not Kind.CONSUMER]


def _place_children(nodes: list[Node], node: Node, own_ns: float, *, side_by_side: bool) -> None:
    children = _awaited(nodes, node)
    gap = own_ns / (len(children) + 1)
    cursor = node.start_ns
    for rank, child in enumerate(children):
        # Side by side, the k-th child starts k hundredths of a gap later: within the time the parent has.
        nodes[child].start_ns = cursor + (gap * (1 + rank / 100) / 2 if side_by_side else gap)
        cursor = cursor if side_by_side else nodes[child].start_ns + nodes[child].duration_ns


def _place_consumers(nodes: list[Node], node: Node, source: random.Random) -> None:
    for child in node.children:
        if nodes[child].operation.kind is Kind.CONSUMER:
            lag = source.lognormvariate(math.log(8.0), 0.8) * _MS
            nodes[child].start_ns = node.start_ns + node.duration_ns + lag
