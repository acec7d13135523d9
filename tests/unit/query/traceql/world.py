"""Spans of which the tests know everything, as values of Python and as OTLP. They are told by a letter or two."""

import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import blake2b

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, ArrayValue, InstrumentationScope, KeyValue
from opentelemetry.proto.resource.v1.resource_pb2 import Resource
from opentelemetry.proto.trace.v1.trace_pb2 import Span, Status

from tests import otlp
from tests.otlp import NOW_NS

MS = 1_000_000
BEGIN_NS = NOW_NS - 120_000 * MS

Attributes = Mapping[str, object]


@dataclass(frozen=True, kw_only=True)
class Event:
    """Hold an event of a span; `after_ms` of its start."""

    name: str
    after_ms: int
    attributes: Attributes = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Link:
    """Hold a link of a span."""

    trace: str
    span: str
    attributes: Attributes = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Known:
    """Hold a span; `at_ms` is its start after the begin of the world."""

    label: str
    trace: str
    parent: str = ""
    name: str = "work"
    service: str = "shop"
    kind: int = 1
    status: int = 0
    status_message: str = ""
    at_ms: int = 0
    duration_ms: float = 1.0
    attributes: Attributes = field(default_factory=dict)
    resource: Attributes = field(default_factory=dict)
    scope: tuple[str, str] = ("", "")
    events: Sequence[Event] = ()
    links: Sequence[Link] = ()
    trace_state: str = ""

    @property
    def start_ns(self) -> int:
        """Return when it starts."""
        return BEGIN_NS + self.at_ms * MS

    @property
    def duration_ns(self) -> int:
        """Return how long it takes."""
        return round(self.duration_ms * MS)


def trace_id(trace: str) -> bytes:
    """Return the id of a trace by its label."""
    return blake2b(trace.encode(), digest_size=16).digest()


def span_id(label: str) -> bytes:
    """Return the id of a span by its label; no label is no id."""
    return blake2b(label.encode(), digest_size=8).digest() if label else b""


def any_value(value: object) -> AnyValue:
    """Return a value as OTLP says it."""
    if isinstance(value, bool):
        return AnyValue(bool_value=value)
    if isinstance(value, int):
        return AnyValue(int_value=value)
    if isinstance(value, float):
        return AnyValue(double_value=value)
    if isinstance(value, list):
        return AnyValue(array_value=ArrayValue(values=[any_value(item) for item in value]))
    return AnyValue(string_value=str(value))


def _pairs(attributes: Attributes) -> list[KeyValue]:
    return [KeyValue(key=key, value=any_value(value)) for key, value in attributes.items()]


def request(span: Known) -> ExportTraceServiceRequest:
    """Return a request with one span."""
    message = Span(
        trace_id=trace_id(span.trace),
        span_id=span_id(span.label),
        parent_span_id=span_id(span.parent),
        name=span.name,
        kind=span.kind,  # type: ignore[arg-type] # the number of an enum
        status=Status(code=span.status, message=span.status_message),  # type: ignore[arg-type] # as above
        start_time_unix_nano=span.start_ns,
        end_time_unix_nano=span.start_ns + span.duration_ns,
        attributes=_pairs(span.attributes),
        trace_state=span.trace_state,
        events=[
            Span.Event(
                name=event.name,
                time_unix_nano=span.start_ns + event.after_ms * MS,
                attributes=_pairs(event.attributes),
            )
            for event in span.events
        ],
        links=[
            Span.Link(trace_id=trace_id(link.trace), span_id=span_id(link.span), attributes=_pairs(link.attributes))
            for link in span.links
        ],
    )
    resource = Resource(
        attributes=_pairs({"service.name": span.service, **span.resource} if span.service else span.resource)
    )
    return otlp.traces(
        message, resource=resource, scope=InstrumentationScope(name=span.scope[0], version=span.scope[1])
    )


PROD = {"service.version": "1.2", "deployment.environment": "prod", "host.cpus": 4}
TEST = {"service.version": "2.0", "deployment.environment": "test", "host.cpus": 8, "host.name": "h2"}

