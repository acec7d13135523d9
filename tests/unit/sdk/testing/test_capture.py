import asyncio
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib.metadata import entry_points
from typing import Final

import pytest
from opentelemetry import trace
from opentelemetry.context import Context, attach, detach
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.trace import (
    NonRecordingSpan,
    ProxyTracerProvider,
    SpanContext,
    SpanKind,
    StatusCode,
    TraceFlags,
    Tracer,
    set_span_in_context,
)

from homeostat.exceptions import ExpectationFailed
from homeostat.sampling import Sampling, SamplingConfig
from homeostat.testing import ROOT, Capture, capturing
from homeostat.testing.provider import AskingTracer
from homeostat.tracing.provider import build_provider
from tests.sampled_spans import Arrived

LIBRARY: Final[Tracer] = trace.get_tracer("library")
"""Found when the module is imported, as libraries do, before there is any provider."""


@contextmanager
def globally(provider: trace.TracerProvider) -> Iterator[None]:
    """Make a provider the process's for a while, as setting it does for good."""
    before = trace._TRACER_PROVIDER
    trace._TRACER_PROVIDER = provider
    try:
        yield
    finally:
        trace._TRACER_PROVIDER = before


def test_spans_are_captured_without_any_set_up(capture: Capture) -> None:
    """Whoever makes them; parents, attributes, status and kind are as in production."""
    with LIBRARY.start_as_current_span("outer", kind=SpanKind.SERVER):
        span = trace.get_tracer("other").start_span("inner", attributes={"a": 1})
        span.set_status(StatusCode.ERROR, "boom")
        span.end()
    capture.assert_span("inner", parent="outer", attributes={"a": 1}, status="error")
    outer = capture.assert_span("outer", parent=ROOT, kind="server")
    assert outer.scope == "library"
    assert outer.service == "test"


def test_a_test_sees_nothing_of_others(capture: Capture) -> None:
    """Neither their spans nor their context: this one runs after one that made some."""
    assert capture.spans.names == []
    assert not trace.get_current_span().get_span_context().is_valid


def test_a_span_that_began_before_is_not_captured() -> None:
    """Work that an earlier test left running ends somewhere else."""
    with capturing() as first:
        left = LIBRARY.start_span("left")
    with capturing() as second:
        left.end()
    assert first.spans.names == second.spans.names == []


def test_a_capture_begins_outside_of_any_trace() -> None:
    """The context around it comes back afterwards."""
    parent = NonRecordingSpan(SpanContext(1, 2, is_remote=False))
    token = attach(set_span_in_context(parent, Context()))
    try:
        with capturing() as capture:
            LIBRARY.start_span("root").end()
        assert trace.get_current_span() is parent
    finally:
        detach(token)
    capture.assert_span("root", parent=ROOT)


def test_the_innermost_capture_gets_the_spans() -> None:
    """One inside another hands back to it."""
    with capturing() as outer:
        with capturing() as inner:
            LIBRARY.start_span("inner").end()
        LIBRARY.start_span("outer").end()
    assert (inner.spans.names, outer.spans.names) == (["inner"], ["outer"])


def test_after_a_capture_all_is_as_before() -> None:
    """No provider is left behind, so that one can still be set; a tracer that was found meanwhile makes nothing."""
    with capturing():
        found = trace.get_tracer("found meanwhile")
    assert type(trace.get_tracer_provider()) is ProxyTracerProvider
    assert not found.start_span("x").is_recording()
    with found.start_as_current_span("y") as span:
        assert not span.is_recording()


def test_a_tracer_that_was_found_in_a_capture_works_with_a_provider_that_is_set_later() -> None:
    """Libraries keep the first tracer that they find."""
    with capturing():
        found = trace.get_tracer("found meanwhile")
    arrived = Arrived()
    provider = TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(arrived)
    with globally(provider):
        assert isinstance(found, AskingTracer)
        found.start_span("later").end()
    assert arrived.names == ["later"]


@pytest.mark.parametrize("sampled", [True, False])
def test_a_configured_service_is_captured_and_sends_nothing(*, sampled: bool) -> None:
    """Whatever its sampling says, and unsampled parents too; afterwards it sends again."""
    sampling, arrived = Sampling(SamplingConfig(ratio=1.0 if sampled else 0.0)), Arrived()
    provider = build_provider(
        resource=TracerProvider().resource, sampler=sampling.sampler, processors=[sampling.tail(arrived)]
    )
    refused = NonRecordingSpan(SpanContext(1, 2, is_remote=True, trace_flags=TraceFlags(0)))
    with globally(provider):
        with capturing() as capture:
            trace.get_tracer("t").start_span("root").end()
            trace.get_tracer("t").start_span("child", context=set_span_in_context(refused)).end()
        trace.get_tracer("t").start_span("after").end()
    assert capture.spans.names == ["root", "child"]
    assert arrived.names == (["after"] if sampled else [])


