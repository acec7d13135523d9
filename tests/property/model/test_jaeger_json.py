"""OTLP → Jaeger's JSON → OTLP keeps what Jaeger's format can hold."""

import math

import orjson
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue
from opentelemetry.proto.trace.v1.trace_pb2 import ResourceSpans, Span, TracesData

from homeostat_server.exceptions import InvalidRequest
from homeostat_server.model.jaeger_json import REFERENCE_TYPE, JaegerTraceWriter, plain
from homeostat_server.model.jaeger_otlp import from_jaeger_json
from tests import otlp_strategies as made

DERIVED = {
    "span.kind",
    "otel.status_code",
    "otel.status_description",
    "error",
    "w3c.tracestate",
    "otel.scope.name",
    "otel.scope.version",
    "otel.library.name",
    "otel.library.version",
    "event",
}


def through_jaeger(data: TracesData) -> TracesData:
    """Return what is left of spans that went through a file of Jaeger's."""
    writer = JaegerTraceWriter()
    spans = writer.spans(data)
    trace = {"traceID": "", "spans": spans, "processes": writer.processes()}
    return from_jaeger_json(orjson.loads(orjson.dumps({"data": [trace]})))


def held(data: TracesData) -> list[object]:
    """Return what Jaeger's format can hold of spans, in an order that does not depend on their grouping."""
    found = [
        (_resource(block), scoped.scope.name, scoped.scope.version, *_span(span))
        for block in data.resource_spans
        for scoped in block.scope_spans
        for span in scoped.spans
    ]
    return sorted(found, key=repr)


def _resource(block: ResourceSpans) -> object:
    service = [_text(item.value) for item in block.resource.attributes if item.key == "service.name"]
    return service[-1:], _attributes(item for item in block.resource.attributes if item.key != "service.name")


def _span(span: Span) -> tuple[object, ...]:
    start_us = span.start_time_unix_nano // 1_000
    duration_us = max(0, span.end_time_unix_nano - span.start_time_unix_nano) // 1_000
    return (
        span.trace_id,
        span.span_id,
        span.parent_span_id,
        span.name,
        span.kind if 1 <= span.kind <= 5 else 0,
        (span.status.code, span.status.message, span.trace_state),
        (start_us, duration_us),
        _attributes(span.attributes),
        [(event.time_unix_nano // 1_000, event.name, _attributes(event.attributes)) for event in span.events],
        [(link.trace_id, link.span_id) for link in span.links],
    )


def _attributes(attributes: object) -> list[object]:
    return [(item.key, *_typed(item.value)) for item in attributes]  # type: ignore[attr-defined]


def _typed(value: AnyValue) -> tuple[str, object]:
    member = value.WhichOneof("value")
    if member in (None, "array_value", "kvlist_value"):
        return "string_value", _text(value)
    number = getattr(value, member)
    is_nan = isinstance(number, float) and math.isnan(number)
    return member, "NaN" if is_nan else number


def _text(value: AnyValue) -> str:
    member = value.WhichOneof("value")
    if member == "string_value":
        return value.string_value
    return "" if member is None else orjson.dumps(plain(value), option=orjson.OPT_SORT_KEYS).decode()


def without_what_collides(data: TracesData) -> TracesData:
    """Return spans without attributes that are called like what Jaeger derives, and with text as service."""
    for block in data.resource_spans:
        for item in block.resource.attributes:
            if item.key == "service.name" and item.value.WhichOneof("value") != "string_value":
                item.key = "service"
        for span in (span for scoped in block.scope_spans for span in scoped.spans):
            holders: list[Span | Span.Event | Span.Link] = [span, *span.events, *span.links]
            for holder in holders:
                kept = [item for item in holder.attributes if item.key not in DERIVED | {REFERENCE_TYPE}]
                del holder.attributes[:]
                holder.attributes.extend(kept)
    return data


BLOCKS = made.TRACE_IDS.flatmap(made.trace_blocks).map(without_what_collides)


@settings(max_examples=60, suppress_health_check=[HealthCheck.too_slow])
@given(BLOCKS)
def test_the_way_through_jaeger_keeps_what_its_format_holds(data: TracesData) -> None:
    """Names, ids, kinds, states, microseconds, typed values, events and links come back, however often they go."""
    once = through_jaeger(data)
    assert held(once) == held(data)
    assert held(through_jaeger(once)) == held(data)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                ["data", "spans", "processes", "traceID", "spanID", "tags", "key", "type", "value", "logs"]
            ),
            inner,
            max_size=4,
        )
    ),
    max_leaves=12,
)


