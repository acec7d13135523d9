import logging
from collections.abc import Callable
from pathlib import Path

import pytest

from homeostat_server.exceptions import StoreUnavailable
from homeostat_server.ingest.observer import IngestObserver
from homeostat_server.ingest.spool_counts import SpoolCounts
from homeostat_server.model.segment import SealedSegment
from homeostat_server.model.signal import Signal
from homeostat_server.runtime.telemetry import Telemetry

NEW = SealedSegment(signal=Signal.LOGS, number=1, path=Path("1.segment"), records=2, size_bytes=30)
LEFT_OVER = SealedSegment(signal=Signal.LOGS, number=2, path=Path("2.segment"), records=2, size_bytes=30, replay=True)

REQUESTS = "homeostat_spool_requests_total"
SEGMENTS = "homeostat_spool_segments_total"
DISCARDED = "homeostat_spool_discarded_bytes_total"

CASES: list[tuple[Callable[[IngestObserver], None], str, dict[str, str], float]] = [
    (lambda to: to.acknowledged(records=3, size_bytes=9, seconds=0.01), REQUESTS, {"event": "acknowledged"}, 3),
    (lambda to: to.acknowledged(records=3, size_bytes=9, seconds=0.5), "homeostat_spool_sync_seconds_sum", {}, 0.5),
    (lambda to: to.duplicate(), REQUESTS, {"event": "duplicate"}, 1),
    (lambda to: to.refused("spool_full"), REQUESTS, {"event": "spool_full"}, 1),
    (lambda to: to.write_failed(OSError(28, "full"), records=4), REQUESTS, {"event": "write_failed"}, 4),
    (lambda to: to.digests_shed(5), REQUESTS, {"event": "identity_forgotten"}, 5),
    (lambda to: to.sealed(NEW), SEGMENTS, {"event": "sealed"}, 1),
    (lambda to: to.sealed(LEFT_OVER), SEGMENTS, {"event": "replayed"}, 1),
    (lambda to: to.committed(NEW, seconds=0.2), SEGMENTS, {"event": "committed"}, 1),
    (lambda to: to.committed(NEW, seconds=0.2), "homeostat_ingest_commit_seconds_sum", {}, 0.2),
    (lambda to: to.commit_failed(StoreUnavailable("store"), retry_s=1), SEGMENTS, {"event": "commit_failed"}, 1),
    (lambda to: to.torn(size_bytes=7), DISCARDED, {"reason": "torn"}, 7),
    (lambda to: to.quarantine_shed(size_bytes=8), DISCARDED, {"reason": "shed"}, 8),
    (
        lambda to: to.quarantined("corrupt", size_bytes=6),
        "homeostat_spool_quarantined_total",
        {"reason": "corrupt"},
        1,
    ),
]


@pytest.mark.parametrize(("event", "metric", "labels", "expected"), CASES)
def test_what_happens_is_counted(
    event: Callable[[IngestObserver], None], metric: str, labels: dict[str, str], expected: float
) -> None:
    """Each event is a sample of its own signal, and of no other."""
    telemetry = Telemetry()
    observers = {signal: SpoolCounts(telemetry, signal=signal) for signal in Signal}
    event(observers[Signal.LOGS])
    assert telemetry.value(metric, signal="logs", **labels) == expected
    assert telemetry.value(metric, signal="traces", **labels) == 0


@pytest.mark.parametrize(
    ("event", "level", "words"),
    [
        (lambda to: to.write_failed(OSError("disk full"), records=4), logging.ERROR, ["disk full", "4 requests"]),
        (lambda to: to.torn(size_bytes=7), logging.WARNING, ["7 bytes", "never acknowledged"]),
        (lambda to: to.quarantined("corrupt", size_bytes=6), logging.ERROR, ["6 bytes", "corrupt", "quarantine"]),
        (lambda to: to.quarantine_shed(size_bytes=8), logging.ERROR, ["deleted 8 bytes", "full spool/quarantine"]),
        (
            lambda to: to.commit_failed(StoreUnavailable("store it"), retry_s=1.5),
            logging.ERROR,
            ["store it", "again in 1.5 s"],
        ),
    ],
)
def test_what_somebody_should_know_is_logged(
    caplog: pytest.LogCaptureFixture, event: Callable[[IngestObserver], None], level: int, words: list[str]
) -> None:
    """One line names the signal, the cause and what follows."""
    event(SpoolCounts(Telemetry(), signal=Signal.METRICS))
    [record] = caplog.records
    assert record.levelno == level
    assert all(word in record.getMessage() for word in ["metrics", *words])


def test_what_happens_all_the_time_is_not_logged(caplog: pytest.LogCaptureFixture) -> None:
    """Acknowledging, storing and refusing leave no line: they have metrics."""
    caplog.set_level(logging.DEBUG)
    counts = SpoolCounts(Telemetry(), signal=Signal.METRICS)
    counts.acknowledged(records=1, size_bytes=1, seconds=0.1)
    counts.duplicate()
    counts.refused("spool_full")
    counts.sealed(NEW)
    counts.committed(NEW, seconds=0.1)
    counts.digests_shed(1)
    assert caplog.records == []