def test_another_sdks_provider_is_captured_and_sends_nothing() -> None:
    """Its processors come back afterwards, with one that was added meanwhile."""
    provider, arrived, added = TracerProvider(shutdown_on_exit=False), Arrived(), Arrived()
    provider.add_span_processor(arrived)
    with globally(provider):
        with capturing() as capture:
            trace.get_tracer("t").start_span("meanwhile").end()
            provider.add_span_processor(added)
        trace.get_tracer("t").start_span("after").end()
    assert capture.spans.names == ["meanwhile"]
    assert arrived.names == added.names == ["after"]


def test_a_service_that_is_configured_in_a_test_is_captured(capture: Capture) -> None:
    """The capture does not stand in the way of a provider, and its spans are captured once."""
    sampling, arrived = Sampling(SamplingConfig(ratio=0.0)), Arrived()
    provider = build_provider(
        resource=TracerProvider().resource, sampler=sampling.sampler, processors=[sampling.tail(arrived)]
    )
    assert isinstance(trace.get_tracer_provider(), ProxyTracerProvider)
    with globally(provider):
        trace.get_tracer("t").start_span("configured").end()
    assert capture.spans.names == ["configured"]
    assert arrived.names == []


async def test_async_code_is_captured(capture: Capture) -> None:
    """Tasks keep their own parents."""

    async def work(name: str) -> None:
        with LIBRARY.start_as_current_span(name):
            await asyncio.sleep(0)
            with LIBRARY.start_as_current_span(f"{name} inside"):
                await asyncio.sleep(0)

    with LIBRARY.start_as_current_span("root"):
        await asyncio.gather(work("a"), work("b"))
    capture.assert_span("a inside", parent="a")
    capture.assert_span("b inside", parent="b")
    capture.assert_span("b", parent="root")


def in_background(act: Callable[[], None]) -> threading.Thread:
    """Run something in a thread."""
    thread = threading.Thread(target=act)
    thread.start()
    return thread


def test_threads_are_waited_for(capture: Capture) -> None:
    """The wait ends with the span, not with the time-out."""
    go = threading.Event()

    def work() -> None:
        go.wait()
        LIBRARY.start_span("other").end()
        LIBRARY.start_span("worker", attributes={"n": 1}).end()

    thread = in_background(work)
    go.set()
    assert capture.wait_for_span("worker", timeout_s=30.0, attributes={"n": 1}).attributes == {"n": 1}
    thread.join()


def test_a_wait_in_vain_shows_what_there_is(capture: Capture) -> None:
    """As an assertion does."""
    LIBRARY.start_span("other").end()
    with pytest.raises(ExpectationFailed, match=r"(?s)No span is as expected: 'worker'.*other"):
        capture.wait_for_span("worker", timeout_s=0.01)


def test_what_was_prepared_can_be_forgotten(capture: Capture) -> None:
    """A span that is still open is kept."""
    open_span = LIBRARY.start_span("open")
    LIBRARY.start_span("prepared").end()
    capture.clear()
    open_span.end()
    assert capture.spans.names == ["open"]
    capture.assert_no_span("prepared")


def test_events_links_and_values_are_kept(capture: Capture) -> None:
    """Sequences compare as lists."""
    first = LIBRARY.start_span("first")
    first.end()
    span = LIBRARY.start_span("second", links=[trace.Link(first.get_span_context(), {"why": "batch"})])
    span.add_event("cache.miss", {"keys": ("a", "b")})
    span.set_attribute("many", (1, 2))
    span.end()
    second = capture.assert_span(
        "second", events=["cache.miss"], linked_to=capture.spans.one("first"), attributes={"many": [1, 2]}
    )
    assert second.events[0].attributes == {"keys": ["a", "b"]}
    assert second.links[0].attributes == {"why": "batch"}
    assert 0 <= second.duration_s < 60


def test_the_fixture_is_there_without_an_import() -> None:
    """Pytest finds it by the package's entry point, which costs a run that does not use it next to nothing."""
    loaded = subprocess.run(
        [sys.executable, "-c", "import sys, homeostat.testing.plugin; print('opentelemetry' in sys.modules)"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert loaded.stdout.strip() == "False"
    [point] = entry_points(group="pytest11", name="homeostat")
    assert point.load().capture
