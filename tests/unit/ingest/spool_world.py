"""A process with one spool, its committer, a store and senders, all simulated and stepped by hand."""

from collections import Counter
from concurrent.futures import Future
from dataclasses import dataclass, field
from pathlib import Path

from homeostat_server.exceptions import CapacityError
from homeostat_server.ingest.budget import SpoolBudget
from homeostat_server.ingest.committer import Committer
from homeostat_server.ingest.observer import IngestObserver
from homeostat_server.ingest.pending import Receipt
from homeostat_server.ingest.place import SpoolLimits
from homeostat_server.ingest.segment import SegmentNumbers
from homeostat_server.ingest.spool import Spool
from homeostat_server.ingest.testing import Row, SimulatedDisk, SimulatedStore
from homeostat_server.model.segment import SealedSegment
from homeostat_server.model.signal import Signal
from homeostat_server.model.tenant import Tenant
from homeostat_server.runtime.testing import ManualClock

ROOT = Path("/data/spool")
FOLDER = ROOT / "traces"
QUARANTINE = ROOT / "quarantine"
SMALL = SpoolLimits(segment_bytes_max=400, gather_s=0.02, free_bytes_min=0)
ACME = Tenant("acme")
GLOBEX = Tenant("globex")


class RecordingObserver:
    """Remember what is told; implements `IngestObserver`."""

    def __init__(self) -> None:
        """Begin with nothing."""
        self.events: list[tuple[object, ...]] = []

    def count(self, kind: str) -> int:
        """Return how often something of this kind was told."""
        return sum(event[0] == kind for event in self.events)

    def of(self, kind: str) -> list[tuple[object, ...]]:
        """Return what was told of this kind, without its name."""
        return [event[1:] for event in self.events if event[0] == kind]

    def acknowledged(self, *, records: int, size_bytes: int, seconds: float) -> None:
        """Remember it."""
        self.events.append(("acknowledged", records, size_bytes, seconds))

    def duplicate(self) -> None:
        """Remember it."""
        self.events.append(("duplicate",))

    def refused(self, reason: str) -> None:
        """Remember it."""
        self.events.append(("refused", reason))

    def write_failed(self, cause: OSError, *, records: int) -> None:
        """Remember it."""
        self.events.append(("write_failed", cause.errno, records))

    def sealed(self, segment: SealedSegment) -> None:
        """Remember it."""
        self.events.append(("sealed", segment))

    def torn(self, *, size_bytes: int) -> None:
        """Remember it."""
        self.events.append(("torn", size_bytes))

    def quarantined(self, reason: str, *, size_bytes: int) -> None:
        """Remember it."""
        self.events.append(("quarantined", reason, size_bytes))

    def quarantine_shed(self, *, size_bytes: int) -> None:
        """Remember it."""
        self.events.append(("quarantine_shed", size_bytes))

    def digests_shed(self, count: int) -> None:
        """Remember it."""
        self.events.append(("digests_shed", count))

    def committed(self, segment: SealedSegment, *, seconds: float) -> None:
        """Remember it."""
        self.events.append(("committed", segment, seconds))

    def commit_failed(self, cause: Exception, *, retry_s: float) -> None:
        """Remember it."""
        self.events.append(("commit_failed", cause, retry_s))


@dataclass
class Senders:
    """Remember what was sent and what was answered."""

    answers: dict[tuple[Tenant, bytes], list["Future[Receipt]"]] = field(default_factory=dict)

    def send(self, spool: Spool, tenant: Tenant, body: bytes) -> None:
        """Send a request; a refusal at once is an answer too."""
        answers = self.answers.setdefault((tenant, body), [])
        try:
            answers.append(spool.append(tenant, body))
        except CapacityError as error:
            refused: Future[Receipt] = Future()
            refused.set_exception(error)
            answers.append(refused)

    def acknowledged(self) -> set[tuple[Tenant, bytes]]:
        """Return what was answered with success at least once."""
        return {sent for sent, answers in self.answers.items() if any(map(_succeeded, answers))}


def _succeeded(answer: "Future[Receipt]") -> bool:
    return answer.done() and answer.exception() is None


class World:
    """One run of the process."""

    def __init__(
        self,
        disk: SimulatedDisk,
        *,
        clock: ManualClock | None = None,
        rows: list[Row] | None = None,
        limits: SpoolLimits = SMALL,
        budget_bytes: int = 1 << 20,
        observer: IngestObserver | None = None,
    ) -> None:
        """Start on a disk as it is, with rows that are stored already."""
        self.disk = disk
        self.clock = clock or ManualClock()
        self.store = SimulatedStore(disk, rows=rows or [])
        self.budget = SpoolBudget(size_bytes_max=budget_bytes)
        self.spool = Spool(
            ROOT,
            signal=Signal.TRACES,
            disk=disk,
            clock=self.clock,
            numbers=SegmentNumbers(clock=self.clock),
            budget=self.budget,
            limits=limits,
            observer=observer,
        )
        self.committer = Committer(self.spool, sink=self.store, clock=self.clock, jitter=lambda: 0.5, observer=observer)

    def recovered(self) -> "World":
        """Recover and return itself."""
        self.spool.recover()
        return self

    def send(self, body: bytes, *, tenant: Tenant = ACME) -> "Future[Receipt]":
        """Send a request and write until nothing is pending."""
        future = self.spool.append(tenant, body)
        self.write()
        return future

    def write(self) -> None:
        """Write until nothing is pending."""
        while self.spool.step():
            pass

    def commit(self) -> None:
        """Let segments be due, and store until nothing is left or something fails."""
        self.clock.advance(0.05)
        while self.committer.step():
            pass

    def settle(self, *, rounds: int = 60) -> None:
        """Write and store everything, past every back-off."""
        for _ in range(rounds):
            self.write()
            self.commit()
            if not self.spool.depth().segments:
                return
            self.clock.advance(1.0)
        raise AssertionError(f"{self.spool.depth()} is left")

    def stored(self) -> Counter[tuple[str, bytes]]:
        """Return how often each request is stored."""
        return Counter((row.tenant, row.body) for row in self.store.rows)
