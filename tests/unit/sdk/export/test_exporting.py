import errno
import logging
from pathlib import Path

import pytest
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.sampling import Decision, Sampler, SamplingResult

from homeostat.buffer import Record
from homeostat.buffer.testing import TroubledDisk
from homeostat.exceptions import ExtraMissing
from homeostat.export import ExportConfig, Exporting
from homeostat.export.exporting import transport_of
from homeostat.export.http import HttpTransport
from homeostat.export.outcomes import Outcome, Verdict
from homeostat.export.testing import SimulatedBackend, SimulatedClock
from tests.unit.sdk.export.benches import RESOURCE, Bench, names_of, numbered


def test_spans_go_straight_to_a_backend_that_is_well(tmp_path: Path) -> None:
    """In order, in batches, and without a file."""
    bench = Bench(tmp_path / "spool")
    bench.end_spans(1200)
    bench.round()
    assert bench.names == numbered(1200)
    assert [record.items for record in bench.backend.taken] == [512, 512, 176]
    statistics = bench.exporting.statistics()
    assert (statistics.accepted, statistics.sent, statistics.spooled) == (1200, 1200, 0)
    assert not (tmp_path / "spool").exists()


def test_an_outage_of_a_minute_loses_nothing(tmp_path: Path) -> None:
    """100 spans/s go on through it: 6,000 of 6,000 are delivered, in order, and then the disk is empty."""
    bench = Bench(tmp_path / "spool")
    bench.live(5, spans_per_s=100)
    bench.backend.is_up = False
    bench.live(60, spans_per_s=100)
    spooled = bench.exporting.statistics().backlog_bytes
    bench.backend.is_up = True
    bench.live(40, spans_per_s=100)
    bench.live(10)
    assert bench.names == numbered(bench.ended)
    assert bench.ended == 10_500
    statistics = bench.exporting.statistics()
    assert (statistics.sent, statistics.dropped, statistics.waiting) == (10_500, {}, 0)
    assert statistics.replayed >= 5500
    assert spooled > 0
    assert not list((tmp_path / "spool").rglob("*.spool")) or statistics.backlog_bytes == 0


def test_a_restart_in_an_outage_loses_nothing(tmp_path: Path) -> None:
    """The process that comes after delivers what the first left, before its own."""
    clock = SimulatedClock()
    backend = SimulatedBackend(clock, is_up=False)
    first = Bench(tmp_path / "spool", clock=clock, backend=backend)
    first.live(30, spans_per_s=100)
    first.exporting.shutdown()
    assert first.exporting.statistics().dropped == {}
    second = Bench(tmp_path / "spool", clock=clock, backend=backend)
    second.ended = first.ended
    second.live(30, spans_per_s=100)
    backend.is_up = True
    second.live(60)
    assert second.names == numbered(6000)


def test_a_dead_backend_costs_nothing(tmp_path: Path) -> None:
    """The breaker asks it now and then only: 60 s are a handful of tries."""
    bench = Bench(tmp_path / "spool")
    bench.backend.is_up = False
    bench.live(60, spans_per_s=100)
    assert bench.backend.tries < 12
    assert bench.exporting.statistics().breaker == "open"


def test_a_slow_backend_does_not_make_the_queue_overflow(tmp_path: Path) -> None:
    """While one request is on its way, what is gathered goes to disk; nothing is lost and the order stays."""
    bench = Bench(tmp_path / "spool")

    def meanwhile(_: Record) -> None:
        if bench.ended < 20_000:
            bench.end_spans(2000)
            bench.exporting.gather()

    bench.backend.during = meanwhile
    bench.end_spans(100)
    bench.round()
    bench.round()
    assert bench.names == numbered(bench.ended)
    assert bench.exporting.statistics().dropped == {}


def test_a_full_queue_drops_and_counts() -> None:
    """Ending a span never waits: what does not fit is counted and told."""
    bench = Bench(queue_spans=100)
    bench.end_spans(150)
    bench.round()
    statistics = bench.exporting.statistics()
    assert (statistics.accepted, statistics.sent, statistics.dropped) == (150, 100, {"queue_full": 50})


