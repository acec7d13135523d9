import os
import threading
from collections.abc import Callable

import pytest
from opentelemetry.sdk.trace import SpanProcessor
from opentelemetry.trace import Span

from homeostat.sampling import Sampling, SamplingConfig, SamplingStatistics, TailConfig
from tests.sampled_spans import Bench, remote
from tests.waiting import until

NOTHING = SamplingConfig(ratio=0.0, slow_s=5.0, tail=TailConfig())
"""The lot keeps nothing, so that what arrives was kept for its own sake."""

TRACE = 1 << 100


def bounded(**bounds: float) -> Bench:
    """Return a bench whose tail has these bounds, and whose lot keeps nothing."""
    return Bench(SamplingConfig(ratio=0.0, tail=TailConfig(**bounds)))  # type: ignore[arg-type]  # numbers


def test_a_trace_without_anything_to_tell_follows_its_lot() -> None:
    """Nothing of it is passed on when the lot says no, all of it with the lot's weight when yes."""
    bench = Bench(NOTHING)
    bench.trace("root", "child")
    assert bench.arrived.names == []
    bench.sampling.change(SamplingConfig(ratio=1.0, tail=TailConfig()))
    bench.trace("root", "child")
    assert bench.arrived.names == ["child", "root"]
    assert bench.arrived.weights("root") == [1.0]
    assert bench.sampling.statistics() == SamplingStatistics(spans_kept=2, spans_left_out=2)


@pytest.mark.parametrize(
    "telling", [{"errors": ["child"]}, {"slow": ["child"]}, {"errors": ["root"]}, {"slow": ["root"]}]
)
def test_a_telling_trace_is_kept_whole(telling: dict[str, list[str]]) -> None:
    """One span that erred or was slow keeps its siblings, its parents and those before it; each stands for itself."""
    bench = Bench(NOTHING)
    bench.trace("root", "before", "child", "after", **telling)
    assert bench.arrived.names == ["before", "child", "after", "root"]
    assert bench.arrived.weights("before") == [1.0]
    assert all(span.context.trace_flags.sampled for span in bench.arrived.spans)


def test_without_errors_kept_an_error_tells_nothing() -> None:
    """It is a setting."""
    bench = Bench(SamplingConfig(ratio=0.0, keep_errors=False, tail=TailConfig()))
    bench.trace("root", errors=["root"])
    assert bench.arrived.names == []


def test_a_trace_is_decided_when_its_last_local_root_ends() -> None:
    """A service that calls itself has two; an error in the outer one keeps the inner one's spans."""
    bench = Bench(NOTHING)
    outer = bench.start("outer")
    inner = bench.start("inner", parent=remote(outer.get_span_context().trace_id, sampled=False))
    bench.end(inner)
    assert bench.sampling.statistics().spans_held == 1
    bench.end(outer, error=True)
    assert bench.arrived.names == ["inner", "outer"]


def test_the_child_of_a_remote_parent_is_a_local_root() -> None:
    """Its end decides, though the trace goes on elsewhere; a sampled parent is followed."""
    bench = Bench(NOTHING)
    bench.end(bench.start("followed", parent=remote(TRACE, sampled=True, state="ot=th:0")))
    bench.end(bench.start("left out", parent=remote(TRACE + 1, sampled=False)))
    bench.end(bench.start("kept", parent=remote(TRACE + 2, sampled=False)), error=True)
    assert bench.arrived.names == ["followed", "kept"]


def test_late_spans_follow_the_decision() -> None:
    """A span that ends after its root is kept where the trace was, without being held."""
    bench = Bench(NOTHING)
    for error in (True, False):
        root = bench.start("root")
        late = bench.start("late", parent=root)
        bench.end(root, error=error)
        bench.end(late)
    assert bench.arrived.names == ["root", "late"]
    assert bench.arrived.weights("late") == [1.0]
    assert bench.sampling.statistics().spans_late == 2


def test_a_late_error_is_kept_and_keeps_what_comes_after_it() -> None:
    """What was left out before cannot come back."""
    bench = Bench(NOTHING)
    root = bench.start("root")
    late = [bench.start(name, parent=root) for name in ("before", "error", "after")]
    bench.end(root)
    for span, error in zip(late, (False, True, False), strict=True):
        bench.end(span, error=error)
    assert bench.arrived.names == ["error", "after"]


