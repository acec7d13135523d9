"""What the spool and the committer tell about themselves, as self-metrics and log lines. It decides nothing."""

import logging
from typing import Final

from homeostat_server.model.segment import SealedSegment
from homeostat_server.model.signal import Signal
from homeostat_server.runtime.telemetry import Telemetry

_LOG: Final = logging.getLogger(__name__)


class SpoolCounts:
    """Implement `homeostat_server.ingest.observer.IngestObserver` for one signal."""

    def __init__(self, telemetry: Telemetry, *, signal: Signal) -> None:
        """Declare the metrics."""
        self._signal = signal.value
        self._sync = telemetry.histogram(
            "homeostat_spool_sync_seconds", "Write and fsync of one group of requests.", labels=("signal",)
        )
        self._commit = telemetry.histogram(
            "homeostat_ingest_commit_seconds", "Insert of one segment into the telemetry store.", labels=("signal",)
        )
        self._segments = telemetry.counter(
            "homeostat_spool_segments_total", "Segments by what became of them.", labels=("signal", "event")
        )
        self._requests = telemetry.counter(
            "homeostat_spool_requests_total",
            "Requests by what became of them in the spool.",
            labels=("signal", "event"),
        )
        self._quarantined = telemetry.counter(
            "homeostat_spool_quarantined_total", "Records set aside in spool/quarantine.", labels=("signal", "reason")
        )
        self._lost_bytes = telemetry.counter(
            "homeostat_spool_discarded_bytes_total",
            "Bytes cut off as never acknowledged (torn), or shed from a full quarantine (shed).",
            labels=("signal", "reason"),
        )

    def acknowledged(self, *, records: int, size_bytes: int, seconds: float) -> None:
        """Count requests that became durable."""
        del size_bytes
        self._sync.labels(self._signal).observe(seconds)
        self._requests.labels(self._signal, "acknowledged").inc(records)

    def duplicate(self) -> None:
        """Count a retry."""
        self._requests.labels(self._signal, "duplicate").inc()

    def refused(self, reason: str) -> None:
        """Count a refusal."""
        self._requests.labels(self._signal, reason).inc()

    def write_failed(self, cause: OSError, *, records: int) -> None:
        """Count requests that could not be made durable, and say why."""
        self._requests.labels(self._signal, "write_failed").inc(records)
        _LOG.error("cannot write the spool of %s: %s; %d requests were refused", self._signal, cause, records)

    def sealed(self, segment: SealedSegment) -> None:
        """Count a segment that waits for the store."""
        self._segments.labels(self._signal, "replayed" if segment.replay else "sealed").inc()

    def torn(self, *, size_bytes: int) -> None:
        """Count what a crash left half written."""
        self._lost_bytes.labels(self._signal, "torn").inc(size_bytes)
        _LOG.warning("cut %d bytes off the spool of %s: they were never acknowledged", size_bytes, self._signal)

    def quarantined(self, reason: str, *, size_bytes: int) -> None:
        """Count a record that was set aside, and say so."""
        self._quarantined.labels(self._signal, reason).inc()
        _LOG.error("set %d bytes of %s aside in spool/quarantine: %s", size_bytes, self._signal, reason)

    def quarantine_shed(self, *, size_bytes: int) -> None:
        """Count what the quarantine could not hold."""
        self._lost_bytes.labels(self._signal, "shed").inc(size_bytes)
        _LOG.error("deleted %d bytes of %s from a full spool/quarantine", size_bytes, self._signal)

    def digests_shed(self, count: int) -> None:
        """Count identities that were forgotten early."""
        self._requests.labels(self._signal, "identity_forgotten").inc(count)

    def committed(self, segment: SealedSegment, *, seconds: float) -> None:
        """Count a segment that is stored."""
        del segment
        self._commit.labels(self._signal).observe(seconds)
        self._segments.labels(self._signal, "committed").inc()

    def commit_failed(self, cause: Exception, *, retry_s: float) -> None:
        """Count a failed insert, and say when it is tried again."""
        self._segments.labels(self._signal, "commit_failed").inc()
        _LOG.error("cannot store %s: %s; trying again in %.1f s", self._signal, cause, retry_s)
