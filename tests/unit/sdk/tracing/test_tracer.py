import os
import random

import pytest
from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.sdk.trace import SpanLimits, TracerProvider
from opentelemetry.sdk.trace.sampling import ALWAYS_OFF, ALWAYS_ON, Decision, Sampler, SamplingResult, StaticSampler
from opentelemetry.trace import (
    INVALID_SPAN,
    NonRecordingSpan,
    SpanContext,
    SpanKind,
    Status,
    StatusCode,
    TraceFlags,
    TraceState,
    set_span_in_context,
)

from homeostat.propagation import bound
from homeostat.tracing.active import ActiveSpan
from homeostat.tracing.failures import FAILURES
from homeostat.tracing.identifiers import RandomIdentifiers
from homeostat.tracing.latent import LatentSpan
from homeostat.tracing.spans import LeanSpan
from tests.recorded_spans import Recorder, provider_with, sampling_provider

STATE = TraceState([("vendor", "1")])
REMOTE = SpanContext(0xABC, 0xDEF, is_remote=True, trace_flags=TraceFlags(3), trace_state=STATE)


class Adding(Sampler):
    """Keep everything and add an attribute, as the specification lets a sampler do."""

    def should_sample(self, *_args: object, **_kwargs: object) -> SamplingResult:
        """Keep it."""
        return SamplingResult(Decision.RECORD_AND_SAMPLE, {"sampler.rule": "all"}, STATE)

    def get_description(self) -> str:
        """Return what a person reads."""
        return "adding"


class Failing(Adding):
    """Fail at each decision."""

    def should_sample(self, *_args: object, **_kwargs: object) -> SamplingResult:
        """Fail."""
        raise RuntimeError("sampler")


def test_a_root_has_random_identifiers_and_says_so() -> None:
    """A root span makes a trace of its own, sampled, with the flag that its identifier is random."""
    span = provider_with(Recorder()).get_tracer("test").start_span("work", context=Context())
    context = span.get_span_context()
    assert context.is_valid
    assert context.trace_flags == TraceFlags.SAMPLED | TraceFlags.RANDOM_TRACE_ID
    assert isinstance(span, LeanSpan)
    assert span.parent is None


def test_a_remote_parent_is_continued() -> None:
    """A child has its parent's trace, flags and state, and names it as its parent."""
    tracer = provider_with(Recorder()).get_tracer("test")
    span = tracer.start_span("work", context=set_span_in_context(NonRecordingSpan(REMOTE)))
    assert isinstance(span, LeanSpan)
    assert (span.parent, span.context.trace_id) == (REMOTE, 0xABC)
    assert (span.context.trace_state, span.context.trace_flags) == (STATE, 3)
    assert not span.context.is_remote


@pytest.mark.parametrize("current", [INVALID_SPAN, "no span"])
def test_what_is_no_parent_makes_a_root(current: object) -> None:
    """A current span without identifiers, or something else in its place, starts a new trace."""
    key = next(iter(set_span_in_context(INVALID_SPAN, Context())))
    span = provider_with(Recorder()).get_tracer("test").start_span("work", context=Context({key: current}))
    assert isinstance(span, LeanSpan)
    assert span.parent is None


def test_spans_agree_with_the_sdk() -> None:
    """The same calls give the same span as the SDK's own tracer, but for identifiers and times."""
    recorder, official = Recorder(), Recorder()
    theirs = TracerProvider(sampler=ALWAYS_ON, shutdown_on_exit=False)
    theirs.add_span_processor(official)
    for provider in (provider_with(recorder), theirs):
        tracer = provider.get_tracer("scope", "1", "https://schema", {"a": "b"})
        with tracer.start_as_current_span("outer", kind=SpanKind.CLIENT, attributes={"k": "v"}, start_time=5) as span:
            span.set_attribute("later", [1, 2])
            tracer.start_span("inner").end(7)
    for ours, other in zip(recorder.ended, official.ended, strict=True):
        assert (ours.name, ours.kind, ours.start_time, ours.status.status_code) == (
            other.name,
            other.kind,
            ours.start_time if other.name == "inner" else other.start_time,
            other.status.status_code,
        )
        assert ours.attributes == other.attributes
        assert ours.instrumentation_scope == other.instrumentation_scope
        assert (ours.parent is None) == (other.parent is None)


