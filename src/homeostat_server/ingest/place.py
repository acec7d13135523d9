"""What the parts of one spool share: where it is, how it is bounded, who listens. It does nothing."""

from dataclasses import dataclass
from pathlib import Path
from typing import Final

from homeostat_server.ingest.disk import Disk
from homeostat_server.ingest.observer import IngestObserver
from homeostat_server.model.signal import Signal
from homeostat_server.runtime.clock import Clock

_MEBIBYTE: Final = 1 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class SpoolLimits:
    """Bound one spool.

    Attributes:
        segment_bytes_max: a segment that has grown to this is sealed; one longer request still fits.
        segment_age_s_max: a segment begun so long ago is sealed before the next write, so that a segment's number says
            to this precision when its requests came; only those of the last window are read at start.
        pending_bytes_max: requests in memory that are not durable yet; more are refused.
        free_bytes_min: what is left free on the disk, so that the engine can still store what the spool holds.
        gather_s: how long after its first record a segment may be taken.
        duplicates_window_s: how long a request is known after its acknowledgement.
        duplicates_count_max: how many requests are known at once, about 250 bytes of memory each.
        quarantine_bytes_max: how much is kept in quarantine.
    """

    segment_bytes_max: int = 8 * _MEBIBYTE
    segment_age_s_max: float = 10.0
    pending_bytes_max: int = 64 * _MEBIBYTE
    free_bytes_min: int = 64 * _MEBIBYTE
    gather_s: float = 0.02
    duplicates_window_s: float = 60.0
    duplicates_count_max: int = 100_000
    quarantine_bytes_max: int = 64 * _MEBIBYTE


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Say where one signal's spool lives and with what it works.

    `root` is the folder of all spools; the segments are in `root/<signal>`, and `root/quarantine` is shared.
    """

    root: Path
    signal: Signal
    disk: Disk
    clock: Clock
    observer: IngestObserver

    @property
    def folder(self) -> Path:
        """Return the folder of the segments and the recent log."""
        return self.root / self.signal

    @property
    def quarantine_folder(self) -> Path:
        """Return the folder of what could not be stored."""
        return self.root / "quarantine"
