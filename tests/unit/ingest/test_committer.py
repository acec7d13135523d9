"""From segments to rows: once each, whatever the store says and when."""

import errno
import threading
from pathlib import Path

import pytest

from homeostat_server.exceptions import SegmentRejected, StoreUnavailable
from homeostat_server.ingest.budget import SpoolBudget
from homeostat_server.ingest.committer import Committer
from homeostat_server.ingest.disk import SystemDisk
from homeostat_server.ingest.place import SpoolLimits
from homeostat_server.ingest.segment import SegmentNumbers
from homeostat_server.ingest.spool import Spool
from homeostat_server.ingest.testing import SimulatedDisk
from homeostat_server.model.segment import SealedSegment
from homeostat_server.model.signal import Signal
from homeostat_server.runtime.clock import SystemClock
from tests.unit.ingest.spool_world import ACME, FOLDER, QUARANTINE, RecordingObserver, World


@pytest.fixture
def disk() -> SimulatedDisk:
    """Give an empty disk."""
    return SimulatedDisk()


@pytest.fixture
def observer() -> RecordingObserver:
    """Give an observer."""
    return RecordingObserver()


@pytest.fixture
def world(disk: SimulatedDisk, observer: RecordingObserver) -> World:
    """Give a running process."""
    return World(disk, observer=observer).recovered()


def _due(world: World, *bodies: bytes) -> None:
    for body in bodies:
        world.spool.append(ACME, body)
    world.write()
    world.clock.advance(1)


def test_a_segment_is_stored_then_released(world: World, disk: SimulatedDisk, observer: RecordingObserver) -> None:
    """One step takes the oldest segment, stores it, and removes its file; then there is nothing to do."""
    _due(world, b"one", b"two")
    assert world.committer.step()
    assert world.stored() == {("acme", b"one"): 1, ("acme", b"two"): 1}
    assert [file.name for file in disk.list_files(FOLDER)] == ["recent.log"]
    assert not world.committer.step()
    assert observer.count("committed") == 1


def test_a_store_that_is_away_is_tried_again_ever_more_slowly(
    world: World, disk: SimulatedDisk, observer: RecordingObserver
) -> None:
    """Attempts come after 0.1 s and then twice as long each, three quarters of it by this jitter, 10 s at most."""
    disk.fail(lambda _operation, kind: errno.EIO if kind == "insert" else None)
    _due(world, b"one")
    waits: list[float] = []
    for _ in range(10):
        assert not world.committer.step()
        waits = [float(str(wait)) for _, wait in observer.of("commit_failed")]
        inserts = world.store.inserts
        world.clock.advance(waits[-1] - 0.001)
        assert not world.committer.step()
        assert world.store.inserts == inserts
        world.clock.advance(0.002)
    assert waits == pytest.approx([0.075 * 2**attempt for attempt in range(7)] + [7.5] * 3)
    disk.fail(lambda _operation, _kind: None)
    assert world.committer.step()
    assert world.stored() == {("acme", b"one"): 1}


def test_after_a_success_the_backoff_begins_anew(
    world: World, disk: SimulatedDisk, observer: RecordingObserver
) -> None:
    """A store that came back and fails again is tried again soon."""
    for body in (b"one", b"two"):
        disk.fail(lambda _operation, kind: errno.EIO if kind == "insert" else None)
        _due(world, body)
        assert not world.committer.step()
        disk.fail(lambda _operation, _kind: None)
        world.clock.advance(1)
        assert world.committer.step()
    assert [wait for _, wait in observer.of("commit_failed")] == pytest.approx([0.075, 0.075])


def test_a_half_done_insert_is_replayed(world: World, disk: SimulatedDisk) -> None:
    """After an attempt that left rows, the next one takes them back first."""
    _due(world, b"one", b"two", b"three")
    first = disk.operations + 1
    disk.fail(lambda operation, _kind: errno.EIO if operation == first + 2 else None)
    assert not world.committer.step()
    assert len(world.store.rows) == 1
    world.settle()
    assert sorted(world.stored().values()) == [1, 1, 1]