def test_a_sampler_may_add_attributes_and_state() -> None:
    """What a sampler of somebody else adds is on the span, beside what the caller gave."""
    recorder = Recorder()
    tracer = provider_with(recorder, sampler=Adding()).get_tracer("test")
    tracer.start_span("work", attributes={"k": "v", "l": "m"}).end()
    assert dict(recorder.only().attributes or {}) == {"k": "v", "l": "m", "sampler.rule": "all"}
    assert recorder.only().context.trace_state == STATE


def test_a_sampler_that_only_records_leaves_the_flag() -> None:
    """A recorded span that is not sampled does not carry the flag."""
    recorder = Recorder()
    tracer = provider_with(recorder, sampler=StaticSampler(Decision.RECORD_ONLY)).get_tracer("test")
    tracer.start_span("work").end()
    assert not recorder.only().context.trace_flags.sampled


def test_a_sampler_that_fails_costs_the_span_alone() -> None:
    """When starting a span fails, the caller gets one that records nothing, and it is counted."""
    span = provider_with(Recorder(), sampler=Failing()).get_tracer("test").start_span("work")
    assert span is INVALID_SPAN
    assert FAILURES.counts() == {"starting a span": 1}


def test_a_span_of_a_dropped_trace_carries_identifiers() -> None:
    """Without anybody to ask at the end, a refused span is the API's own, with identifiers to hand on."""
    span = provider_with(Recorder(), sampler=ALWAYS_OFF).get_tracer("homeostat").start_span("work")
    assert type(span) is NonRecordingSpan
    assert span.get_span_context().is_valid
    assert not span.get_span_context().trace_flags.sampled


def test_a_refused_span_that_fails_becomes_real() -> None:
    """An error in an unsampled trace is kept, with its identifiers, times, attributes and the flag."""
    recorder = Recorder()
    tracer = sampling_provider(recorder, ratio=0.0).get_tracer("homeostat")
    span = tracer.start_span("work", attributes={"k": "v"}, start_time=5, kind=SpanKind.CLIENT)
    assert isinstance(span, LatentSpan)
    assert not span.is_recording()
    span.update_name("renamed")
    span.set_attributes({"later": 1})
    span.record_exception(ValueError("v"))
    span.set_status(StatusCode.ERROR, "v")
    span.end(9)
    span.end(10)
    kept = recorder.only()
    assert (kept.name, kept.start_time, kept.end_time, kept.kind) == ("renamed", 5, 9, SpanKind.CLIENT)
    assert dict(kept.attributes or {}) == {"k": "v", "later": 1}
    assert kept.context.span_id == span.get_span_context().span_id
    assert kept.context.trace_flags.sampled
    assert kept.events[0].name == "exception"
    assert kept.status.status_code is StatusCode.ERROR


def test_a_refused_span_with_an_error_status_becomes_real() -> None:
    """A status is enough, and its words are kept; OK, once said, is final here, too."""
    recorder = Recorder()
    tracer = sampling_provider(recorder, ratio=0.0).get_tracer("homeostat")
    failed = tracer.start_span("failed")
    failed.set_status(Status(StatusCode.ERROR, "broken"))
    failed.end()
    fine = tracer.start_span("fine")
    fine.set_status(StatusCode.OK)
    fine.set_status(StatusCode.ERROR)
    fine.end()
    assert recorder.only().status.description == "broken"


def test_a_refused_span_that_is_slow_becomes_real() -> None:
    """A span that takes as long as is asked for is kept; a faster one is not."""
    recorder = Recorder()
    tracer = sampling_provider(recorder, ratio=0.0, slow_s=1.0).get_tracer("homeostat")
    tracer.start_span("slow", start_time=0).end(1_000_000_000)
    tracer.start_span("fast", start_time=0).end(999_999_999)
    assert recorder.names == ["slow"]


def test_a_refused_span_that_is_fine_is_forgotten() -> None:
    """What neither fails nor lasts leaves no trace, and remembers a bounded number of attributes till then."""
    recorder = Recorder()
    span = sampling_provider(recorder, ratio=0.0).get_tracer("homeostat").start_span("work")
    assert isinstance(span, LatentSpan)
    for number in range(1_000):
        span.set_attribute(f"a{number}", number)
    span.end()
    assert recorder.ended == []
    assert span.added is not None
    assert len(span.added) == 128


def test_only_own_scopes_are_kept_after_the_fact() -> None:
    """Spans of other instrumentation follow the head decision, by which they are weighted."""
    span = sampling_provider(Recorder(), ratio=0.0).get_tracer("other").start_span("work")
    assert type(span) is NonRecordingSpan


