import logging

import pytest
from opentelemetry.exporter.otlp.proto.common.trace_encoder import encode_spans
from opentelemetry.sdk.trace import ReadableSpan, Span, SpanLimits
from opentelemetry.trace import INVALID_SPAN_CONTEXT, Link, SpanContext, StatusCode, TraceFlags
from opentelemetry.trace import Span as ApiSpan

from homeostat.tracing.failures import FAILURES
from homeostat.tracing.spans import LeanSpan
from tests.recorded_spans import Recorder, provider_with

OTHER = SpanContext(7, 9, is_remote=True, trace_flags=TraceFlags(1))


def started(recorder: Recorder, limits: SpanLimits | None = None) -> LeanSpan:
    """Return a span that has begun."""
    span = provider_with(recorder, limits=limits).get_tracer("test").start_span("work")
    assert isinstance(span, LeanSpan)
    return span


def test_a_span_is_what_any_library_expects() -> None:
    """A lean span is a span of the API and of the SDK, and a readable one."""
    span = started(Recorder())
    assert isinstance(span, ApiSpan)
    assert isinstance(span, Span)
    assert isinstance(span, ReadableSpan)


def test_the_official_encoder_takes_it_whole() -> None:
    """OpenTelemetry's own exporter reads name, attributes, events, links and status of a lean span."""
    recorder = Recorder()
    span = started(recorder)
    span.set_attributes({"text": "a", "number": 1, "ratio": 0.5, "yes": True, "several": ["a", "b"]})
    span.add_event("seen", {"where": "here"}, timestamp=5)
    span.add_link(OTHER, {"why": "batch"})
    span.set_status(StatusCode.ERROR, "broken")
    span.end()
    encoded = encode_spans(recorder.ended).resource_spans[0].scope_spans[0].spans[0]
    assert {one.key for one in encoded.attributes} == {"text", "number", "ratio", "yes", "several"}
    assert encoded.events[0].name == "seen"
    assert encoded.events[0].time_unix_nano == 5
    assert encoded.links[0].span_id == (9).to_bytes(8, "big")
    assert (encoded.status.message, encoded.name) == ("broken", "work")


def test_a_span_can_be_printed() -> None:
    """The SDK's JSON form of a lean span has its attributes and events."""
    recorder = Recorder()
    span = started(recorder)
    span.set_attribute("k", 1)
    span.add_event("seen")
    span.end()
    assert '"k": 1' in recorder.only().to_json()
    assert "seen" in recorder.only().to_json()


def test_only_the_first_end_counts() -> None:
    """A second end changes nothing, reaches no processor, and is told once."""
    recorder = Recorder()
    span = started(recorder)
    span.end(10)
    span.end(20)
    assert recorder.only().end_time == 10
    assert FAILURES.counts()["late end"] == 1


def test_what_comes_after_the_end_is_ignored(caplog: pytest.LogCaptureFixture) -> None:
    """Attributes, events and links of an ended span are dropped and counted; the log has one line of each."""
    recorder = Recorder()
    span = started(recorder)
    span.end()
    with caplog.at_level(logging.WARNING, logger="homeostat.tracing"):
        for _ in range(3):
            span.set_attribute("late", 1)
            span.add_event("late")
            span.add_link(OTHER)
    assert (dict(span.attributes or {}), span.events, span.links) == ({}, (), ())
    assert FAILURES.counts() == {"late attribute": 3, "late event": 3, "late link": 3}
    assert len(caplog.records) == 3


def test_attributes_have_a_bound() -> None:
    """Over the limit a new attribute is dropped and counted, and one that is there can still change."""
    recorder = Recorder()
    span = started(recorder, SpanLimits(max_span_attributes=2))
    for name, value in (("a", 1), ("b", 2), ("c", 3), ("a", 4)):
        span.set_attribute(name, value)
    span.end()
    assert dict(recorder.only().attributes or {}) == {"a": 4, "b": 2}
    assert recorder.only().dropped_attributes == 1


def test_attributes_at_the_start_have_the_same_bound() -> None:
    """What does not fit at the start is counted as dropped."""
    recorder = Recorder()
    tracer = provider_with(recorder, limits=SpanLimits(max_span_attributes=1)).get_tracer("test")
    tracer.start_span("work", attributes={"a": 1, "b": 2, "c": 3}).end()
    assert (dict(recorder.only().attributes or {}), recorder.only().dropped_attributes) == ({"a": 1}, 2)


