import pytest
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.trace import StatusCode

from homeostat.sampling import Sampling, SamplingConfig, SamplingStatistics, TailConfig
from homeostat.sampling.diversion import diverted
from tests.sampled_spans import Arrived, Bench, remote

SAMPLED = (1 << 100) + (1 << 56) - 1
HALF = SamplingConfig(ratio=0.5, slow_s=5.0)


@pytest.mark.parametrize(("error", "duration_s", "expected"), [(False, 1.0, 2.0), (True, 1.0, 1.0), (False, 5.0, 1.0)])
def test_what_is_kept_anyway_stands_for_itself(*, error: bool, duration_s: float, expected: float) -> None:
    """Unsampled it would have been kept too, so there is no other span that it stands for."""
    bench = Bench(HALF)
    span = bench.start(parent=remote(SAMPLED, sampled=True, state="ot=th:8"))
    bench.end(span, error=error, duration_s=duration_s)
    assert bench.arrived.weights("root") == [expected]


def test_a_span_that_would_not_have_been_kept_anyway_keeps_its_weight() -> None:
    """Other libraries' spans are not rescued when unsampled, so an error of theirs still stands for several."""
    bench = Bench(HALF)
    span = bench.start(parent=remote(SAMPLED, sampled=True, state="ot=th:8"), scope="contrib")
    bench.end(span, error=True)
    assert bench.arrived.weights("root") == [2.0]


def test_what_travels_on_keeps_the_weight_of_the_lot() -> None:
    """Only the exported span is changed: what was called downstream was sampled by the lot."""
    bench = Bench(HALF)
    span = bench.start(parent=remote(SAMPLED, sampled=True, state="ot=th:8"))
    bench.end(span, error=True)
    assert span.get_span_context().trace_state["ot"] == "th:8"


@pytest.mark.parametrize(
    ("config", "error", "duration_s", "kept"),
    [
        (SamplingConfig(), True, 0.0, True),
        (SamplingConfig(), False, 1e6, False),
        (SamplingConfig(keep_errors=False), True, 0.0, False),
        (SamplingConfig(slow_s=0.5), False, 0.5, True),
        (SamplingConfig(slow_s=0.5), False, 0.499, False),
    ],
)
def test_what_is_kept_for_its_own_sake(config: SamplingConfig, *, error: bool, duration_s: float, kept: bool) -> None:
    """Errors unless they are switched off, and what is slow where that is set."""
    assert Sampling(config).keeps(error=error, duration_s=duration_s) is kept


def test_a_sampling_without_a_tail_counts_and_holds_nothing() -> None:
    """Its life cycle can be driven all the same."""
    sampling = Sampling()
    sampling.after_fork_in_child()
    sampling.shutdown()
    assert sampling.statistics() == SamplingStatistics()


def test_diverted_spans_go_elsewhere_all_of_them() -> None:
    """Whatever ratio, rules and parents say; what follows gets nothing, and all is as before at the end."""
    bench = Bench(SamplingConfig(ratio=0.0))
    captured = Arrived()
    with diverted(captured):
        bench.trace("root", "child")
        bench.end(bench.start("unsampled parent", parent=remote(SAMPLED, sampled=False)))
        late = Bench(SamplingConfig(ratio=0.0))
        late.trace("configured meanwhile")
        bench.sampling.change(SamplingConfig(ratio=0.0, keep_errors=False))
        bench.trace("after a change")
    bench.trace("afterwards")
    assert captured.names == ["child", "root", "unsampled parent", "configured meanwhile", "after a change"]
    assert captured.started == 5
    assert bench.arrived.names == late.arrived.names == []
    assert bench.sampling.config.keep_errors is False


def test_the_innermost_diversion_counts() -> None:
    """One inside another hands back to it."""
    bench = Bench(SamplingConfig())
    outer, inner = Arrived(), Arrived()
    with diverted(outer):
        with diverted(inner):
            bench.trace("inner")
        bench.trace("outer")
    assert (inner.names, outer.names) == (["inner"], ["outer"])


@pytest.mark.parametrize("tail", [None, TailConfig()])
def test_under_another_sampler_no_weight_is_claimed(tail: TailConfig | None) -> None:
    """What it left out was never seen here, so an error that came through does not stand for itself alone."""
    sampling = Sampling(SamplingConfig(tail=tail))
    arrived = Arrived()
    provider = TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(sampling.tail(arrived, weighs=False))
    span = provider.get_tracer("homeostat").start_span("error")
    span.set_status(StatusCode.ERROR)
    span.end()
    assert arrived.weights("error") == [None]
