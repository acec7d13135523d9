"""Records: the round of log bodies that belongs to a round of traces.

Invariant: a correlated record names a span of the forest and lies inside it in time; as many records as spans a round.
"""

import random
from collections.abc import Callable
from typing import Final

import numpy as np
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.logs.v1.logs_pb2 import LogRecord

from benchmarks.realistic import attributes, sentences, values, vocabulary
from benchmarks.realistic.bodies import Batch, Draft, Style, by_instance_and_scope, compile_drafts, gather
from benchmarks.realistic.fleet import Instance, resource
from benchmarks.realistic.landscape import Kind
from benchmarks.realistic.slots import Sections, Sentinels, Table
from benchmarks.realistic.spans import SCHEMA_URL, Forest, identity, random_columns, round_times
from benchmarks.realistic.trees import Node

VARINT_KEYS: Final = {"app.duration_us": True, "thread.id": False}
"""Durations hardly ever repeat; threads do."""
_UNCORRELATED: Final = 0.06
_STRUCTURED: Final = 0.12
_FAILED_LOUDNESS: Final = 6.0
_ANY_VARINT: Final = 1_000
_QUIET: Final = frozenset({Kind.HTTP_CLIENT, Kind.RPC_CLIENT, Kind.SQL, Kind.CACHE})


class LogRound:
    """Be the log bodies of a round, to be stamped with the values of any number of rounds."""

    def __init__(self, forest: Forest, *, items_per_body: int, style: Style) -> None:
        """Write and compile the bodies."""
        self._forest = forest
        source = random.Random(f"records/{forest.seed}/{forest.shape.spans}")
        self._spans = _speakers(forest, source)
        self._places = np.array([source.random() for _ in self._spans])
        nodes = [forest.nodes[span] for span in self._spans]
        instances = [node.instance for node in nodes]
        scopes = [_logger_of(node) for node in nodes]
        writer = _Writer(forest, self._spans, source)
        arrival = [float(span) for span in self._spans]
        members = gather(instances, arrival, items_per_body=items_per_body, style=style)
        drafts = [writer.draft(by_instance_and_scope(body, instances, scopes)) for body in members]
        self._sizes = {section: writer.sentinels.taken(section) for section in "RGD"}
        traces, count = forest.shape.traces, len(self._spans)
        sizes = {"T": traces, "U": traces, "S": forest.shape.spans, "L": count, "M": count, "N": traces, "O": traces}
        self.batch: Batch = compile_drafts(drafts, Sections.of(sizes | self._sizes), VARINT_KEYS)

    @property
    def items(self) -> int:
        """Return the records of a round."""
        return len(self._spans)

    def table(self, *, seed: int, round_number: int, start_ns: int, window_ns: int) -> Table:
        """Return the values of a round whose traces start within the window."""
        names = identity(self._forest, seed=seed, round_number=round_number)
        when = round_times(self._forest, seed=seed, round_number=round_number, start_ns=start_ns, window_ns=window_ns)
        source = values.generator(seed=seed, round_number=round_number, purpose=4)
        spread = (when.ends - when.starts)[self._spans]
        said = when.starts[self._spans] + (spread * self._places).astype(np.int64)
        observed = said + source.integers(2_000, 3_000_000, len(said))
        columns = [names.trace_high, names.trace_low, names.spans, values.integers(said), values.integers(observed)]
        columns += [names.users, names.orders]
        columns += list(random_columns(source, self._sizes["R"], self._sizes["G"], self._sizes["D"]))
        return Table(np.concatenate(columns), values.varints(source, self.batch.counters))


def _speakers(forest: Forest, source: random.Random) -> list[int]:
    """Return the span of each record, in order; as many records as spans."""
    weights = [
        sentences.LOUDNESS[node.operation.kind] + (_FAILED_LOUDNESS if node.failed else 0.0) for node in forest.nodes
    ]
    return sorted(source.choices(range(len(forest.nodes)), weights, k=len(forest.nodes)))


def _logger_of(node: Node) -> tuple[str, str]:
    module = node.operation.service.name.replace("-", "_")
    layer = "api" if node.operation.kind in (Kind.HTTP_SERVER, Kind.RPC_SERVER) else node.operation.kind.value
    return f"shop.{module}.{layer}", ""