def test_long_texts_are_cut() -> None:
    """A limit on the length of values holds for values at the start and later, without a warning for each."""
    recorder = Recorder()
    tracer = provider_with(recorder, limits=SpanLimits(max_span_attribute_length=3)).get_tracer("test")
    span = tracer.start_span("work", attributes={"first": "abcdef"})
    span.set_attribute("second", "abcdef")
    span.end()
    assert dict(recorder.only().attributes or {}) == {"first": "abc", "second": "abc"}


def test_odd_values_are_made_fit() -> None:
    """Sequences are copied, objects become text, None says nothing, and a key that is no text is dropped."""
    recorder = Recorder()
    span = started(recorder)
    several = ["a"]
    span.set_attributes({"several": several, "none": None, "object": ValueError("x"), "": 1})  # type: ignore[dict-item]
    several.append("b")
    span.end()
    assert dict(recorder.only().attributes or {}) == {"several": ("a",), "object": "x"}
    assert recorder.only().dropped_attributes == 1


def test_events_and_links_have_a_bound() -> None:
    """The SDK's limits on events, links and their attributes hold, and say how many were dropped."""
    recorder = Recorder()
    span = started(recorder, SpanLimits(max_events=1, max_links=1, max_event_attributes=1, max_link_attributes=1))
    for name in ("first", "second"):
        span.add_event(name, {"a": 1, "b": 2})
        span.add_link(OTHER, {"a": 1, "b": 2})
    span.end()
    ended = recorder.only()
    assert (len(ended.events), ended.dropped_events) == (1, 1)
    assert (len(ended.links), ended.dropped_links) == (1, 1)
    assert (ended.events[0].dropped_attributes, ended.links[0].dropped_attributes) == (1, 1)


def test_a_link_to_nothing_is_none() -> None:
    """A link without identifiers and without attributes is ignored; with attributes it is kept."""
    recorder = Recorder()
    span = started(recorder)
    span.add_link(INVALID_SPAN_CONTEXT)
    span.add_link(INVALID_SPAN_CONTEXT, {"why": "lost"})
    span.end()
    assert len(recorder.only().links) == 1


def test_ok_is_final() -> None:
    """Once a status is OK, an error does not replace it, as OpenTelemetry wants."""
    recorder = Recorder()
    span = started(recorder)
    span.set_status(StatusCode.OK)
    span.set_status(StatusCode.ERROR, "no")
    span.end()
    assert recorder.only().status.status_code is StatusCode.OK


def test_a_span_as_a_block_records_its_exception() -> None:
    """A span that is used with `with` says which exception left the block."""
    recorder = Recorder()
    with pytest.raises(KeyError), started(recorder):
        raise KeyError("k")
    ended = recorder.only()
    assert (ended.attributes or {})["error.type"] == "KeyError"
    assert ended.events[0].name == "exception"
    assert ended.status.status_code is StatusCode.ERROR


def test_a_span_as_a_block_can_be_told_to_ignore_exceptions() -> None:
    """The arguments of `start_span` that say so are honoured."""
    recorder = Recorder()
    tracer = provider_with(recorder).get_tracer("test")
    span = tracer.start_span("work", record_exception=False, set_status_on_exception=False, links=[Link(OTHER)])
    with pytest.raises(KeyError), span:
        raise KeyError("k")
    assert recorder.only().events == ()
    assert recorder.only().status.status_code is StatusCode.UNSET
    assert len(recorder.only().links) == 1


def test_exceptions_that_only_leave_are_no_errors() -> None:
    """A generator that is closed and a task that is cancelled have not failed."""
    recorder = Recorder()
    with pytest.raises(GeneratorExit), started(recorder):
        raise GeneratorExit
    assert recorder.only().status.status_code is StatusCode.UNSET


def test_an_exception_event_takes_more_attributes() -> None:
    """What a caller adds to an exception is on the event; the deprecated `exception.escaped` is not."""
    recorder = Recorder()
    span = started(recorder)
    span.record_exception(ValueError("v"), {"attempt": 2}, timestamp=3, escaped=True)
    span.end()
    event = recorder.only().events[0]
    assert event.timestamp == 3
    assert (event.attributes or {})["attempt"] == 2
    assert "exception.escaped" not in (event.attributes or {})
