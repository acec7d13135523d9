from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from opentelemetry.exporter.otlp.proto.common.trace_encoder import encode_spans
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.trace import Link, SpanContext, SpanKind, StatusCode, TraceFlags, TraceState

from homeostat.testing import Spans
from homeostat.testing.platform import spans_of
from homeostat.testing.recorded import recorded
from homeostat_server.model.otlp_json import to_otlp_json
from tests.sampled_spans import Arrived, SeededIds

# A protobuf holds no surrogates, and an integer has 64 bits.
TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
KEYS = TEXTS.filter(bool)
INTEGERS = st.integers(-(2**63), 2**63 - 1)
NUMBERS = st.floats(allow_nan=False)
SINGLE = TEXTS | st.booleans() | INTEGERS | NUMBERS
VALUES = SINGLE | st.lists(TEXTS, max_size=3) | st.lists(INTEGERS, max_size=3) | st.lists(st.booleans(), max_size=3)
ATTRIBUTES = st.dictionaries(KEYS, VALUES, max_size=4)
CONTEXTS = st.builds(SpanContext, st.integers(1, 2**128 - 1), st.integers(1, 2**64 - 1), st.just(value=True))


@st.composite
def made_spans(draw: st.DrawFn) -> list[ReadableSpan]:
    """Return finished spans of one trace, each below one of those before it."""
    arrived = Arrived()
    resource = Resource({"service.name": draw(TEXTS)})
    ids = SeededIds(draw(st.integers(0, 1_000)))
    provider = TracerProvider(resource=resource, id_generator=ids, shutdown_on_exit=False)
    provider.add_span_processor(arrived)
    tracer = provider.get_tracer(draw(KEYS))
    for _ in range(draw(st.integers(1, 4))):
        links = draw(st.lists(st.builds(Link, CONTEXTS, ATTRIBUTES), max_size=2))
        started = draw(st.integers(1, 2**62))
        span = tracer.start_span(draw(TEXTS), None, draw(st.sampled_from(SpanKind)), draw(ATTRIBUTES), links, started)
        for name, attributes in draw(st.lists(st.tuples(TEXTS, ATTRIBUTES), max_size=2)):
            span.add_event(name, attributes, draw(st.integers(1, 2**62)))
        if draw(st.booleans()):
            span.set_status(StatusCode.ERROR, draw(TEXTS))
        span.end(started + draw(st.integers(0, 10**12)))
    return arrived.spans


@given(made_spans())
def test_a_span_is_the_same_captured_and_fetched(spans: list[ReadableSpan]) -> None:
    """What a platform answers for it compares equal to what a capture holds, so tests can move between the two."""
    document: dict[str, Any] = to_otlp_json(encode_spans(spans))
    fetched = spans_of(document)
    captured = Spans([recorded(span) for span in spans])
    assert {span.span_id: span for span in fetched} == {span.span_id: span for span in captured}


@given(st.integers(1, 2**128 - 1), st.integers(0, 2**56 - 1))
def test_a_tracestate_survives(trace_id: int, threshold: int) -> None:
    """A weight is the same here and there."""
    state = TraceState([("ot", f"th:{threshold:014x}"), ("vendor", "1")])
    context = SpanContext(trace_id, 1, is_remote=False, trace_flags=TraceFlags(1), trace_state=state)
    span = TracerProvider(id_generator=SeededIds(1), shutdown_on_exit=False).get_tracer("t").start_span("s")
    span._context = context  # type: ignore[attr-defined]  # the SDK has no other way to choose it
    span.end()
    [fetched] = spans_of(to_otlp_json(encode_spans([span._readable_span()])))  # type: ignore[attr-defined]  # the same
    assert fetched.trace_state == state.to_header()
    assert fetched.weight is not None
    assert fetched.weight >= 1.0