class _Writer:
    """Write records as messages with sentinels in their slots."""

    def __init__(self, forest: Forest, spans: list[int], source: random.Random) -> None:
        self.sentinels = Sentinels()
        self._forest = forest
        self._spans = spans
        self._random = source
        self._trace_of = forest.shape.trace_of.tolist()

    def draft(self, groups: dict[Instance, dict[tuple[str, str], list[int]]]) -> Draft:
        before = self.sentinels.written
        request = ExportLogsServiceRequest()
        items = 0
        for instance, scopes in groups.items():
            block = request.resource_logs.add(schema_url=SCHEMA_URL)
            block.resource.CopyFrom(resource(instance))
            for (name, _), members in scopes.items():
                scope_logs = block.scope_logs.add()
                scope_logs.scope.name = name
                for number in members:
                    self._write(scope_logs.log_records.add(), number)
                items += len(members)
        return Draft(request.SerializeToString(), items, self.sentinels.written - before)

    def _write(self, record: LogRecord, number: int) -> None:
        span = self._spans[number]
        node, trace = self._forest.nodes[span], self._trace_of[span]
        marks = self.sentinels
        record.time_unix_nano = marks.fixed("L", number)
        record.observed_time_unix_nano = marks.fixed("M", number)
        scene = attributes.Scene(trace, self._random, marks)
        if self._random.random() < _UNCORRELATED:
            severity, sentence = sentences.INFO, self._random.choice(sentences.BACKGROUND)
        else:
            record.trace_id = marks.raw("T", trace) + marks.raw("U", trace)
            record.span_id = marks.raw("S", span)
            record.flags = 1
            severity, sentence = self._speech(node)
        record.severity_number, record.severity_text = severity
        self._say(record, sentence, node, scene)
        attributes.fill(record.attributes.add, self._attributes(node, scene))

    def _speech(self, node: Node) -> tuple[sentences.Severity, str]:
        """Choose how loudly and what a span says."""
        chance = self._random.random()
        if node.failed and chance < 0.7:  # the rest of a failing span's records are ordinary
            return (sentences.FATAL if chance < 0.01 else sentences.ERROR), self._random.choice(sentences.FAILED)
        if chance < 0.06:  # a usual share of warnings
            return sentences.WARN, self._random.choice(sentences.WARNINGS)
        quiet = node.operation.kind in _QUIET
        return (sentences.DEBUG if quiet else sentences.INFO), vocabulary.skewed(
            self._random, sentences.BY_KIND[node.operation.kind]
        )

    def _say(self, record: LogRecord, sentence: str, node: Node, scene: attributes.Scene) -> None:
        if self._random.random() < _STRUCTURED:
            record.event_name = f"{node.operation.service.name}.{node.operation.kind.value}"
            attributes.set_value(record.body, self._structure(node, scene))
        else:
            record.body.string_value = sentence.format(**self._words(sentence, node, scene))

    def _words(self, sentence: str, node: Node, scene: attributes.Scene) -> dict[str, object]:
        """Return the facts a sentence mentions, and no others: a sentinel taken must be written."""
        source = self._random
        makers: dict[str, Callable[[], object]] = {
            "user": scene.user,
            "order": scene.order,
            "number": scene.number,
            "word": lambda: scene.hexadecimal(1),
            "sku": lambda: vocabulary.sku(source),
            "peer": lambda: (node.target or node.operation).service.name,
            "table": lambda: node.operation.subject,
            "operation": lambda: node.operation.name,
            "state": lambda: vocabulary.skewed(source, sentences.STATES),
            "status": lambda: 500 if node.failed else 200,
            "count": lambda: 1 + vocabulary.rank(source, 100),
        }
        return {name: make() for name, make in makers.items() if f"{{{name}}}" in sentence}

    def _structure(self, node: Node, scene: attributes.Scene) -> dict[str, attributes.Scalar]:
        return {
            "event": node.operation.name,
            "user": scene.user(),
            "order": scene.order(),
            "amount": scene.amount(),
            "currency": vocabulary.skewed(self._random, vocabulary.CURRENCIES),
            "items": 1 + vocabulary.rank(self._random, 30),
            "express": self._random.random() < 0.2,  # one in five is in a hurry
        }

    def _attributes(self, node: Node, scene: attributes.Scene) -> attributes.Attributes:
        module = node.operation.service.name.replace("-", "_")
        facts: attributes.Attributes = {
            "code.file.path": f"/app/{module}/{node.operation.kind.value}.py",
            "code.function.name": f"{module}.{node.operation.kind.value}.handle",
            "code.line.number": 20 + vocabulary.rank(self._random, 300),
            "thread.id": _ANY_VARINT,
        }
        choices: tuple[tuple[float, str, Callable[[], attributes.Value]], ...] = (
            (0.4, "app.duration_us", lambda: _ANY_VARINT),
            (0.4, "user.id", scene.user),
            (0.2, "app.order.id", scene.order),
            (0.3, "app.customer.tier", lambda: vocabulary.skewed(self._random, vocabulary.TIERS)),
            (0.2, "app.country", lambda: vocabulary.skewed(self._random, vocabulary.COUNTRIES)),
        )
        for chance, key, value in choices:
            if self._random.random() < chance:
                facts[key] = value()
        if node.failed and self._random.random() < 0.5:  # half are logged with the exception
            kind, template = self._random.choice(vocabulary.METHODS_OF_FAILURE)
            message = template.format(ms=self._random.randrange(50, 30_000), peer=module, port=8080)
            trace = vocabulary.stack_trace(self._random, module, "handle", failure=f"{kind}: {message}")
            facts |= {"exception.type": kind, "exception.message": message, "exception.stacktrace": trace}
        return facts
