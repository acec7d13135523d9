"""Spans: the round of trace bodies and the values that go into their slots.

Invariant: ids follow from seed, round and position only, so other signals can name the same spans without these bodies.
"""

import random
from dataclasses import dataclass
from typing import Final

import numpy as np
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span, Status

from benchmarks.realistic import attributes, clocks, values, vocabulary
from benchmarks.realistic.bodies import Batch, Draft, Style, by_instance_and_scope, compile_drafts, gather
from benchmarks.realistic.clocks import Shape, Times
from benchmarks.realistic.fleet import Instance, resource
from benchmarks.realistic.landscape import Kind, Landscape
from benchmarks.realistic.slots import Sections, Sentinels, Table
from benchmarks.realistic.trees import Grower, Node, Trace

TRACE_HIGH, TRACE_LOW, SPAN, RANDOM = range(4)
"""Domains of ids."""

SCHEMA_URL: Final = "https://opentelemetry.io/schemas/1.37.0"
_KINDS: Final = {
    Kind.HTTP_SERVER: Span.SPAN_KIND_SERVER,
    Kind.RPC_SERVER: Span.SPAN_KIND_SERVER,
    Kind.HTTP_CLIENT: Span.SPAN_KIND_CLIENT,
    Kind.RPC_CLIENT: Span.SPAN_KIND_CLIENT,
    Kind.SQL: Span.SPAN_KIND_CLIENT,
    Kind.CACHE: Span.SPAN_KIND_CLIENT,
    Kind.PRODUCER: Span.SPAN_KIND_PRODUCER,
    Kind.CONSUMER: Span.SPAN_KIND_CONSUMER,
    Kind.INTERNAL: Span.SPAN_KIND_INTERNAL,
}
_SAMPLED: Final = 0x101
"""Trace flags of a sampled span, with the bit that says whether the parent is remote being known (and local)."""


@dataclass(frozen=True)
class Forest:
    """Hold the traces of a round, as trees and as columns."""

    seed: int
    traces: tuple[Trace, ...]
    nodes: tuple[Node, ...]
    shape: Shape

    @classmethod
    def grown(cls, landscape: Landscape, *, seed: int, spans: int) -> "Forest":
        """Grow a forest of exactly `spans` spans."""
        traces = tuple(Grower(landscape, seed=seed, spans=spans).grow())
        nodes = tuple(node for trace in traces for node in trace.nodes)
        return cls(seed, traces, nodes, clocks.shape_of(list(traces)))


@dataclass(frozen=True)
class Identity:
    """Hold the ids and users of one round, as words for slots."""

    trace_high: values.Words
    trace_low: values.Words
    spans: values.Words
    users: values.Words
    orders: values.Words


def identity(forest: Forest, *, seed: int, round_number: int) -> Identity:
    """Return the ids of a round; equal for all signals."""
    traces = np.arange(forest.shape.traces)
    high, low, spans = (
        values.identities(domain, seed=seed, round_number=round_number, index=index)
        for domain, index in ((TRACE_HIGH, traces), (TRACE_LOW, traces), (SPAN, np.arange(forest.shape.spans)))
    )
    users = values.users(values.generator(seed=seed, round_number=round_number, purpose=1), len(traces))
    # Mixed ids modulo 10^8 repeat now and then; the round and position never do, and a reader wants unlike digits.
    orders = values.digits(high >> np.uint64(8))
    return Identity(high, low, spans, values.digits(users), orders)


def round_times(forest: Forest, *, seed: int, round_number: int, start_ns: int, window_ns: int) -> Times:
    """Return the times of a round; equal for all signals."""
    source = values.generator(seed=seed, round_number=round_number, purpose=2)
    return clocks.times(forest.shape, source, start_ns=start_ns, window_ns=window_ns)


class SpanRound:
    """Be the trace bodies of a round, to be stamped with the values of any number of rounds."""

    def __init__(self, forest: Forest, *, items_per_body: int, style: Style) -> None:
        """Write and compile the bodies."""
        self._forest = forest
        writer = _Writer(forest)
        nodes = forest.nodes
        instances = [node.instance for node in nodes]
        scopes = [attributes.scope_of(node.operation) for node in nodes]
        members = gather(instances, writer.arrival(), items_per_body=items_per_body, style=style)
        drafts = [writer.draft(by_instance_and_scope(body, instances, scopes)) for body in members]
        self._event_spans = np.array(writer.event_spans, np.int64)
        self._event_places = np.array(writer.event_places, np.float64)
        self._sizes = {section: writer.sentinels.taken(section) for section in "RGD"}
        shape = forest.shape
        sizes = {"T": shape.traces, "U": shape.traces, "S": shape.spans, "A": shape.spans, "Z": shape.spans}
        sizes |= {"E": len(writer.event_spans), "N": shape.traces, "O": shape.traces} | self._sizes
        self.batch: Batch = compile_drafts(drafts, Sections.of(sizes), attributes.VARINT_KEYS)

    @property
    def items(self) -> int:
        """Return the spans of a round."""
        return self._forest.shape.spans

    def table(self, *, seed: int, round_number: int, start_ns: int, window_ns: int) -> Table:
        """Return the values of a round whose traces start within the window."""
        names = identity(self._forest, seed=seed, round_number=round_number)
        when = round_times(self._forest, seed=seed, round_number=round_number, start_ns=start_ns, window_ns=window_ns)
        source = values.generator(seed=seed, round_number=round_number, purpose=3)
        spread = when.ends[self._event_spans] - when.starts[self._event_spans]
        events = when.starts[self._event_spans] + (spread * self._event_places).astype(np.int64)
        columns = [names.trace_high, names.trace_low, names.spans, values.integers(when.starts)]
        columns += [values.integers(when.ends), values.integers(events), names.users, names.orders]
        columns += list(random_columns(source, self._sizes["R"], self._sizes["G"], self._sizes["D"]))
        return Table(np.concatenate(columns), values.varints(source, self.batch.counters))