def test_the_memory_of_decisions_is_bounded() -> None:
    """The longest known is forgotten; its late spans then follow their lot."""
    bench = bounded(decisions_max=1)
    late: list[Span] = []
    for _ in range(2):
        root = bench.start("root")
        late.append(bench.start("late", parent=root))
        bench.end(root, error=True)
    for span in late:
        bench.end(span)
    assert bench.arrived.names == ["root", "root", "late"]


@pytest.mark.parametrize(
    ("bound", "bounds"), [("spans", {"spans_max": 3}), ("bytes", {"bytes_max": 15_000}), ("age", {"age_s_max": 5.0})]
)
def test_at_a_bound_the_oldest_trace_is_decided_early(bound: str, bounds: dict[str, float]) -> None:
    """By what is known then; what is left out by that is counted, and the newer trace goes on being held."""
    bench = bounded(**bounds)
    old, new = bench.start("old"), bench.start("new")
    for number in range(3):
        bench.end(bench.start(f"old {number}", parent=old))
    bench.clock.now_s = 4.0
    bench.sampling.statistics()
    newest = bench.start("newest")
    bench.clock.now_s = 6.0
    bench.end(bench.start("newest child", parent=newest))
    counted = bench.sampling.statistics()
    assert counted.traces_early[bound] >= 1
    assert counted.spans_early == 3
    assert counted.traces_held <= 2
    bench.end(new)
    bench.end(newest, error=True)
    assert bench.arrived.names == ["newest child", "newest"]


def test_an_early_decision_knows_the_errors_until_then() -> None:
    """The trace is kept, and what of it comes later as well."""
    bench = bounded(age_s_max=5.0)
    root = bench.start("root")
    bench.end(bench.start("error", parent=root), error=True)
    bench.clock.now_s = 5.0
    bench.sampling.tail(bench.arrived)
    bench.processor.expire()  # type: ignore[attr-defined]  # the watcher's step
    assert bench.arrived.names == ["error"]
    bench.end(bench.start("later", parent=root))
    assert bench.arrived.names == ["error", "later"]


def test_memory_is_bounded_under_a_flood() -> None:
    """Many traces that never end: spans and bytes never exceed their bounds by more than the one that came last."""
    bench = bounded(spans_max=50, bytes_max=100_000)
    for _ in range(300):
        root = bench.start("root")
        bench.end(bench.start("child", parent=root))
        held = bench.sampling.statistics()
        assert held.spans_held <= 50
        assert held.bytes_held <= 100_000
    counted = bench.sampling.statistics()
    assert counted.spans_held + counted.spans_early == 300
    assert sum(counted.traces_early.values()) + counted.traces_held == 300


def test_bounds_of_memory_are_told_once_a_minute(caplog: pytest.LogCaptureFixture) -> None:
    """With the number of traces they decided; what has been told is not told again, and an age is not told at all."""
    bench = bounded(spans_max=1, age_s_max=30.0)
    for second in (0, 1, 61, 200, 300):
        bench.clock.now_s = float(second)
        if second < 100:
            bench.end(bench.start("child", parent=bench.start("root")))
            bench.end(bench.start("child", parent=bench.start("root")))
        bench.processor.tell()  # type: ignore[attr-defined]  # the watcher's step
    told = [record.getMessage().rpartition(": ")[2] for record in caplog.records]
    assert told == ["1 by spans", "4 by spans"]
    bench.sampling.shutdown()


def test_roots_that_never_end_are_forgotten_when_old() -> None:
    """Nobody sends another span: a thread of the tail looks now and then."""
    bench = bounded(age_s_max=0.2)
    root = bench.start("root")
    bench.end(bench.start("child", parent=root), error=True)
    bench.clock.now_s = 1.0
    until(lambda: bench.arrived.names == ["child"])
    bench.processor.shutdown()
    assert bench.arrived.shutdowns == 1


def test_the_end_of_the_process_decides_what_is_held() -> None:
    """By what is known; all that is kept has been passed on when it returns."""
    bench = Bench(NOTHING)
    for error in (True, False):
        bench.end(bench.start("child", parent=bench.start("root")), error=error)
    bench.sampling.shutdown()
    counted = bench.sampling.statistics()
    assert bench.arrived.names == ["child"]
    assert counted.traces_early == {"stop": 2}
    assert counted.spans_held == counted.bytes_held == counted.traces_held == 0