def test_a_stored_segment_that_cannot_be_released_is_not_stored_again(world: World, disk: SimulatedDisk) -> None:
    """What failed after the insert is repeated, the insert is not."""
    _due(world, b"one")
    disk.fail(lambda _operation, kind: errno.EIO if kind == "unlink" else None)
    assert not world.committer.step()
    disk.fail(lambda _operation, _kind: None)
    world.settle()
    assert world.store.inserts == 1
    assert world.spool.depth().segments == 0


def test_a_bad_record_is_found_by_halving_and_set_aside_alone(
    world: World, disk: SimulatedDisk, observer: RecordingObserver
) -> None:
    """Its neighbours are stored, each once; the record is kept with the store's reason and is no longer counted."""
    world.store.refuses = lambda body: body == b"bad"
    _due(world, *(b"good %d" % number for number in range(9)), b"bad")
    world.settle()
    assert world.stored() == {("acme", b"good %d" % number): 1 for number in range(9)}
    assert [reason for reason, _ in observer.of("quarantined")] == ["rejected"]
    kept = next(file.name for file in disk.list_files(QUARANTINE) if file.name.endswith(".segment"))
    assert b"bad" in disk.read(QUARANTINE / kept)
    assert world.store.inserts == 9
    assert world.budget.used_bytes == 0


@pytest.mark.parametrize("kind", ["create", "write", "sync", "sync_folder", "rename", "unlink"])
def test_a_split_that_fails_anywhere_goes_on_later(world: World, disk: SimulatedDisk, kind: str) -> None:
    """Whatever operation of a split fails, each good record is stored once and no file is left."""
    world.store.refuses = lambda body: body == b"bad"
    _due(world, b"one", b"bad", b"two", b"three")
    disk.fail(lambda _operation, current: errno.ENOSPC if current == kind else None)
    for _ in range(3):
        world.committer.step()
        world.clock.advance(10)
    disk.fail(lambda _operation, _kind: None)
    world.settle()
    assert world.stored() == {("acme", body): 1 for body in (b"one", b"two", b"three")}
    assert [file.name for file in disk.list_files(FOLDER)] == ["recent.log"]


def test_a_refused_segment_that_is_damaged_is_mended_first(
    world: World, disk: SimulatedDisk, observer: RecordingObserver
) -> None:
    """When the medium changed the file after it was written, the damage is set aside and the rest stored."""
    _due(world, b"one" * 9, b"two" * 9)
    path = next(FOLDER / file.name for file in disk.list_files(FOLDER) if file.name.endswith(".segment"))
    data = bytearray(disk.read(path))
    data[data.index(b"oneone")] ^= 1
    disk.overwrite(path, bytes(data))
    inserts: list[SealedSegment] = []

    class Refusing:
        """Refuse what is damaged, as an engine does that cannot decode it."""

        def insert_segment(self, segment: SealedSegment) -> None:
            """Refuse the first attempt."""
            inserts.append(segment)
            if len(inserts) == 1:
                raise SegmentRejected("decode the segment", value=segment.number)

    committer = Committer(world.spool, sink=Refusing(), clock=world.clock, jitter=lambda: 0.5)
    assert committer.step()
    assert committer.step()
    assert [(segment.records, segment.replay) for segment in inserts] == [(2, False), (1, True)]
    assert [reason for reason, _ in observer.of("quarantined")] == ["corrupt"]


def test_an_error_that_nobody_expected_is_no_end(world: World, observer: RecordingObserver) -> None:
    """A mistake in the sink is told and tried again like a store that is away."""

    class Mistaken:
        """Fail once in a way of its own."""

        calls = 0

        def insert_segment(self, segment: SealedSegment) -> None:
            """Fail the first time."""
            del segment
            self.calls += 1
            if self.calls == 1:
                raise ZeroDivisionError

    committer = Committer(world.spool, sink=Mistaken(), clock=world.clock, jitter=lambda: 0.5, observer=observer)
    _due(world, b"one")
    assert not committer.step()
    world.clock.advance(1)
    assert committer.step()
    assert isinstance(observer.of("commit_failed")[0][0], ZeroDivisionError)