def test_children_of_refused_spans_are_refused() -> None:
    """A whole unsampled trace costs no recording, and its children carry its trace."""
    tracer = sampling_provider(Recorder(), ratio=0.0).get_tracer("homeostat")
    with tracer.start_as_current_span("outer") as outer, tracer.start_as_current_span("inner") as inner:
        assert isinstance(inner, LatentSpan)
        assert inner.parent == outer.get_span_context()


def test_whose_work_it_is_stands_on_every_span() -> None:
    """Tenant, user and correlation id of the context are attributes of all spans, unless a span says otherwise."""
    recorder = Recorder()
    tracer = provider_with(recorder).get_tracer("any")
    with bound(tenant="acme", user="u1", correlation_id="c1"):
        tracer.start_span("plain").end()
        tracer.start_span("own", attributes={"tenant.id": "other"}).end()
    expected = {"tenant.id": "acme", "user.id": "u1", "correlation.id": "c1"}
    assert dict(recorder.named("plain").attributes or {}) == expected
    assert (recorder.named("own").attributes or {})["tenant.id"] == "other"


def test_a_tracer_that_is_switched_off_makes_nothing() -> None:
    """OpenTelemetry's switch of a tracer is honoured: the parent goes on, and there is no span."""
    tracer = provider_with(Recorder()).get_tracer("test")
    tracer._tracer_config.is_enabled = False  # type: ignore[attr-defined]
    span = tracer.start_span("work", context=set_span_in_context(NonRecordingSpan(REMOTE)))
    assert span.get_span_context() == REMOTE
    assert tracer.start_span("work", context=Context()) is INVALID_SPAN


def test_a_current_span_ends_with_its_block() -> None:
    """Inside the block the span is current; after it what was current before is again."""
    recorder = Recorder()
    tracer = provider_with(recorder).get_tracer("test")
    with tracer.start_as_current_span("work") as span:
        assert trace.get_current_span() is span
    assert trace.get_current_span() is INVALID_SPAN
    assert recorder.names == ["work"]


def test_a_current_span_can_outlive_its_block() -> None:
    """`end_on_exit=False` leaves the end to the caller."""
    recorder = Recorder()
    tracer = provider_with(recorder).get_tracer("test")
    with tracer.start_as_current_span("work", end_on_exit=False) as span:
        pass
    assert recorder.ended == []
    span.end()
    assert recorder.names == ["work"]


def test_a_current_span_can_be_told_to_ignore_exceptions() -> None:
    """The arguments of the SDK that say so are honoured."""
    recorder = Recorder()
    tracer = provider_with(recorder).get_tracer("test")
    with (
        pytest.raises(ValueError, match="v"),
        tracer.start_as_current_span("work", record_exception=False, set_status_on_exception=False),
    ):
        raise ValueError("v")
    assert recorder.only().events == ()
    assert recorder.only().status.status_code is StatusCode.UNSET


async def test_a_tracer_decorates_functions_of_both_kinds() -> None:
    """`@tracer.start_as_current_span(...)` makes a new span for each call, with everything that it was given."""
    recorder = Recorder()
    tracer = provider_with(recorder).get_tracer("test")

    @tracer.start_as_current_span("plain", attributes={"k": "v"}, record_exception=False)
    def plain() -> int:
        return 1

    @tracer.start_as_current_span("awaited")
    async def awaited() -> int:
        return 2

    assert (plain(), plain(), await awaited()) == (1, 1, 2)
    assert recorder.names == ["plain", "plain", "awaited"]
    assert recorder.ended[0].context.span_id != recorder.ended[1].context.span_id
    assert dict(recorder.ended[1].attributes or {}) == {"k": "v"}


def test_a_tracer_is_one_for_each_scope() -> None:
    """The same scope gets the same tracer; beyond a bound tracers are made and not kept."""
    provider = provider_with(Recorder())
    assert provider.get_tracer("a") is provider.get_tracer("a", "")
    assert provider.get_tracer("a") is not provider.get_tracer("a", "2")
    for number in range(1_100):
        provider.get_tracer(f"scope-{number}")
    assert provider.get_tracer("late") is not provider.get_tracer("late")


def test_a_disabled_sdk_makes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """`OTEL_SDK_DISABLED` turns everything off."""
    monkeypatch.setenv("OTEL_SDK_DISABLED", "true")
    assert not provider_with(Recorder()).get_tracer("a").start_span("work").is_recording()