WORLD = (
    # A request through three services; the payment fails.
    Known(
        label="a",
        trace="T1",
        name="GET /cart",
        kind=2,
        status=1,
        duration_ms=100,
        resource=PROD,
        scope=("web", "1"),
        attributes={"http.request.method": "GET", "http.response.status_code": 200, "user": "ann", "cached": False},
    ),
    Known(
        label="b",
        trace="T1",
        parent="a",
        name="POST",
        kind=3,
        at_ms=10,
        duration_ms=50,
        resource=PROD,
        attributes={"http.method": "POST", "retry": True, "amount": 12.5, "user": "ann", "a b": 1},
    ),
    Known(
        label="c",
        trace="T1",
        parent="b",
        service="pay",
        name="POST /pay",
        kind=2,
        status=2,
        at_ms=15,
        status_message="card declined",
        duration_ms=40,
        resource=TEST,
        attributes={"http.response.status_code": 500, "amount": 12.5, "limit": 12},
        events=[
            Event(name="exception", after_ms=2, attributes={"exception.type": "Declined", "code": 7}),
            Event(name="retry", after_ms=30, attributes={"code": 9}),
        ],
    ),
    Known(
        label="d",
        trace="T1",
        parent="c",
        service="pay",
        name="check",
        at_ms=20,
        duration_ms=5,
        resource=TEST,
        attributes={"code": 200, "note": "a.c"},
        links=[Link(trace="T2", span="f", attributes={"why": "again"})],
    ),
    Known(
        label="e",
        trace="T1",
        parent="a",
        service="stock",
        name="take",
        kind=5,
        at_ms=70,
        duration_ms=20,
        attributes={"code": "200", "tags": ["x", "y"], "user": "bob"},
    ),
    # One with an orphan, and no errors.
    Known(
        label="f",
        trace="T2",
        service="stock",
        name="sweep",
        at_ms=40_000,
        duration_ms=1_000,
        attributes={"items": 3, "share": 0.5},
    ),
    Known(
        label="g",
        trace="T2",
        parent="f",
        service="stock",
        name="write",
        kind=3,
        status=1,
        at_ms=40_100,
        duration_ms=300,
        attributes={"db.system": "postgresql", "items": 2},
    ),
    Known(
        label="h",
        trace="T2",
        parent="lost",
        service="audit",
        name="write",
        kind=4,
        at_ms=40_500,
        duration_ms=10,
        resource={"service.version": "1.2"},
        attributes={"db.system.name": "mysql", "items": 7},
    ),
    # A chain.
    *(
        Known(
            label=f"n{depth}",
            trace="T3",
            parent=f"n{depth - 1}" if depth > 1 else "",
            name=f"step {depth}",
            service="odd" if depth % 2 else "even",
            at_ms=60_000 + depth,
            duration_ms=20 - depth,
            attributes={"depth": depth},
            status=2 if depth == 5 else 0,
        )
        for depth in range(1, 7)
    ),
    # Brothers and sisters, two of them counted twice by sampling.
    Known(label="p", trace="T4", name="batch", service="", kind=5, at_ms=80_000, duration_ms=9),
    *(
        Known(
            label=f"q{number}",
            trace="T4",
            parent="p",
            name="item",
            service="shop",
            at_ms=80_000 + number,
            duration_ms=number,
            attributes={"n": number, "even": number % 2 == 0},
            trace_state="ot=th:8" if number < 3 else "",
        )
        for number in range(1, 5)
    ),
    # Two spans that say they are each other's parent, and one below them.
    Known(label="x", trace="T5", parent="y", name="round", at_ms=90_000),
    Known(label="y", trace="T5", parent="x", name="round", at_ms=90_001),
    Known(label="z", trace="T5", parent="y", name="below", at_ms=90_002, status=2),
    # Before the window.
    Known(label="o", trace="T6", name="GET /cart", kind=2, status=2, at_ms=-10_000_000, duration_ms=100),
)
WINDOW_NS = (BEGIN_NS - 1_000 * MS, BEGIN_NS + 120_000 * MS)


def random_world(seed: int, traces: int = 40) -> tuple[Known, ...]:
    """Return spans of traces that look alike: few names, few values, orphans, circles and duplicates among them."""
    dice = random.Random(seed)
    return tuple(span for number in range(traces) for span in _random_trace(dice, f"R{number}"))


def _random_trace(dice: random.Random, trace: str) -> Iterator[Known]:
    size = dice.randint(1, 12)
    for number in range(size):
        parent = dice.choice(["", f"{trace}.{dice.randrange(size)}", f"{trace}.{dice.randrange(number + 1)}", "lost"])
        yield Known(
            label=f"{trace}.{number}",
            trace=trace,
            parent="" if parent == f"{trace}.{number}" else parent,
            name=dice.choice(["a", "b", "c"]),
            service=dice.choice(["s", "t", ""]),
            kind=dice.randrange(6),
            status=dice.randrange(3),
            at_ms=dice.randrange(100_000),
            duration_ms=dice.choice([0, 1, 2, 5, 10]),
            attributes=_random_attributes(dice),
            resource=dice.choice([{}, {"x": 1}, {"x": "1", "env": "p"}]),
            scope=dice.choice([("", ""), ("lib", "1")]),
            events=[
                Event(name=dice.choice("ef"), after_ms=dice.randrange(3), attributes=_random_attributes(dice))
                for _ in range(dice.choice([0, 0, 1, 2]))
            ],
        )


def _random_attributes(dice: random.Random) -> dict[str, object]:
    values: list[object] = [0, 1, 2, -1, 1.0, 1.5, "1", "a", "b", "", True, False]
    return {key: dice.choice(values) for key in ("x", "y", "z") if dice.random() < 0.5}
