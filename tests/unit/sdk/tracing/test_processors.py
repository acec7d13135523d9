import logging
from typing import NoReturn

import pytest
from opentelemetry.context import Context
from opentelemetry.sdk.trace import SpanProcessor, TracerProvider
from opentelemetry.trace import NoOpTracerProvider, SpanKind

from homeostat.propagation import bound
from homeostat.tracing.baggage import KEYS_MAX, VALUE_CHARACTERS_MAX, BaggageAttributes
from homeostat.tracing.blocks import span
from homeostat.tracing.durations import Measured, measured
from homeostat.tracing.failures import FAILURES, Failures
from homeostat.tracing.own import OwnTracers
from homeostat.tracing.processors import GuardedProcessors, add_span_processor
from tests.recorded_spans import Recorder, provider_with


class Failing(SpanProcessor):
    """Fail at everything."""

    def on_start(self, *_: object, **__: object) -> None:
        """Fail."""
        raise RuntimeError("start")

    def _on_ending(self, *_: object) -> None:
        raise RuntimeError("ending")

    def on_end(self, *_: object) -> None:
        """Fail."""
        raise RuntimeError("end")

    def shutdown(self) -> None:
        """Fail."""
        raise RuntimeError("shutdown")

    def force_flush(self, *_: object) -> bool:
        """Fail."""
        raise RuntimeError("flush")


class Whole(Recorder):
    """Note every hook."""

    def __init__(self) -> None:
        super().__init__()
        self.noted: list[str] = []

    def on_start(self, *_: object, **__: object) -> None:
        """Note it."""
        self.noted.append("start")

    def _on_ending(self, *_: object) -> None:
        self.noted.append("ending")

    def shutdown(self) -> None:
        """Note it."""
        self.noted.append("shutdown")


def test_a_failing_processor_harms_nobody(caplog: pytest.LogCaptureFixture) -> None:
    """Others are told all the same, the program goes on, and each failure is counted and logged once."""
    whole = Whole()
    provider = provider_with(Failing())
    provider.add_span_processor(whole)
    with caplog.at_level(logging.WARNING):
        for _ in range(3):
            provider.get_tracer("a").start_span("work").end()
        assert not provider.force_flush()
        provider.shutdown()
    assert whole.noted == ["start", "ending"] * 3 + ["shutdown"]
    assert len(whole.ended) == 3
    assert FAILURES.counts() == {
        "on_start of Failing": 3,
        "on_ending of Failing": 3,
        "on_end of Failing": 3,
        "force_flush of a span processor": 1,
        "shutdown of Failing": 1,
    }
    assert len(caplog.records) == 5


def test_only_hooks_that_do_something_are_called() -> None:
    """A processor that only takes ended spans costs nothing at the start."""
    processors = GuardedProcessors()
    processors.add_span_processor(Recorder())
    assert (len(processors._starts), len(processors._endings), len(processors._ends)) == (0, 0, 1)
    assert processors.force_flush(1_000)


def test_a_processor_can_be_added_at_any_time() -> None:
    """The public function adds to the provider that is configured."""
    provider = provider_with(Recorder())
    later = Recorder()
    provider.add_span_processor(later)
    provider.get_tracer("a").start_span("work").end()
    assert later.names == ["work"]


def test_a_processor_before_configuration_is_told(caplog: pytest.LogCaptureFixture) -> None:
    """Where nothing makes spans yet, the answer is no, and the log says why, once."""
    assert not add_span_processor(Recorder())
    assert not add_span_processor(Recorder())
    assert [record.message for record in caplog.records if "configure()" in record.message] != []
    assert FAILURES.counts() == {"add_span_processor": 2}