def test_losses_are_told_once_a_minute(caplog: pytest.LogCaptureFixture) -> None:
    """The first at once, the next in one line with what came in between, the last at the end."""
    bench = Bench(queue_spans=10)
    with caplog.at_level(logging.WARNING, logger="homeostat.export"):
        for _ in range(5):
            bench.end_spans(15)
            bench.round()
        bench.live(61)
        bench.end_spans(11)
        bench.round()
        bench.exporting.shutdown()
    assert [entry.getMessage() for entry in caplog.records] == [
        "homeostat lost telemetry: 5 spans (queue_full)",
        "homeostat lost telemetry: 20 spans (queue_full)",
        "homeostat lost telemetry: 1 spans (queue_full)",
    ]


def test_a_refusal_is_counted_and_told_with_its_reason(caplog: pytest.LogCaptureFixture) -> None:
    """A request that is never taken is dropped, and the next goes on."""
    bench = Bench(batch_spans=10)
    bench.backend.answers = [Outcome(verdict=Verdict.REFUSED, reason="http_401", message="no valid key")]
    bench.end_spans(20)
    with caplog.at_level(logging.WARNING, logger="homeostat.export"):
        bench.round()
        bench.exporting.gather()
    assert bench.names == numbered(10, first=10)
    assert bench.exporting.statistics().dropped == {"http_401": 10}
    assert caplog.messages == ["homeostat lost telemetry: 10 spans (http_401); http_401: no valid key"]


def test_a_partial_success_counts_both_parts() -> None:
    """What the backend took is sent, what it refused is dropped; no more than there were."""
    bench = Bench()
    bench.backend.answers = [
        Outcome(verdict=Verdict.TAKEN, refused_items=3, message="too old"),
        Outcome(verdict=Verdict.TAKEN, refused_items=99),
    ]
    bench.end_spans(10)
    bench.round()
    bench.end_spans(10)
    bench.round()
    statistics = bench.exporting.statistics()
    assert (statistics.sent, statistics.dropped) == (7, {"refused_partly": 13})


def test_the_backend_is_left_alone_as_long_as_it_asks() -> None:
    """Retry-After wins over a shorter wait of our own."""
    bench = Bench()
    bench.backend.answers = [Outcome(verdict=Verdict.NOT_NOW, reason="http_503", retry_after_s=20)]
    bench.end_spans(1)
    bench.round()
    bench.live(19)
    assert bench.backend.tries == 1
    bench.live(2)
    assert bench.names == numbered(1)


def test_writing_ahead_leaves_nothing_in_memory(tmp_path: Path) -> None:
    """Once gathered, a span is on disk before it is sent: a kill then loses nothing of it."""
    bench = Bench(tmp_path / "spool", durability="write-ahead")
    bench.end_spans(10)
    assert bench.exporting.gather() == 0.2
    bench.exporting.before_fork()  # descriptors go, as in a kill
    bench.exporting.after_fork_in_child(RESOURCE)
    heir = Bench(tmp_path / "spool", clock=bench.clock, durability="write-ahead")
    heir.round()
    assert heir.names == numbered(10)
    heir.end_spans(5)
    heir.round()
    assert heir.exporting.statistics().replayed == 15
    assert heir.exporting.statistics().backlog_bytes == 0


def test_other_signals_go_the_same_way(tmp_path: Path) -> None:
    """A request that is encoded already is sent, and kept, in its order among the others."""
    bench = Bench(tmp_path / "spool")
    bench.backend.is_up = False
    bench.exporting.submit("logs", b"one", items=1)
    bench.round()
    bench.exporting.submit("metrics", b"two", items=5)
    bench.backend.is_up = True
    bench.live(10)
    assert [(record.signal, record.body) for record in bench.backend.taken] == [("logs", b"one"), ("metrics", b"two")]
    assert bench.exporting.statistics().sent == 6
    with pytest.raises(ValueError, match="traces, logs, metrics"):
        bench.exporting.submit("colours", b"", items=1)