def test_a_flush_goes_on_and_decides_nothing() -> None:
    """A trace that is under way keeps its chance of an error."""
    bench = Bench(NOTHING)
    bench.end(bench.start("child", parent=bench.start("root")))
    assert bench.provider.force_flush(2_000)
    assert len(bench.arrived.flushes) == 1
    assert bench.sampling.statistics().spans_held == 1


def test_what_follows_hears_of_beginnings() -> None:
    """An export that has no use for them is not asked."""
    bench = Bench(SamplingConfig())
    bench.trace("root", "child")
    assert bench.arrived.started == 2
    sampling, silent = Sampling(), SpanProcessor()
    sampling.tail(silent).on_start(bench.start())  # type: ignore[arg-type]  # the SDK's own spans


def test_a_child_process_holds_nothing_of_its_parent() -> None:
    """The parent decides on what it held; both would send it twice."""
    bench = Bench(NOTHING)
    root = bench.start("root")
    bench.end(bench.start("child", parent=root), error=True)
    read, write = os.pipe()
    child = os.fork()
    if child == 0:
        bench.sampling.after_fork_in_child()
        bench.end(root)
        held = bench.sampling.statistics()
        os.write(write, b"clean" if not bench.arrived.spans and held.spans_left_out == 1 else b"dirty")
        os._exit(0)
    os.waitpid(child, 0)
    assert os.read(read, 5) == b"clean"
    os.close(read)
    os.close(write)
    bench.end(root)
    assert bench.arrived.names == ["child", "root"]


def test_switching_the_tail_off_decides_what_it_held() -> None:
    """Traces that were begun with it are decided at their end; new ones are not held."""
    bench = Bench(NOTHING)
    root = bench.start("root")
    bench.sampling.change(SamplingConfig(ratio=0.0))
    bench.end(root, error=True)
    bench.trace("new", errors=["new"])
    assert bench.arrived.names == ["root"]
    assert bench.sampling.statistics().traces_held == 0


def test_switching_the_tail_on_holds_no_trace_that_is_under_way() -> None:
    """Its beginning was not seen, so its end could not be known; its spans are decided one by one."""
    bench = Bench(SamplingConfig(ratio=1.0))
    root = bench.start("root")
    bench.sampling.change(NOTHING)
    bench.end(bench.start("child", parent=root))
    assert bench.arrived.names == ["child"]


class EndsAnother:
    """End a span when it is looked at, as a finalizer does that runs in the middle of something."""

    def __init__(self, act: Callable[[], None]) -> None:
        """Do this."""
        self._act = act

    def __call__(self) -> float:
        """Be a clock that does it once."""
        act, self._act = self._act, lambda: None
        act()
        return 0.0


def test_a_span_that_ends_while_another_is_held_is_not_lost() -> None:
    """Garbage collection and signal handlers end spans inside our own code; the lock is the same thread's."""
    bench = Bench(NOTHING)
    root = bench.start("root")
    inner, outer = bench.start("inner", parent=root), bench.start("outer", parent=root)
    bench.processor._clock = EndsAnother(lambda: bench.end(inner))  # type: ignore[attr-defined]
    bench.end(outer, error=True)
    bench.end(root)
    assert sorted(bench.arrived.names) == ["inner", "outer", "root"]


def test_a_span_that_ends_inside_the_placing_waits_its_turn() -> None:
    """It is placed by the loop that is at work, not in the middle of it."""
    bench = Bench(NOTHING)
    root = bench.start("root")
    outer, inner = bench.start("outer", parent=root), bench.start("inner", parent=root)
    processor = bench.processor
    processor._is_placing = True  # type: ignore[attr-defined]
    bench.end(inner)
    processor._is_placing = False  # type: ignore[attr-defined]
    bench.end(outer, error=True)
    bench.end(root)
    assert bench.arrived.names == ["inner", "outer", "root"]


def test_threads_share_a_tail() -> None:
    """Each makes traces of its own; none is lost, mixed up or left."""
    bench = Bench(NOTHING)

    def work() -> None:
        for number in range(100):
            bench.trace("root", "child", errors=["child"] if number % 2 else [])

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    counted = bench.sampling.statistics()
    assert (counted.spans_kept, counted.spans_left_out) == (400, 400)
    assert counted.spans_held == counted.bytes_held == 0
    assert len(bench.arrived.spans) == 400