def test_baggage_becomes_attributes() -> None:
    """Only allowed members are copied, exact or by their beginning, and what a span says itself stays."""
    recorder = Recorder()
    provider = provider_with(BaggageAttributes(["plan", "shop.*", ""]))
    provider.add_span_processor(recorder)
    with bound(baggage={"plan": "gold", "shop.city": "x" * 1_000, "secret": "s", "own": "b"}):
        provider.get_tracer("a").start_span("work", attributes={"plan": "own"}).end()
        provider.get_tracer("a").start_span("other").end()
    assert dict(recorder.named("work").attributes or {}) == {"plan": "own", "shop.city": "x" * VALUE_CHARACTERS_MAX}
    assert (recorder.named("other").attributes or {})["plan"] == "gold"


def test_baggage_on_a_span_has_a_bound() -> None:
    """A caller that sends many members does not fill a span."""
    recorder = Recorder()
    provider = provider_with(BaggageAttributes(["*"]))
    provider.add_span_processor(recorder)
    with bound(baggage={f"k{number}": "v" for number in range(100)}):
        provider.get_tracer("a").start_span("work").end()
    provider.get_tracer("a").start_span("without").end()
    assert len(recorder.named("work").attributes or {}) == KEYS_MAX
    assert not recorder.named("without").attributes


def test_a_duration_is_an_attribute(recorder: Recorder) -> None:
    """The seconds of a part are on the span that was current, also when the part fails."""
    ticks = iter([0.0, 1.0, 1.5, 3.0])
    with span("work") as current:
        with Measured("parse", clock=lambda: next(ticks)) as parsing:
            assert parsing.seconds == 0.5
        assert parsing.seconds == 2.0
        with pytest.raises(ValueError, match="v"), measured("fail", span=current):
            raise ValueError("v")
    attributes = recorder.only().attributes or {}
    assert attributes["duration.parse_s"] == 2.0
    assert "duration.fail_s" in attributes


def test_a_duration_on_a_broken_span_is_kept_from_the_program() -> None:
    """What cannot be said is counted."""
    with measured("parse", span=object()):  # type: ignore[arg-type]
        pass
    assert FAILURES.counts() == {"recording a duration": 1}


def test_failures_have_a_bound() -> None:
    """However many names a program makes up, the counts stay few, and a child can go on counting."""
    failures = Failures()
    for number in range(1_000):
        failures.noticed(f"place {number}", "message")
    failures.renew()
    assert len(failures.counts()) == 257
    assert failures.counts()["elsewhere"] == 744


def test_what_is_no_processor_is_never_called() -> None:
    """Something else in the place of a processor harms nobody, and is told when there is something to flush."""
    provider = provider_with(Recorder())
    provider.add_span_processor(object())  # type: ignore[arg-type]
    provider.get_tracer("a").start_span("work").end()
    assert FAILURES.counts() == {}
    assert not provider.force_flush()


def test_a_provider_without_tracers_costs_the_spans() -> None:
    """If a provider of somebody else cannot give a tracer, blocks run without spans."""

    class Broken(NoOpTracerProvider):
        def get_tracer(self, *_: object, **__: object) -> NoReturn:
            raise RuntimeError("no tracer")

    tracer = OwnTracers("homeostat", Broken()).current()
    assert not tracer.begin("work", Context(), SpanKind.INTERNAL, None).is_recording()
    assert FAILURES.counts() == {"finding a tracer": 1}


def test_a_provider_of_somebody_else_makes_the_spans() -> None:
    """Helpers and middlewares work with any provider of OpenTelemetry, and look for its tracer once."""
    recorder = Recorder()
    foreign = TracerProvider(shutdown_on_exit=False)
    foreign.add_span_processor(recorder)
    tracers = OwnTracers("homeostat", foreign)
    assert tracers.current() is tracers.current()
    tracers.current().begin("work", Context(), SpanKind.CLIENT, {"k": 1}).end()
    tracers.current().begin("lazy", Context(), SpanKind.CLIENT, {"k": 1}, None, lambda: {"k": 2}).end()
    assert [dict(span.attributes or {}) for span in recorder.ended] == [{"k": 1}, {"k": 2}]
