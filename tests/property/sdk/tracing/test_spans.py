from collections.abc import Callable
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.sampling import ALWAYS_ON
from opentelemetry.trace import Span, SpanContext, Status, StatusCode, TraceFlags

from homeostat.tracing.queries import visible_query, visible_url
from tests.recorded_spans import Recorder, provider_with

PLAIN = st.one_of(st.text(max_size=5), st.integers(), st.floats(allow_nan=False), st.booleans(), st.binary(max_size=5))
VALUES = st.one_of(
    PLAIN,
    st.lists(PLAIN, max_size=3),
    st.tuples(PLAIN, PLAIN),
    st.dictionaries(st.text(min_size=1, max_size=3), PLAIN, max_size=2),
)
NAMES = st.sampled_from(["a", "b", "c", "http.route"])
ATTRIBUTES = st.dictionaries(NAMES, VALUES, max_size=3)
LINKED = st.builds(
    lambda number: SpanContext(number, number, is_remote=True, trace_flags=TraceFlags(1)), st.integers(0, 5)
)

Operation = Callable[[Span], Any]
OPERATIONS = st.lists(
    st.one_of(
        st.builds(lambda name, value: lambda span: span.set_attribute(name, value), NAMES, VALUES),
        st.builds(lambda attributes: lambda span: span.set_attributes(attributes), ATTRIBUTES),
        st.builds(lambda name, said: lambda span: span.add_event(name, said, 5), NAMES, ATTRIBUTES),
        st.builds(lambda context, said: lambda span: span.add_link(context, said), LINKED, ATTRIBUTES),
        st.builds(lambda name: lambda span: span.update_name(name), NAMES),
        st.builds(lambda code: lambda span: span.set_status(Status(code)), st.sampled_from(StatusCode)),
        st.builds(lambda code: lambda span: span.set_status(code), st.sampled_from(StatusCode)),
        st.just(lambda span: span.end(9)),
    ),
    max_size=12,
)


def said(span: ReadableSpan) -> tuple[object, ...]:
    """Return everything about a span but its identifiers."""
    return (
        span.name,
        dict(span.attributes or {}),
        [(event.name, event.timestamp, dict(event.attributes or {})) for event in span.events],
        [(link.context, dict(link.attributes or {})) for link in span.links],
        span.status.status_code,
        (span.start_time, span.end_time),
        (span.dropped_attributes, span.dropped_events, span.dropped_links),
    )


@given(ATTRIBUTES, OPERATIONS)
def test_a_span_is_what_the_sdk_would_make_of_it(attributes: dict[str, Any], operations: list[Operation]) -> None:
    """Whatever is done to a span, in whatever order, ours says the same as OpenTelemetry's."""
    recorder, official = Recorder(), Recorder()
    theirs = TracerProvider(sampler=ALWAYS_ON, shutdown_on_exit=False)
    theirs.add_span_processor(official)
    for provider in (provider_with(recorder), theirs):
        span = provider.get_tracer("scope").start_span("work", attributes=attributes, start_time=1)
        for operation in operations:
            operation(span)
        span.end(9)
    assert said(recorder.only()) == said(official.only())


@given(st.text(max_size=50))
def test_any_query_and_url_can_be_made_visible(text: str) -> None:
    """Whatever a caller sends in place of a query or an address, hiding secrets in it does not fail or add anything."""
    assert visible_query(text).count("&") == text.count("&")
    assert isinstance(visible_url(text), str)
