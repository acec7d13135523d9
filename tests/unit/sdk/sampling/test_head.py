import threading

import pytest
from opentelemetry.context import Context
from opentelemetry.sdk.trace.sampling import Decision
from opentelemetry.trace import set_span_in_context

from homeostat.sampling import RouteRule, Sampling, SamplingConfig, TailConfig
from tests.sampled_spans import Bench, remote

LOW, HIGH = 1 << 100, (1 << 100) + (1 << 56) - 1
"""Trace ids with the least and the greatest randomness."""


def decide(config: SamplingConfig, trace_id: int, **request: str) -> tuple[Decision, str]:
    """Return the decision on a root, and its tracestate."""
    attributes = {"url.path": request["path"]} if request else None
    decision, state = Sampling(config).sampler.decide(None, trace_id, "GET", attributes)
    return decision, state.to_header() if state else ""


def test_a_root_draws_its_lot() -> None:
    """Where the trace's randomness reaches the threshold it is kept, and says which threshold that was."""
    config = SamplingConfig(ratio=0.1)
    assert decide(config, LOW) == (Decision.DROP, "")
    assert decide(config, HIGH) == (Decision.RECORD_AND_SAMPLE, "ot=th:e666")


@pytest.mark.parametrize(("ratio", "decision"), [(0.0, Decision.DROP), (1.0, Decision.RECORD_AND_SAMPLE)])
def test_all_and_nothing_are_exact(ratio: float, decision: Decision) -> None:
    """No trace id escapes either."""
    assert {decide(SamplingConfig(ratio=ratio), trace_id)[0] for trace_id in (LOW, HIGH)} == {decision}


def test_a_rule_gives_a_route_its_own_lot() -> None:
    """Others keep the ratio."""
    config = SamplingConfig(ratio=1.0, rules=(RouteRule("/health", 0.0), RouteRule("/orders", 0.5)))
    assert decide(config, HIGH, path="/health") == (Decision.DROP, "")
    assert decide(config, HIGH, path="/orders") == (Decision.RECORD_AND_SAMPLE, "ot=th:8")
    assert decide(config, LOW, path="/else") == (Decision.RECORD_AND_SAMPLE, "ot=th:0")


@pytest.mark.parametrize("sampled", [True, False])
def test_a_child_follows_its_parent(*, sampled: bool) -> None:
    """Here and elsewhere, whatever the ratio; what the parent's tracestate says travels on."""
    sampler = Sampling(SamplingConfig(ratio=0.0 if sampled else 1.0)).sampler
    parent = remote(HIGH, sampled=sampled, state="vendor=1")
    result = sampler.should_sample(set_span_in_context(parent, Context()), HIGH, "child", attributes={"a": 1})
    assert result.decision is (Decision.RECORD_AND_SAMPLE if sampled else Decision.DROP)
    assert result.trace_state is parent.get_span_context().trace_state
    assert result.attributes == {"a": 1}


@pytest.mark.parametrize(
    ("sampled", "state", "kept"),
    [
        (True, "ot=th:8,v=1", "v=1"),
        (True, "ot=th:8;rv:90000000000000,v=1", "ot=th:8;rv:90000000000000,v=1"),
        (False, "ot=th:8,v=1", "ot=th:8,v=1"),
        (False, "ot=th:0,v=1", "v=1"),
    ],
)
def test_a_remote_threshold_that_contradicts_its_flag_is_erased(*, sampled: bool, state: str, kept: str) -> None:
    """It would become a weight that nobody meant; a sampled span without one has an unknown weight."""
    sampler = Sampling(SamplingConfig()).sampler
    parent = remote(LOW, sampled=sampled, state=state).get_span_context()
    _, carried = sampler.decide(parent, LOW, "child", None)
    assert carried is not None
    assert carried.to_header() == kept


def test_with_a_tail_all_is_recorded() -> None:
    """What the lot does not give is recorded without the flag, so that the end can still keep it."""
    sampler = Sampling(SamplingConfig(ratio=0.0, tail=TailConfig())).sampler
    assert sampler.decide(None, HIGH, "root", None)[0] is Decision.RECORD_ONLY
    assert sampler.decide(remote(HIGH, sampled=False).get_span_context(), HIGH, "x", None)[0] is Decision.RECORD_ONLY


def test_a_change_counts_from_the_next_span() -> None:
    """Children of what began before follow it all the same."""
    bench = Bench(SamplingConfig(ratio=1.0))
    before = bench.start("before")
    bench.sampling.change(SamplingConfig(ratio=0.0))
    bench.end(bench.start("after"))
    bench.end(bench.start("child", parent=before))
    bench.end(before)
    assert bench.arrived.names == ["child", "before"]
    assert bench.sampling.config.ratio == 0.0
    assert bench.sampling.sampler.get_description() == "Homeostat{ratio=0}"


def test_a_decision_never_sees_half_a_change() -> None:
    """Threads decide while another swaps two configurations: each answer belongs to one of them."""
    both = [SamplingConfig(ratio=0.5), SamplingConfig(ratio=0.25)]
    sampling = Sampling(both[0])
    done = threading.Event()
    seen: set[tuple[Decision, str]] = set()

    def decide_on() -> None:
        while not done.is_set():
            decision, state = sampling.sampler.decide(None, HIGH, "root", None)
            seen.add((decision, state.to_header() if state else ""))

    threads = [threading.Thread(target=decide_on) for _ in range(2)]
    for thread in threads:
        thread.start()
    for number in range(2_000):
        sampling.change(both[number % 2])
    done.set()
    for thread in threads:
        thread.join()
    assert seen <= {(Decision.RECORD_AND_SAMPLE, "ot=th:8"), (Decision.RECORD_AND_SAMPLE, "ot=th:c")}
