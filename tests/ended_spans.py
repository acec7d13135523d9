"""Ended spans of every make, as Hypothesis strategies and as OpenTelemetry's own encoder says them."""

from typing import Any, Literal

from hypothesis import strategies as st
from opentelemetry.attributes import BoundedAttributes
from opentelemetry.exporter.otlp.proto.common.trace_encoder import encode_spans
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import Event, ReadableSpan
from opentelemetry.sdk.util import BoundedList
from opentelemetry.sdk.util.instrumentation import InstrumentationScope
from opentelemetry.trace import Link, SpanContext, SpanKind, Status, StatusCode, TraceFlags, TraceState

INT64 = st.integers(-(1 << 63), (1 << 63) - 1)
_NO_CHARACTERS: tuple[Literal["Cs"]] = ("Cs",)
TEXTS = st.text(st.characters(exclude_categories=_NO_CHARACTERS), max_size=150)
KEYS = st.sampled_from(["http.route", "url.path", "n", "é", "db.query.text"]) | TEXTS.filter(bool)
SCALARS = st.booleans() | INT64 | st.floats(allow_nan=False) | TEXTS | st.binary(max_size=20) | st.none()
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXTS.filter(bool), inner, max_size=4),
    max_leaves=4,
)
ATTRIBUTES = st.dictionaries(KEYS, VALUES, max_size=3)
TIMES = st.integers(0, (1 << 64) - 1)

TRACE_STATES = st.dictionaries(
    st.from_regex(r"[a-z][a-z0-9_\-*/]{0,10}", fullmatch=True),
    st.from_regex(r"[!-+\--<>-~]{1,10}", fullmatch=True),
    max_size=3,
).map(lambda entries: TraceState(list(entries.items())))

CONTEXTS = st.builds(
    SpanContext,
    st.integers(1, (1 << 128) - 1),
    st.integers(1, (1 << 64) - 1),
    st.booleans(),
    st.sampled_from([TraceFlags(0), TraceFlags(1), TraceFlags(3)]),
    TRACE_STATES,
)

RESOURCES = st.builds(Resource, ATTRIBUTES, st.sampled_from(["", "https://example.com/schema"]))
SCOPES = st.none() | st.builds(
    InstrumentationScope, TEXTS, st.none() | TEXTS, st.sampled_from([None, "", "https://example.com/s"]), ATTRIBUTES
)


@st.composite
def bounded_attributes(draw: st.DrawFn) -> Any:  # noqa: ANN401 - as spans hold them
    """Give attributes in each container that spans have, some of which had no room for all."""
    attributes = draw(ATTRIBUTES)
    if draw(st.booleans()):
        return attributes
    bounded = BoundedAttributes(128, attributes)
    bounded.dropped = draw(st.sampled_from([0, 0, 1, 300]))
    return bounded


@st.composite
def bounded_list(draw: st.DrawFn, entries: st.SearchStrategy[Any]) -> Any:  # noqa: ANN401 - as spans hold them
    """Give entries in each container that spans have, some with room for fewer."""
    drawn = draw(st.lists(entries, max_size=2))
    if draw(st.booleans()):
        return drawn
    return BoundedList.from_seq(draw(st.sampled_from([0, 1, 128])), drawn)


EVENTS = st.builds(Event, TEXTS, bounded_attributes(), TIMES)
LINKS = st.builds(Link, CONTEXTS, bounded_attributes())
STATUSES = (
    st.just(Status(StatusCode.UNSET))
    | st.just(Status(StatusCode.OK))
    | st.builds(Status, st.just(StatusCode.ERROR), st.none() | TEXTS)
)


@st.composite
def spans(draw: st.DrawFn, *, resources: list[Resource], scopes: list[InstrumentationScope | None]) -> ReadableSpan:
    """Give an ended span of one of the resources and scopes."""
    return ReadableSpan(
        name=draw(TEXTS),
        context=draw(CONTEXTS),
        parent=draw(st.none() | CONTEXTS),
        resource=draw(st.sampled_from(resources)),
        attributes=draw(bounded_attributes()),
        events=draw(bounded_list(EVENTS)),
        links=draw(bounded_list(LINKS)),
        kind=draw(st.sampled_from(SpanKind)),
        status=draw(STATUSES),
        start_time=draw(TIMES),
        end_time=draw(TIMES),
        instrumentation_scope=draw(st.sampled_from(scopes)),
    )


@st.composite
def batches(draw: st.DrawFn) -> list[ReadableSpan]:
    """Give spans of a few resources and scopes."""
    resources = draw(st.lists(RESOURCES, min_size=1, max_size=2))
    scopes = draw(st.lists(SCOPES, min_size=1, max_size=3))
    return draw(st.lists(spans(resources=resources, scopes=scopes), max_size=3))


def official(batch: list[ReadableSpan]) -> ExportTraceServiceRequest:
    """Return what OpenTelemetry's encoder makes of spans, with the trace state of links that it leaves out."""
    whole = ExportTraceServiceRequest()
    for span in batch:
        request = encode_spans([span])
        for said, link in zip(request.resource_spans[0].scope_spans[0].spans[0].links, span.links, strict=True):
            said.trace_state = ",".join(f"{key}={value}" for key, value in link.context.trace_state.items())
        whole.MergeFrom(request)
    return whole
