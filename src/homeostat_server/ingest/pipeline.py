"""The spools and committers of all signals as one thing: recovered, started, watched and drained together.

Invariant: no spool accepts before all have recovered, so that segment numbers are unique across signals.
"""

import random
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from homeostat_server.ingest.budget import SpoolBudget
from homeostat_server.ingest.committer import Committer, SegmentSink
from homeostat_server.ingest.disk import Disk
from homeostat_server.ingest.place import SpoolLimits
from homeostat_server.ingest.segment import SegmentNumbers
from homeostat_server.ingest.spool import Spool
from homeostat_server.ingest.spool_counts import SpoolCounts
from homeostat_server.model.signal import Signal
from homeostat_server.runtime.clock import Clock
from homeostat_server.runtime.knobs import Knob, Knobs
from homeostat_server.runtime.telemetry import Telemetry

GATHER_S_MIN: Final = 0.01
GATHER_S_MAX: Final = 10.0


@dataclass(frozen=True, slots=True, kw_only=True)
class PipelineBounds:
    """Hold what the spools share and what each may take."""

    node: int
    spool_bytes_max: int
    limits: SpoolLimits


class Pipeline:
    """Hold one spool and one committer a signal."""

    def __init__(
        self, root: Path, *, sink: SegmentSink, bounds: PipelineBounds, disk: Disk, clock: Clock, telemetry: Telemetry
    ) -> None:
        """Touch nothing yet."""
        self._clock = clock
        jitter = random.SystemRandom().random
        numbers = SegmentNumbers(clock=clock, node=bounds.node)
        budget = SpoolBudget(size_bytes_max=bounds.spool_bytes_max)
        counts = {signal: SpoolCounts(telemetry, signal=signal) for signal in Signal}
        self.spools: Mapping[Signal, Spool] = {
            signal: Spool(
                root,
                signal=signal,
                disk=disk,
                clock=clock,
                numbers=numbers,
                budget=budget,
                limits=bounds.limits,
                observer=counts[signal],
            )
            for signal in Signal
        }
        self.committers: Mapping[Signal, Committer] = {
            signal: Committer(spool, sink=sink, clock=clock, jitter=jitter, observer=counts[signal])
            for signal, spool in self.spools.items()
        }
        self._declare_depth(telemetry)

    def _declare_depth(self, telemetry: Telemetry) -> None:
        depths = {
            "homeostat_spool_waiting_segments": ("Segments that are acknowledged and not yet stored.", "segments"),
            "homeostat_spool_waiting_bytes": ("Bytes that are acknowledged and not yet stored.", "size_bytes"),
            "homeostat_spool_oldest_age_seconds": ("Age of the oldest segment that is not stored.", "oldest_age_s"),
        }
        for name, (documentation, attribute) in depths.items():
            telemetry.observe(
                name,
                documentation,
                labels=("signal",),
                read=lambda attribute=attribute: [  # type: ignore[misc]  # the default binds the loop's value
                    ((signal.value,), float(getattr(spool.depth(), attribute))) for signal, spool in self.spools.items()
                ],
            )

    def declare_knobs(self, knobs: Knobs) -> None:
        """Declare what may be tuned while it runs."""
        knobs.declare(
            Knob(
                name="spool_gather",
                help="How long a segment gathers requests before it is stored.",
                unit="s",
                minimum=GATHER_S_MIN,
                maximum=GATHER_S_MAX,
                step=GATHER_S_MIN,
                cooldown_s=10,
                read=lambda: self.spools[Signal.TRACES].gather_s,
                write=self._set_gather,
            )
        )

    def _set_gather(self, seconds: float) -> None:
        for spool in self.spools.values():
            spool.gather_s = seconds

    def start(self) -> None:
        """Recover what an earlier run left, then accept and store.

        Raises:
            DataFolderUnusable: the spool's folder cannot be read or written.
        """
        for spool in self.spools.values():
            spool.recover()
        for signal, spool in self.spools.items():
            spool.start()
            self.committers[signal].start()

    def probe(self) -> None:
        """Find out whether requests of every signal could be made durable now.

        Raises:
            SpoolUnavailable: those of one could not; says why.
        """
        for spool in self.spools.values():
            spool.probe()

    def stop(self, *, budget_s: float) -> bool:
        """Accept no more and store what is acknowledged, for at most `budget_s`; say whether nothing is left.

        What is left waits on the disk for the next start.
        """
        for spool in self.spools.values():
            spool.close()
        deadline_s = self._clock.monotonic_s() + budget_s
        emptied = [
            committer.stop(budget_s=deadline_s - self._clock.monotonic_s()) for committer in self.committers.values()
        ]
        return all(emptied)
