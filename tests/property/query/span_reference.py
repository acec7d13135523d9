"""Spans from a small world, and what lists and figures of them should say, worked out slowly and obviously."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from hypothesis import strategies as st
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue
from opentelemetry.proto.resource.v1.resource_pb2 import Resource

from homeostat_server.query.attributes.conditions import AttributeCondition, AttributeScope, Operator
from homeostat_server.query.search.filters import SpanFilter, SpanKind, SpanStatus
from homeostat_server.query.search.sql import TraceOrder
from homeostat_server.query.window import Window
from tests import otlp

BEGIN_NS = otlp.NOW_NS
END_NS = BEGIN_NS + 2_000 * 10**9


@dataclass(frozen=True, slots=True)
class Seen:
    """Hold the span fields that lists and figures look at."""

    trace: int
    number: int
    parent: int
    service: str
    name: str
    kind: int
    status: int
    start_ns: int
    duration_ns: int
    tag: str = ""
    event: str = ""
    linked: int = 0

    @property
    def trace_id(self) -> str:
        """Return the trace's id in hexadecimal."""
        return f"{self.trace + 1:032x}"

    @property
    def span_id(self) -> bytes:
        """Return the span's id."""
        return (self.number + 1).to_bytes(8)

    @property
    def took_ns(self) -> int:
        """Return the duration, never below 0."""
        return max(self.duration_ns, 0)


# Whole seconds, so that moments collide and fall on the edges of slices and buckets.
MOMENTS = st.one_of(
    st.integers(0, 5).map(lambda s: BEGIN_NS + s * 10**9),
    st.integers(0, 1_999).map(lambda s: BEGIN_NS + s * 10**9),
    st.just(END_NS - 1),
)
WORLD = st.lists(
    st.builds(
        Seen,
        trace=st.integers(0, 5),
        number=st.integers(0, 3),
        parent=st.integers(0, 2),
        service=st.sampled_from(["", "cart", "shop"]),
        name=st.sampled_from(["GET /", "SELECT"]),
        kind=st.integers(0, 6),
        status=st.integers(0, 2),
        start_ns=MOMENTS,
        duration_ns=st.one_of(st.integers(-5, 5), st.integers(0, 2 * 10**9)),
        tag=st.sampled_from(["", "1", "2"]),
        event=st.sampled_from(["", "exception"]),
        linked=st.integers(0, 2),
    ),
    min_size=1,
    max_size=25,
)
WINDOWS = st.one_of(
    st.just(Window(BEGIN_NS, END_NS)),
    st.tuples(MOMENTS, st.integers(1, 2_000 * 10**9)).map(lambda pair: Window(pair[0], pair[0] + pair[1])),
)
FILTERS = st.builds(
    SpanFilter,
    service=st.sampled_from([None, "", "shop"]),
    operation=st.sampled_from([None, None, "SELECT"]),
    kind=st.sampled_from([None, None, None, *SpanKind]),
    status=st.sampled_from([None, None, *SpanStatus]),
    duration_min_ns=st.sampled_from([None, None, 0, 3]),
    duration_max_ns=st.sampled_from([None, None, 10**9]),
    attributes=st.one_of(
        st.just(()),
        st.builds(
            AttributeCondition,
            scope=st.just(AttributeScope.SPAN),
            key=st.just("tag"),
            operator=st.sampled_from([Operator.EQUAL, Operator.NOT_EQUAL]),
            value=st.sampled_from(["1", "2"]),
        ).map(lambda condition: (condition,)),
    ),
    event=st.sampled_from([None, None, None, "exception"]),
    link=st.sampled_from([None, None, None, f"{1:032x}"]),
)
ORDERS = st.sampled_from(TraceOrder)


def request(world: Iterable[Seen]) -> ExportTraceServiceRequest:
    """Return the spans as they would be sent."""
    made = ExportTraceServiceRequest()
    for seen in world:
        resource = Resource(attributes=[KeyValue(key="service.name", value=AnyValue(string_value=seen.service))])
        span = otlp.span(
            trace_id=bytes.fromhex(seen.trace_id),
            span_id=seen.span_id,
            parent_span_id=seen.parent.to_bytes(8) if seen.parent else b"",
            name=seen.name,
            kind=seen.kind,
            start_time_unix_nano=seen.start_ns,
            end_time_unix_nano=seen.start_ns + seen.duration_ns,
        )
        if seen.tag:
            span.attributes.append(KeyValue(key="tag", value=AnyValue(string_value=seen.tag)))
        if seen.event:
            span.events.add(name=seen.event)
        if seen.linked:
            span.links.add(trace_id=seen.linked.to_bytes(16), span_id=otlp.SPAN_ID)
        span.status.code = seen.status  # type: ignore[assignment] # numbers are enums on the wire
        made.MergeFrom(otlp.traces(span, resource=resource))
    return made


def within(world: Iterable[Seen], window: Window) -> list[Seen]:
    """Return the spans that start in the window."""
    return [seen for seen in world if window.start_ns <= seen.start_ns < window.end_ns]


def fulfils(seen: Seen, conditions: SpanFilter) -> bool:
    """Say whether one span fulfils all conditions."""
    return (
        (conditions.service is None or seen.service == conditions.service)
        and (conditions.operation is None or seen.name == conditions.operation)
        and (conditions.kind is None or seen.kind == conditions.kind.code)
        and (conditions.status is None or seen.status == conditions.status.code)
        and (conditions.duration_min_ns is None or seen.duration_ns >= conditions.duration_min_ns)
        and (conditions.duration_max_ns is None or seen.duration_ns <= conditions.duration_max_ns)
        and (conditions.event is None or seen.event == conditions.event)
        and (conditions.link is None or f"{seen.linked:032x}" == conditions.link)
        and all(_tagged(seen, condition) for condition in conditions.attributes)
    )


def _tagged(seen: Seen, condition: AttributeCondition) -> bool:
    return seen.tag != "" and (seen.tag == condition.value) == (condition.operator is Operator.EQUAL)


def listed(
    world: Sequence[Seen], window: Window, conditions: SpanFilter, order: TraceOrder = TraceOrder.NEWEST
) -> list[tuple[int, str]]:
    """Return the rank and the id of each trace of the list, in the list's order."""
    within_window = within(world, window)
    matching: dict[str, list[Seen]] = defaultdict(list)
    for seen in within_window:
        if fulfils(seen, conditions):
            matching[seen.trace_id].append(seen)
    ranks = {trace_id: _rank(spans, within_window, order) for trace_id, spans in matching.items()}
    found = [(rank, trace_id) for trace_id, rank in ranks.items() if order is not TraceOrder.ERRORS or rank]
    return sorted(found, reverse=True)


def _rank(matching: Sequence[Seen], within_window: Sequence[Seen], order: TraceOrder) -> int:
    if order is TraceOrder.NEWEST:
        return max(seen.start_ns for seen in matching)
    if order is TraceOrder.SLOWEST:
        return max(seen.duration_ns for seen in matching)
    return sum(seen.status == 2 for seen in within_window if seen.trace_id == matching[0].trace_id)


def root(spans: Iterable[Seen]) -> Seen:
    """Return the first span without a parent, else the first."""
    return min(spans, key=lambda seen: (seen.parent != 0, seen.start_ns, seen.span_id))


def lower_quantile(values: Iterable[float], level: float) -> float:
    """Return the value at the rank of the level, rounded down."""
    ordered = sorted(values)
    return ordered[int(level * (len(ordered) - 1))]