@given(JSON)
def test_whatever_is_no_trace_of_jaeger_is_refused(document: object) -> None:
    """Nothing but an invalid request comes of a document that is something else."""
    try:
        from_jaeger_json(document)
    except InvalidRequest as error:
        assert error.attempted.startswith("read ")


def span_document(**changes: object) -> dict[str, object]:
    """Return a document with one good span of Jaeger's, changed."""
    span: dict[str, object] = {
        "traceID": "463ac35c9f6413ad",
        "spanID": "a2fb4a1d1a96d312",
        "operationName": "tick",
        "startTime": 1_767_225_780_000_000,
        "duration": 750,
        "processID": "p1",
    }
    return {"spans": [span | changes], "processes": {"p1": {"serviceName": "mailer"}}}


def test_a_trace_id_of_64_bits_is_one_of_128() -> None:
    """Jaeger leaves out the upper half of an id where it is zero."""
    [block] = from_jaeger_json(span_document()).resource_spans
    assert block.scope_spans[0].spans[0].trace_id.hex() == "0000000000000000463ac35c9f6413ad"


def test_an_error_of_opentracing_is_the_status_of_the_span() -> None:
    """The tag `error` alone was all that OpenTracing had."""
    document = span_document(tags=[{"key": "error", "type": "bool", "value": True}])
    span = from_jaeger_json(document).resource_spans[0].scope_spans[0].spans[0]
    assert (span.status.code, list(span.attributes)) == (2, [])


def test_a_second_parent_is_a_link_that_says_so() -> None:
    """A span has one parent; the reference of OpenTracing that cannot be it is kept as a link, its kind beside it."""
    references = [
        {"refType": "CHILD_OF", "traceID": "463ac35c9f6413ad", "spanID": f"{number:016x}"} for number in (1, 2)
    ]
    document = span_document(references=references)
    span = from_jaeger_json(document).resource_spans[0].scope_spans[0].spans[0]
    assert span.parent_span_id == (1).to_bytes(8, "big")
    assert [link.span_id for link in span.links] == [(2).to_bytes(8, "big")]
    assert list(span.links[0].attributes) == [KeyValue(key=REFERENCE_TYPE, value=AnyValue(string_value="child_of"))]


@pytest.mark.parametrize(
    "change",
    [
        {"startTime": -1},
        {"startTime": 2**62},
        {"duration": "long"},
        {"traceID": "x"},
        {"spanID": "1" * 17},
        {"processID": "p2"},
        {"operationName": None},
        {"tags": [{"key": "n", "type": "int64", "value": "many"}]},
        {"tags": [{"key": "n", "type": "int64", "value": 2**70}]},
        {"tags": [{"key": "b", "type": "binary", "value": "???"}]},
        {"tags": [{"key": "b", "type": ["list"], "value": "a"}]},
        {"tags": [{"type": "string", "value": "a"}]},
        {"logs": [{"timestamp": None}]},
        {"references": [{"refType": "CHILD_OF"}]},
    ],
)
def test_a_span_that_cannot_be_read_is_refused_and_named(change: dict[str, object]) -> None:
    """The error says which span of which trace it is about."""
    with pytest.raises(InvalidRequest) as caught:
        from_jaeger_json(span_document(**change))
    assert "trace 0" in caught.value.attempted
    assert "span 0" in caught.value.attempted