def random_columns(source: np.random.Generator, words: int, numbers: int, amounts: int) -> tuple[values.Words, ...]:
    """Return random hexadecimal words, eight-digit numbers and amounts of money."""
    return (
        values.hexadecimal(source.integers(0, 2**32, words, np.uint64)),
        values.digits(source.integers(0, 10**8, numbers, np.uint64)),
        values.doubles(np.asarray(np.round(np.exp(3.5 + 0.9 * source.standard_normal(amounts)), 2), np.float64)),
    )


class _Writer:
    """Write spans as messages with sentinels in their slots."""

    def __init__(self, forest: Forest) -> None:
        self.sentinels = Sentinels()
        self.event_spans: list[int] = []
        self.event_places: list[float] = []
        self._forest = forest
        self._trace_of = forest.shape.trace_of.tolist()
        self._parent = forest.shape.parent.tolist()
        self._random = random.Random(f"spans/{forest.seed}/{forest.shape.spans}")

    def arrival(self) -> list[float]:
        """Return when each span ends, in shares of a round and nanoseconds that keep neighbours apart."""
        # A trace takes tens of milliseconds and a round's traces are spread over minutes: order by trace, then end.
        longest = max(node.start_ns + node.duration_ns for node in self._forest.nodes) + 1.0
        return [
            self._trace_of[number] + (node.start_ns + node.duration_ns) / longest
            for number, node in enumerate(self._forest.nodes)
        ]

    def draft(self, groups: dict[Instance, dict[tuple[str, str], list[int]]]) -> Draft:
        before = self.sentinels.written
        request = ExportTraceServiceRequest()
        items = 0
        for instance, scopes in groups.items():
            block = request.resource_spans.add(schema_url=SCHEMA_URL)
            block.resource.CopyFrom(resource(instance))
            for (name, version), members in scopes.items():
                scope_spans = block.scope_spans.add()
                scope_spans.scope.name, scope_spans.scope.version = name, version
                for number in members:
                    self._write(scope_spans.spans.add(), number)
                items += len(members)
        return Draft(request.SerializeToString(), items, self.sentinels.written - before)

    def _write(self, span: Span, number: int) -> None:
        node, trace = self._forest.nodes[number], self._trace_of[number]
        marks = self.sentinels
        span.trace_id = marks.raw("T", trace) + marks.raw("U", trace)
        span.span_id = marks.raw("S", number)
        if self._parent[number] >= 0:
            span.parent_span_id = marks.raw("S", self._parent[number])
        span.name = node.operation.name
        span.kind = _KINDS[node.operation.kind]
        span.start_time_unix_nano = marks.fixed("A", number)
        span.end_time_unix_nano = marks.fixed("Z", number)
        span.flags = _SAMPLED
        scene = attributes.Scene(trace, self._random, marks)
        attributes.fill(span.attributes.add, attributes.of_node(node, scene))
        self._add_link(span, number)
        self._add_failure(span, number, node)
        self._add_note(span, number)

    def _add_link(self, span: Span, number: int) -> None:
        trace = self._forest.traces[self._trace_of[number]]
        if trace.first != number or trace.link < 0:
            return
        linked = self._trace_of[trace.link]
        link = span.links.add(flags=_SAMPLED)
        link.trace_id = self.sentinels.raw("T", linked) + self.sentinels.raw("U", linked)
        link.span_id = self.sentinels.raw("S", trace.link)
        link.attributes.add(key="messaging.operation.name").value.string_value = "send"

    def _add_failure(self, span: Span, number: int, node: Node) -> None:
        if not node.failed:
            return
        kind, template = self._random.choice(vocabulary.METHODS_OF_FAILURE)
        message = template.format(ms=self._random.randrange(50, 30_000), peer=node.operation.service.name, port=8080)
        span.status.code = Status.STATUS_CODE_ERROR
        if node.origin or self._random.random() < 0.5:  # callers often record what they caught
            span.status.message = message
            module = node.operation.service.name.replace("-", "_")
            function = node.operation.kind.value
            trace = vocabulary.stack_trace(self._random, module, function, failure=f"{kind}: {message}")
            event: attributes.Attributes = {"exception.type": kind, "exception.message": message}
            event |= {"exception.stacktrace": trace, "exception.escaped": not node.origin}
            self._add_event(span, number, event, name="exception", place=0.97)

    def _add_note(self, span: Span, number: int) -> None:
        """Add an ordinary event to a few spans."""
        if self._random.random() < 0.03:  # most instrumentations make none
            name = self._random.choice(("cache.miss", "retry", "lock.acquired", "message.sent"))
            note: attributes.Attributes = {"attempt": self._random.randrange(1, 4), "worker": f"w{number % 16}"}
            self._add_event(span, number, note, name=name, place=self._random.random())

    def _add_event(self, span: Span, number: int, facts: attributes.Attributes, *, name: str, place: float) -> None:
        event = span.events.add(name=name)
        event.time_unix_nano = self.sentinels.fixed("E", len(self.event_spans))
        self.event_spans.append(number)
        self.event_places.append(place)
        attributes.fill(event.attributes.add, facts)
