"""Adding weights gives the number of spans that there were: over traces of every shape, with and without a tail."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from opentelemetry.trace import Span

from homeostat.sampling import SamplingConfig, TailConfig
from tests.sampled_spans import Bench

RATIOS = [0.5, 0.1]
TRACES = 4_000


@dataclass(frozen=True, slots=True)
class Kind:
    """Say how a kind of trace goes: what its spans are called, and which of them err or are slow."""

    name: str
    errors: tuple[str, ...] = ()
    slow: tuple[str, ...] = ()
    children: int = 3

    def spans(self) -> list[str]:
        """Return the names of its spans, the root's first."""
        return [f"{self.name} {number}" for number in range(self.children + 1)]


KINDS = [
    Kind("fine"),
    Kind("broken", errors=("broken 0",)),
    Kind("inside", errors=("inside 2",)),
    Kind("slow", slow=("slow 0",)),
    Kind("alone", children=0),
]


def run(bench: Bench, kinds: Sequence[Kind], *, traces: int) -> Counter[str]:
    """Make so many traces of mixed kinds, several at once; return how many spans of each name there were."""
    chance = Random(7)
    made: Counter[str] = Counter()
    under_way: list[Iterator[None]] = []
    for number in range(traces):
        kind = kinds[number % len(kinds)]
        made.update(kind.spans())
        under_way.append(steps(bench, kind))
        while len(under_way) > 20:
            step = chance.choice(under_way)
            if next(step, StopIteration) is StopIteration:
                under_way.remove(step)
    for step in under_way:
        list(step)
    bench.sampling.shutdown()
    return made


def steps(bench: Bench, kind: Kind) -> Iterator[None]:
    """Make one trace, a span at a time."""
    names = kind.spans()
    root = bench.start(names[0])
    for name in names[1:]:
        yield
        bench.clock.now_s += 0.01
        bench.end(
            bench.start(name, parent=root), error=name in kind.errors, duration_s=9.0 if name in kind.slow else 0.1
        )
    yield
    bench.end(root, error=names[0] in kind.errors, duration_s=9.0 if names[0] in kind.slow else 0.1)


def weighed(bench: Bench) -> dict[str, float]:
    """Return the sum of weights of what arrived, by name."""
    return {name: sum(weight or 0.0 for weight in bench.arrived.weights(name)) for name in set(bench.arrived.names)}


@pytest.mark.parametrize("ratio", RATIOS)
@pytest.mark.parametrize(
    "tail",
    [TailConfig(), TailConfig(spans_max=10), TailConfig(bytes_max=60_000), TailConfig(age_s_max=0.1, decisions_max=5)],
)
def test_with_a_tail_weights_add_up_to_what_there_was(ratio: float, tail: TailConfig) -> None:
    """For every span of every kind of trace, also where bounds decide most traces early.

    The estimate of N spans kept with probability p has the deviation sqrt(N(1/p - 1)); five of them are a chance of one
    in a million, and the ids are the same in every run.
    """
    bench = Bench(SamplingConfig(ratio=ratio, slow_s=5.0, tail=tail), seed=3)
    made = run(bench, KINDS, traces=TRACES)
    counted = weighed(bench)
    for name, count in made.items():
        deviation = (count * (1 / ratio - 1)) ** 0.5
        assert abs(counted[name] - count) <= 5 * deviation, (name, counted[name], count)


@pytest.mark.parametrize("ratio", RATIOS)
def test_telling_traces_are_counted_exactly_where_nothing_is_decided_early(ratio: float) -> None:
    """They are all there, and each of their spans stands for itself."""
    bench = Bench(SamplingConfig(ratio=ratio, slow_s=5.0, tail=TailConfig()))
    made = run(bench, [kind for kind in KINDS if kind.errors or kind.slow], traces=300)
    assert weighed(bench) == made


@pytest.mark.parametrize("ratio", RATIOS)
def test_without_a_tail_weights_add_up_where_refused_spans_are_rescued(ratio: float) -> None:
    """A tracer that makes a refused span real when it ends in an error sends it through the same processor."""
    bench = Bench(SamplingConfig(ratio=ratio), seed=5)
    errors = 0
    for number in range(TRACES):
        error = number % 4 == 0
        errors += error
        span = bench.start("root")
        if not span.is_recording() and bench.sampling.keeps(error=error, duration_s=0.1):
            rescued = bench.start("root", parent=None)
            while not rescued.is_recording():
                rescued = bench.start("root", parent=None)
            span = rescued
        bench.end(span, error=error)
    weights = bench.arrived.weights("root")
    assert weights.count(1.0) == errors
    fine = TRACES - errors
    counted = sum(weight or 0 for weight in weights) - errors
    assert abs(counted - fine) <= 5 * (fine * (1 / ratio - 1)) ** 0.5


@given(
    st.lists(
        st.tuples(st.integers(0, 4), st.sampled_from(["root", "child", "error", "end", "late", "tick"])), max_size=60
    ),
    st.integers(1, 8),
    st.sampled_from([0.0, 0.5, 1.0]),
)
@settings(max_examples=200)
def test_nothing_is_lost_or_doubled_whatever_happens(
    events: list[tuple[int, str]], spans_max: int, ratio: float
) -> None:
    """Every span that ended is passed on once, left out once, or held; and what is held keeps its bound."""
    bench = Bench(SamplingConfig(ratio=ratio, tail=TailConfig(spans_max=spans_max, age_s_max=3.0, decisions_max=2)))
    roots: dict[int, Span] = {}
    ended = 0
    for trace, event in events:
        root = roots.get(trace)
        if event == "tick":
            bench.clock.now_s += 1.0
        elif root is None or event == "root":
            roots[trace] = bench.start("root")
        elif event == "end":
            ended += root.is_recording()
            bench.end(root)
        else:
            bench.end(bench.start("child", parent=root), error=event == "error")
            ended += 1
        held = bench.sampling.statistics()
        assert held.spans_held <= spans_max
        assert held.spans_kept + held.spans_left_out + held.spans_held == ended
    bench.sampling.shutdown()
    counted = bench.sampling.statistics()
    assert counted.spans_held == counted.bytes_held == counted.traces_held == 0
    assert len(bench.arrived.spans) == counted.spans_kept
    identities = [(span.context.trace_id, span.context.span_id) for span in bench.arrived.spans]
    assert len(set(identities)) == len(identities)
    if ratio == 1.0:
        assert counted.spans_left_out == 0