def test_a_request_of_monstrous_size_is_dropped(tmp_path: Path) -> None:
    """No file could hold it."""
    bench = Bench(tmp_path / "spool")
    bench.exporting.submit("logs", bytes((64 << 20) + 1), items=7)
    assert bench.exporting.statistics().dropped == {"too_large": 7}


def test_a_span_that_cannot_be_encoded_goes_alone() -> None:
    """Those around it are delivered, and it is counted."""
    bench = Bench()
    bench.end_spans(1)
    broken = bench.tracer.start_span("broken", start_time=-5)
    broken.end(end_time=-3)
    bench.end_spans(1)
    bench.round()
    assert bench.names == numbered(2)
    assert bench.exporting.statistics().dropped == {"unencodable": 1}


def test_only_sampled_spans_are_exported() -> None:
    """A span that is only recorded is somebody else's business."""

    class RecordOnly(Sampler):
        def should_sample(self, *_: object, **__: object) -> SamplingResult:
            return SamplingResult(Decision.RECORD_ONLY)

        def get_description(self) -> str:
            return ""

    bench = Bench()
    provider = TracerProvider(sampler=RecordOnly(), shutdown_on_exit=False)
    provider.add_span_processor(bench.exporting.span_processor)
    provider.get_tracer("t").start_span("recorded").end()
    bench.round()
    assert bench.exporting.statistics().accepted == 0


def test_a_full_disk_is_as_no_disk(tmp_path: Path) -> None:
    """What does not fit waits in memory and is delivered in its order."""
    disk = TroubledDisk(trouble={"append": errno.ENOSPC})
    bench = Bench(tmp_path / "spool", disk=disk)
    bench.backend.is_up = False
    bench.live(20, spans_per_s=10)
    bench.backend.is_up = True
    bench.live(60)
    assert bench.names == numbered(200)


def test_threads_start_with_the_first_span_and_do_the_rounds() -> None:
    """Nothing runs before, and nobody has to flush."""
    backend = SimulatedBackend()
    exporting = Exporting(ExportConfig(delay_s=0.01, batch_spans=2), resource=RESOURCE, transport=backend)
    provider = TracerProvider(resource=RESOURCE, shutdown_on_exit=False)
    provider.add_span_processor(exporting.span_processor)
    for number in range(20):
        provider.get_tracer("t").start_span(f"span {number}").end()
    assert exporting.flush(10)
    exporting.hasten()
    provider.shutdown()
    assert names_of(backend.bodies) == numbered(20)


def test_the_transport_follows_the_protocol() -> None:
    """HTTP by default; what is not installed is said when the export is built."""
    assert isinstance(transport_of(ExportConfig()), HttpTransport)
    assert type(transport_of(ExportConfig(protocol="grpc"))).__name__ == "GrpcTransport"
    assert ExtraMissing.code == "extra_missing"


def test_what_was_given_up_on_its_way_is_not_counted_twice(tmp_path: Path) -> None:
    """A full spool drops the oldest, also while the backend is just taking it."""
    bench = Bench(tmp_path / "spool", spool_bytes_max=4000, batch_spans=10)
    bench.backend.is_up = False
    bench.end_spans(10)
    bench.round()
    bench.clock.sleep(60)
    bench.backend.is_up = True

    def overflow(_: Record) -> None:
        bench.backend.during = None
        bench.end_spans(100)
        bench.exporting.gather()

    bench.backend.during = overflow
    bench.live(20)
    statistics = bench.exporting.statistics()
    assert statistics.accepted == 110
    assert statistics.sent + sum(statistics.dropped.values()) == 110
    assert statistics.dropped["spool_full"] > 10


def test_what_the_process_before_left_comes_before_what_is_new(tmp_path: Path) -> None:
    """Also when the backend is well from the first span on, and when the first thing is a flush."""
    first = Bench(tmp_path / "spool")
    first.end_spans(2)
    first.exporting.shutdown(0)
    second = Bench(tmp_path / "spool", clock=first.clock)
    second.ended = 2
    second.end_spans(1)
    assert second.exporting.flush(5)
    assert second.names == numbered(3)