def test_keeping_that_fails_is_kept_from_the_program() -> None:
    """If a refused span cannot become real, it is counted and the program goes on."""
    recorder = Recorder()
    tracer = sampling_provider(recorder, ratio=0.0).get_tracer("homeostat")
    span = tracer.start_span("work")
    assert isinstance(span, LatentSpan)
    span.given = 5  # type: ignore[assignment]
    span.set_status(StatusCode.ERROR)
    span.end()
    other = tracer.start_span("other", start_time="now")  # type: ignore[arg-type]
    other.end()
    assert recorder.ended == []
    assert FAILURES.counts() == {"keeping a span after the fact": 2}


def test_limits_come_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """OpenTelemetry's variables for limits are read when the provider is built."""
    monkeypatch.setenv("OTEL_SPAN_ATTRIBUTE_COUNT_LIMIT", "1")
    recorder = Recorder()
    provider_with(recorder, limits=SpanLimits()).get_tracer("a").start_span("w", attributes={"a": 1, "b": 2}).end()
    assert len(recorder.only().attributes or {}) == 1


def test_identifiers_do_not_follow_a_seed() -> None:
    """A program that seeds `random` still gets a trace of its own in each process."""
    random.seed(1)
    first = RandomIdentifiers().generate_trace_id()
    random.seed(1)
    assert RandomIdentifiers().generate_trace_id() != first


def test_a_forked_child_has_identifiers_of_its_own() -> None:
    """Parent and child do not make the same identifiers after a fork."""
    identifiers = RandomIdentifiers()
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        os.write(writing, identifiers.generate_trace_id().to_bytes(16, "big"))
        os._exit(0)
    os.waitpid(child, 0)
    assert os.read(reading, 16) != identifiers.generate_trace_id().to_bytes(16, "big")
    os.close(reading)
    os.close(writing)


def test_a_provider_renews_itself_in_a_child() -> None:
    """After a fork all tracers say the child's resource."""
    recorder = Recorder()
    provider = provider_with(recorder)
    tracer = provider.get_tracer("a")
    provider.renew(provider.resource.merge(type(provider.resource)({"service.instance.id": "child"})))
    tracer.start_span("work").end()
    assert recorder.only().resource.attributes["service.instance.id"] == "child"
    assert provider.resource.attributes["service.instance.id"] == "child"


def test_identifiers_can_be_renewed() -> None:
    """After a renewal the same generator goes on elsewhere."""
    identifiers = RandomIdentifiers()
    state = identifiers._random.getstate()
    identifiers.renew()
    assert identifiers._random.getstate() != state


def test_a_block_runs_without_a_span_if_need_be() -> None:
    """Neither a sampler that fails at the start nor a span that fails at the end disturbs a block."""
    tracer = provider_with(Recorder(), sampler=Failing()).get_tracer("test")
    with tracer.start_as_current_span("work") as span:
        assert span is INVALID_SPAN

    class Making:
        def begin(self, *_: object) -> object:
            return object()

    with ActiveSpan(Making(), "work", SpanKind.INTERNAL, None):  # type: ignore[arg-type]
        pass
    assert FAILURES.counts() == {"starting a span": 1, "ending a span": 1}


def test_a_refused_span_is_forgotten_once() -> None:
    """Who asks at the end whether a span is worth more words gets the same answer again."""
    tracer = sampling_provider(Recorder(), ratio=0.0).get_tracer("homeostat")
    span = tracer.start_span("work")
    assert isinstance(span, LatentSpan)
    assert span.forget(span.start_time)
    assert span.forget(span.start_time)


def test_a_provider_begins_again_in_a_forked_child() -> None:
    """What the SDK does by itself after a fork leaves our identity alone."""
    provider = provider_with(Recorder())
    before = provider.resource
    provider._handle_fork()
    assert provider.resource is before


def test_odd_values_at_the_start_are_made_fit() -> None:
    """A mapping of any kind and values of any kind can be given at the start; None says nothing."""
    recorder = Recorder()
    tracer = provider_with(recorder, limits=SpanLimits(max_span_attributes=2)).get_tracer("test")
    given = {"several": [1, 2], "none": None, "": 1, "object": ValueError("x"), "more": 1}
    tracer.start_span("work", attributes=given).end()  # type: ignore[arg-type]
    assert dict(recorder.only().attributes or {}) == {"several": (1, 2), "object": "x"}
    assert recorder.only().dropped_attributes == 2
