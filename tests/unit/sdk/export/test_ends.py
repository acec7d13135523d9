import threading
from pathlib import Path

from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan

from homeostat.export.outcomes import Outcome, Verdict
from homeostat.export.spans import Encoded
from tests.unit.sdk.export.benches import RESOURCE, Bench, numbered


def test_an_end_sends_what_waits() -> None:
    """What ended a moment ago is delivered; what comes after the end is counted."""
    bench = Bench()
    bench.end_spans(700)
    bench.exporting.shutdown()
    bench.exporting.shutdown()
    bench.end_spans(1)
    bench.exporting.submit("logs", b"", items=2)
    assert bench.names == numbered(700)
    assert bench.exporting.statistics().dropped == {"after_shutdown": 3}
    assert bench.exporting.flush(1)


def test_an_end_without_a_backend_is_quick_and_keeps_everything(tmp_path: Path) -> None:
    """One try, then the disk: a dead collector does not hold the process up."""
    bench = Bench(tmp_path / "spool")
    bench.backend.is_up = False
    bench.end_spans(700)
    began_s = bench.clock.time_s
    bench.exporting.shutdown()
    assert bench.clock.time_s == began_s
    assert bench.exporting.statistics().dropped == {}
    heir = Bench(tmp_path / "spool", clock=bench.clock)
    heir.round()
    assert heir.names == numbered(700)


def test_an_end_with_a_silent_backend_keeps_its_budget(tmp_path: Path) -> None:
    """A request that is not answered ends in time for the disk."""
    bench = Bench(tmp_path / "spool", exit_budget_s=5.0)
    bench.backend.answer_s = 3600
    bench.end_spans(700)
    began_s = bench.clock.time_s
    bench.exporting.shutdown()
    assert bench.clock.time_s - began_s <= 5
    heir = Bench(tmp_path / "spool", clock=bench.clock)
    heir.round()
    assert heir.names == numbered(700)


def test_an_end_without_a_disk_tries_again_within_its_budget() -> None:
    """There is nothing else that could save what waits."""
    bench = Bench()
    bench.backend.answers = [Outcome(verdict=Verdict.NOT_NOW, reason="http_503")] * 2
    bench.end_spans(10)
    bench.exporting.shutdown(5)
    assert bench.names == numbered(10)
    assert 0 < sum(bench.clock.slept_s) < 5


def test_what_an_end_without_a_disk_cannot_deliver_is_counted() -> None:
    """Nothing is lost without a word."""
    bench = Bench()
    bench.backend.is_up = False
    bench.end_spans(10)
    bench.exporting.shutdown(1)
    assert bench.exporting.statistics().dropped == {"not_kept": 10}


def test_a_signal_in_the_middle_of_an_end_keeps_what_waits(tmp_path: Path) -> None:
    """The handler interrupts a request of the same thread and does not wait for it: everything is on disk."""
    bench = Bench(tmp_path / "spool", batch_spans=10)
    bench.backend.during = lambda _: bench.exporting.shutdown()
    bench.end_spans(30)
    bench.exporting.shutdown()
    heir = Bench(tmp_path / "spool", clock=bench.clock)
    heir.round()
    assert set(bench.names) | set(heir.names) == set(numbered(30))


def test_flushing_says_whether_everything_is_delivered(tmp_path: Path) -> None:
    """Yes when it is, no when it waits on disk."""
    bench = Bench(tmp_path / "spool")
    bench.end_spans(10)
    assert bench.exporting.flush(5)
    bench.backend.is_up = False
    bench.end_spans(10)
    assert not bench.exporting.flush(5)
    assert bench.clock.slept_s
    bench.backend.is_up = True
    bench.clock.sleep(60)
    assert bench.provider.force_flush(5000)
    assert bench.names == numbered(20)


def test_flushing_waits_for_a_backend_that_is_busy_for_a_moment() -> None:
    """A 503 is over within its time."""
    bench = Bench()
    bench.backend.answers = [Outcome(verdict=Verdict.NOT_NOW, reason="http_503")]
    bench.end_spans(10)
    assert bench.exporting.flush(5)


def test_a_fork_leaves_to_the_parent_what_is_the_parents(tmp_path: Path) -> None:
    """Queue, requests in memory, files and counts; spans that began before are not sent twice."""
    bench = Bench(tmp_path / "spool")
    bench.end_spans(5)
    inherited = bench.tracer.start_span("inherited")
    bench.exporting.before_fork()
    bench.exporting.after_fork_in_parent()
    bench.exporting.after_fork_in_child(Resource({"service.name": "orders", "service.instance.id": "two"}))
    inherited.end()
    bench.end_spans(1)
    bench.round()
    assert bench.names == ["span 5"]
    assert b"two" in bench.backend.bodies[0]
    assert b"one" not in bench.backend.bodies[0]
    assert bench.backend.events == ["before_fork", "abandon"]
    statistics = bench.exporting.statistics()
    assert (statistics.accepted, statistics.sent, statistics.dropped) == (2, 1, {"inherited": 1})


def test_a_child_of_an_ended_parent_stays_ended() -> None:
    """A fork does not bring back what was shut down."""
    bench = Bench()
    bench.exporting.shutdown()
    bench.exporting.before_fork()
    bench.exporting.after_fork_in_child(RESOURCE)
    bench.end_spans(1)
    assert bench.exporting.statistics().dropped == {"after_shutdown": 1}


def test_a_signal_in_the_middle_of_gathering_loses_no_batch() -> None:
    """The handler encodes what the interrupted method has in its hands; that one leaves it at that."""
    bench = Bench(batch_spans=10)
    bench.end_spans(15)
    encoder, calls = bench.exporting._encoder, 0
    encode = encoder.encode

    def interrupted(spans: list[ReadableSpan]) -> list[Encoded]:
        nonlocal calls
        calls += 1
        if calls == 1:
            bench.exporting.pipeline.gather()
        return encode(spans)

    encoder.encode = interrupted  # type: ignore[assignment, method-assign]
    bench.round()
    assert bench.names == numbered(15)


def test_who_finds_another_thread_at_work_waits_as_long_as_it_may() -> None:
    """Neither gathering nor sending is done twice at once."""
    bench = Bench()
    pipeline = bench.exporting.pipeline
    bench.end_spans(1)
    held, done = threading.Event(), threading.Event()

    def hold() -> None:
        with pipeline._gathering, pipeline._sending:
            held.set()
            done.wait(30)

    holder = threading.Thread(target=hold)
    holder.start()
    held.wait(30)
    assert not pipeline.gather(timeout_s=0.01)
    assert not pipeline.send_one(timeout_s=1, patience_s=0.01)
    assert not bench.exporting.flush(0.01)
    done.set()
    holder.join()
    assert bench.exporting.flush(1)
