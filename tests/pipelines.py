"""The write path behind the spools with everything simulated, stepped by hand. It knows no request's meaning."""

from dataclasses import dataclass, field
from pathlib import Path

from homeostat_server.ingest.lag import LagAlarm
from homeostat_server.ingest.pipeline import Pipeline, PipelineBounds
from homeostat_server.ingest.place import SpoolLimits
from homeostat_server.ingest.testing import SimulatedDisk
from homeostat_server.model.signal import Signal
from homeostat_server.model.tenant import DEFAULT_TENANT
from homeostat_server.runtime.telemetry import Telemetry
from homeostat_server.runtime.testing import ManualClock
from homeostat_server.store.testing import MemoryStore

BOUNDS = PipelineBounds(node=0, spool_bytes_max=1 << 20, limits=SpoolLimits(gather_s=0.02, free_bytes_min=0))


@dataclass
class SimulatedPipeline:
    """Hold one run of the pipeline."""

    clock: ManualClock = field(default_factory=ManualClock)
    disk: SimulatedDisk = field(default_factory=SimulatedDisk)
    store: MemoryStore = field(default_factory=MemoryStore)
    telemetry: Telemetry = field(default_factory=Telemetry)

    def __post_init__(self) -> None:
        """Build it; nothing is recovered yet."""
        self.pipeline = Pipeline(
            Path("/data/spool"),
            sink=self.store,
            bounds=BOUNDS,
            disk=self.disk,
            clock=self.clock,
            telemetry=self.telemetry,
        )

    def recover(self) -> "SimulatedPipeline":
        """Let every spool accept."""
        for spool in self.pipeline.spools.values():
            spool.recover()
        return self

    def alarm(self, *, alarm_s: float) -> LagAlarm:
        """Return an alarm that watches it."""
        return LagAlarm(self.pipeline.committers, alarm_s=alarm_s, telemetry=self.telemetry)

    def acknowledge(self, signal: Signal, body: bytes) -> None:
        """Make one request durable, and let it gather long enough to be stored."""
        self.pipeline.spools[signal].append(DEFAULT_TENANT, body)
        assert self.pipeline.spools[signal].step()
        self.clock.advance(BOUNDS.limits.gather_s)

    def store_all(self) -> None:
        """Store what is acknowledged, as far as the store takes it."""
        for committer in self.pipeline.committers.values():
            while committer.step():
                pass