def test_lag_is_the_age_of_what_is_not_stored(world: World) -> None:
    """After a quiet night there is no lag; a request that is not stored makes one; storing ends it."""
    assert world.committer.lag().newest_committed_ns == 0
    _due(world, b"one")
    world.settle()
    world.clock.advance(8 * 3600)
    world.send(b"two")
    assert world.committer.lag().behind_s < 0.001
    world.clock.advance(31)
    lag = world.committer.lag()
    assert lag.behind_s == pytest.approx(31, abs=0.001)
    assert lag.newest_acknowledged_ns - lag.newest_committed_ns > 8 * 3600 * 10**9
    world.settle()
    lag = world.committer.lag()
    assert (lag.newest_acknowledged_ns, lag.behind_s) == (lag.newest_committed_ns, 0)


def test_stopping_stores_what_is_left(world: World) -> None:
    """With a closed spool and time enough, nothing is left for the next start."""
    world.spool.append(ACME, b"one")
    world.spool.close()
    assert world.committer.stop(budget_s=10)
    assert world.stored() == {("acme", b"one"): 1}


def test_stopping_does_not_wait_for_a_store_that_is_away(world: World, disk: SimulatedDisk) -> None:
    """What cannot be stored now is left on disk, and the stop says so."""
    disk.fail(lambda _operation, kind: errno.EIO if kind == "insert" else None)
    world.spool.append(ACME, b"one")
    world.spool.close()
    assert not world.committer.stop(budget_s=10)
    disk.fail(lambda _operation, _kind: None)
    again = World(disk, rows=world.store.rows).recovered()
    again.settle()
    assert again.stored() == {("acme", b"one"): 1}


def test_stopping_ends_with_the_budget(world: World) -> None:
    """Without time nothing more is begun."""
    world.spool.append(ACME, b"one")
    world.spool.close()
    assert not world.committer.stop(budget_s=0)
    assert world.store.inserts == 0


def test_the_thread_pauses_as_long_as_makes_sense(world: World, disk: SimulatedDisk) -> None:
    """It looks again at once when it can wait for a segment, at the retry after a failure, soon at a closed spool."""
    pauses = [world.committer._pause_s()]
    disk.fail(lambda _operation, kind: errno.EIO if kind == "insert" else None)
    _due(world, b"one")
    world.committer.step()
    pauses.append(world.committer._pause_s())
    world.clock.advance(1)
    world.spool.close()
    pauses.append(world.committer._pause_s())
    assert pauses == [0.0, pytest.approx(0.075), 0.5]


class _Sink:
    """Count what is stored, after being away for the first attempts."""

    def __init__(self, *, away: int) -> None:
        self.records = 0
        self.stored = threading.Event()
        self._away = away

    def insert_segment(self, segment: SealedSegment) -> None:
        if self._away:
            self._away -= 1
            raise StoreUnavailable("insert the segment")
        self.records += segment.records
        self.stored.set()


@pytest.mark.parametrize("closed_first", [False, True])
def test_the_thread_stores_retries_and_stops(tmp_path: Path, *, closed_first: bool) -> None:
    """A committer's own thread stores what comes, waits out a store that is away, and ends when told to."""
    clock, sink = SystemClock(), _Sink(away=1)
    spool = Spool(
        tmp_path,
        signal=Signal.METRICS,
        disk=SystemDisk(),
        clock=clock,
        numbers=SegmentNumbers(clock=clock),
        budget=SpoolBudget(size_bytes_max=1 << 20),
        limits=SpoolLimits(gather_s=0.0, free_bytes_min=0),
    )
    spool.recover()
    spool.start()
    spool.append(ACME, b"one").result(timeout=60)
    committer = Committer(spool, sink=sink, clock=clock, jitter=lambda: 0.0)
    if closed_first:
        spool.close()
    committer.start()
    assert sink.stored.wait(60)
    spool.close()
    assert committer.stop(budget_s=60)
    assert sink.records == 1
