"""Appending, grouping, bounds and failures of one spool."""

import errno
from dataclasses import replace
from pathlib import Path

import pytest

from homeostat_server.exceptions import DataFolderUnusable, SpoolFull, SpoolUnavailable
from homeostat_server.ingest.budget import SpoolBudget
from homeostat_server.ingest.pending import Receipt
from homeostat_server.ingest.segment import SegmentNumbers
from homeostat_server.ingest.spool import FULL_RETRY_AFTER_S, Spool
from homeostat_server.ingest.testing import SimulatedDisk
from homeostat_server.model.signal import Signal
from homeostat_server.runtime.testing import ManualClock
from tests.unit.ingest.spool_world import ACME, FOLDER, GLOBEX, SMALL, RecordingObserver, World


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


def test_a_request_is_acknowledged_when_it_is_durable(world: World) -> None:
    """Nothing is answered before the write; then the receipt names the segment."""
    future = world.spool.append(ACME, b"body")
    assert not future.done()
    world.write()
    assert future.result() == Receipt(future.result().segment, duplicate=False)
    world.clock.advance(1)
    segment = world.spool.take()
    assert segment is not None
    assert (segment.number, segment.records, segment.tenants) == (future.result().segment, 1, frozenset({"acme"}))
    assert segment.path == FOLDER / f"{segment.number:020d}.segment"
    assert segment.size_bytes == len(world.disk.read(segment.path))
    assert not segment.replay
    assert segment.received_ns <= segment.acknowledged_ns


def test_what_waits_is_made_durable_by_one_sync(world: World, disk: SimulatedDisk) -> None:
    """A group of requests costs one write and one sync, and another of the folder when the file is new."""
    kinds: list[str] = []
    disk.fail(lambda _operation, kind: kinds.append(kind))
    for group in (b"a", b"b"):
        futures = [world.spool.append(ACME, group * length) for length in range(1, 4)]
        assert world.spool.step()
        assert all(future.done() for future in futures)
    assert kinds == ["create", "write", "sync", "sync_folder", "write", "sync"]
    assert not world.spool.step()


def test_a_segment_is_not_taken_before_it_has_gathered(world: World) -> None:
    """After its first record a segment waits for the gather time, however often it is asked for."""
    world.send(b"first")
    world.clock.advance(0.015)
    assert world.spool.take() is None
    world.send(b"second")
    world.clock.advance(0.006)
    segment = world.spool.take()
    assert segment is not None
    assert segment.records == 2


def test_the_gather_time_can_be_turned(world: World) -> None:
    """The knob's new value holds for the segment that is open."""
    world.send(b"first")
    world.clock.advance(0.03)
    world.spool.gather_s = 1.0
    assert world.spool.take() is None
    world.spool.gather_s = 0.0
    assert world.spool.gather_s == 0.0
    assert world.spool.take() is not None


def test_a_full_segment_is_sealed_and_the_next_begun(world: World, observer: RecordingObserver) -> None:
    """While the taker is busy segments grow to their bound and queue, oldest first; a longer request still fits."""
    futures = [world.spool.append(ACME, b"%d" % number * 150) for number in range(6)]
    futures.append(world.spool.append(ACME, b"x" * 1000))
    world.write()
    world.clock.advance(1)
    taken = [world.spool.take() for _ in range(5)]
    numbers = [segment.number for segment in taken if segment is not None]
    assert numbers == sorted({future.result().segment for future in futures})
    assert max(segment.size_bytes for segment in taken if segment is not None) > 1000
    assert observer.count("sealed") == len(numbers)
    assert world.spool.take() is None


def test_a_segment_does_not_stay_open_for_long(world: World) -> None:
    """A segment that nobody takes is sealed by the first write after its time, so that its number says when."""
    first = world.send(b"first").result().segment
    world.clock.advance(9)
    assert world.send(b"second").result().segment == first
    world.clock.advance(1)
    assert world.send(b"third").result().segment > first
    assert world.spool.depth().segments == 2


def test_the_same_body_is_acknowledged_and_not_stored_again(world: World, observer: RecordingObserver) -> None:
    """A retry within the window gets a receipt of the first one's segment; another tenant's is another request."""
    first = world.send(b"body")
    again = world.send(b"body")
    other = world.send(b"body", tenant=GLOBEX)
    assert again.result() == Receipt(first.result().segment, duplicate=True)
    assert not other.result().duplicate
    assert observer.count("duplicate") == 1
    world.settle()
    world.send(b"body")
    world.settle()
    assert world.stored() == {("acme", b"body"): 1, ("globex", b"body"): 1}


def test_after_the_window_the_same_body_is_a_new_request(world: World) -> None:
    """What is sent again later than the window is stored again."""
    world.send(b"body")
    world.clock.advance(61)
    assert not world.send(b"body").result().duplicate
    world.settle()
    assert world.stored() == {("acme", b"body"): 2}


def test_the_same_body_in_flight_shares_the_outcome(world: World) -> None:
    """Sent twice before the write, a body is written once; whoever came second is told that it is a duplicate."""
    first, second = (world.spool.append(ACME, b"body") for _ in range(2))
    world.write()
    assert [future.result().duplicate for future in (first, second)] == [False, True]


def test_a_failed_body_is_forgotten(world: World, disk: SimulatedDisk, observer: RecordingObserver) -> None:
    """Both senders are told why, each with an error of their own; sending again is a new attempt."""
    disk.fail(lambda _operation, kind: errno.ENOSPC if kind == "write" else None)
    first, second = (world.spool.append(ACME, b"body") for _ in range(2))
    world.write()
    errors = [future.exception() for future in (first, second)]
    assert errors[0] is not errors[1]
    assert "No space left on device: free space on that disk" in str(errors[0])
    assert str(FOLDER) in str(errors[0])
    assert all(isinstance(error, SpoolUnavailable) and error.retryable for error in errors)
    assert observer.of("write_failed") == [(errno.ENOSPC, 1)]
    disk.fail(lambda _operation, _kind: None)
    assert not world.send(b"body").result().duplicate
    world.settle()
    assert world.stored() == {("acme", b"body"): 1}


def test_cancelling_has_no_effect(world: World) -> None:
    """A sender that goes away does not take the request, or another sender's answer, along."""
    future = world.spool.append(ACME, b"body")
    assert not future.cancel()
    world.write()
    assert future.exception() is None


def test_more_than_the_budget_is_refused_at_once(disk: SimulatedDisk, observer: RecordingObserver) -> None:
    """A full spool refuses with a time to retry, still knows duplicates, and accepts again after a release."""
    world = World(disk, budget_bytes=300, observer=observer).recovered()
    world.send(b"a" * 200)
    with pytest.raises(SpoolFull, match="spool_bytes_max = 300") as caught:
        world.send(b"b" * 200)
    assert caught.value.retry_after_s == FULL_RETRY_AFTER_S
    assert world.send(b"a" * 200).result().duplicate
    world.settle()
    assert world.budget.used_bytes == 0
    world.send(b"b" * 200)
    assert observer.of("refused") == [("spool_full",)]


def test_more_than_memory_may_hold_is_refused_at_once(disk: SimulatedDisk, observer: RecordingObserver) -> None:
    """What waits for the disk is bounded by itself; nothing of the budget leaks."""
    world = World(disk, limits=replace(SMALL, pending_bytes_max=300), observer=observer).recovered()
    world.spool.append(ACME, b"a" * 200)
    with pytest.raises(SpoolFull, match="300 bytes wait"):
        world.spool.append(ACME, b"b" * 200)
    world.settle()
    world.send(b"b" * 200)
    world.settle()
    assert observer.of("refused") == [("pending_full",)]
    assert world.budget.used_bytes == 0


def test_the_last_of_the_disk_is_left_to_the_engine(disk: SimulatedDisk) -> None:
    """Below the reserve nothing is written and the sender told so; with space back all works without hands."""
    world = World(disk, limits=replace(SMALL, free_bytes_min=1000)).recovered()
    disk.capacity_bytes = 1200
    refused = world.send(b"x" * 400)
    assert isinstance(refused.exception(), SpoolUnavailable)
    disk.capacity_bytes = 10_000
    world.send(b"x" * 400).result()


def test_a_full_disk_empties_without_hands(disk: SimulatedDisk) -> None:
    """Without a free byte, stored segments but the newest still go, once their digests are too old to matter."""
    world = World(disk).recovered()
    futures = [world.send(b"%d" % number * 300) for number in range(4)]
    assert not any(future.exception() for future in futures)
    disk.capacity_bytes = 0
    for _ in range(40):
        world.commit()
        world.clock.advance(10)
    assert world.spool.depth().segments == 1
    disk.capacity_bytes = 1 << 20
    world.settle()
    assert sum(world.stored().values()) == 4
    assert world.budget.used_bytes == 0


def test_after_a_failed_write_the_acknowledged_part_is_stored(world: World, disk: SimulatedDisk) -> None:
    """The file is cut back to what was acknowledged and handed out; the next request goes to a new file."""
    kept = world.send(b"kept")
    disk.fail(lambda _operation, kind: errno.EIO if kind == "sync" else None)
    failed = world.send(b"failed")
    disk.fail(lambda _operation, _kind: None)
    after = world.send(b"after")
    assert isinstance(failed.exception(), SpoolUnavailable)
    assert after.result().segment > kept.result().segment
    world.settle()
    assert world.stored() == {("acme", b"kept"): 1, ("acme", b"after"): 1}


def test_a_read_only_disk_refuses_until_it_is_writable(world: World, disk: SimulatedDisk) -> None:
    """The error names the file system's state; appending is tried again every time."""
    disk.read_only = True
    refused = world.send(b"body")
    assert "Read-only file system: make that file system writable" in str(refused.exception())
    disk.read_only = False
    assert world.send(b"body").exception() is None


def test_a_folder_that_cannot_be_used_stops_the_start(disk: SimulatedDisk) -> None:
    """Recovering says which folder and why, and what to do."""
    disk.fail(lambda _operation, _kind: errno.EACCES)
    with pytest.raises(DataFolderUnusable, match="Permission denied: let this process's user write there"):
        World(disk).recovered()


@pytest.mark.parametrize("kind", ["refresh", "sync_folder"])
def test_left_overs_that_cannot_be_made_durable_stop_the_start(world: World, disk: SimulatedDisk, kind: str) -> None:
    """A retry must not be answered because of bytes that may not be on the disk."""
    world.send(b"body")
    disk.fail(lambda _operation, current: errno.EIO if current == kind else None)
    with pytest.raises(DataFolderUnusable, match="Input/output error"):
        World(disk).recovered()


def test_an_error_without_advice_says_what_the_system_says(world: World, disk: SimulatedDisk) -> None:
    """An errno that nobody thought of is passed on as it is."""
    disk.fail(lambda _operation, kind: errno.EFBIG if kind == "write" else None)
    assert str(world.send(b"body").exception()).endswith("(File too large)")


def test_before_recovery_and_after_closing_nothing_is_accepted(
    disk: SimulatedDisk, observer: RecordingObserver
) -> None:
    """A spool that is not open refuses at once, and is not alive."""
    world = World(disk, observer=observer)
    alive = [world.spool.alive]
    with pytest.raises(SpoolUnavailable, match="starting or stopping"):
        world.spool.append(ACME, b"early")
    world.recovered()
    alive.append(world.spool.alive)
    world.spool.close()
    alive.append(world.spool.alive)
    assert alive == [False, True, False]
    with pytest.raises(SpoolUnavailable):
        world.spool.append(ACME, b"late")
    assert observer.of("refused") == [("closed",), ("closed",)]


def test_closing_makes_durable_what_waits(world: World) -> None:
    """Who was let in before the close gets an answer, and the segment can be taken at once."""
    future = world.spool.append(ACME, b"body")
    world.spool.close()
    assert future.exception() is None
    segment = world.spool.take(timeout_s=60)
    assert segment is not None
    assert world.spool.take(timeout_s=60) is None


def test_closing_on_a_failing_disk_answers_everybody(world: World, disk: SimulatedDisk) -> None:
    """A disk that does not come back delays no stop; the next start cuts off what was not acknowledged."""
    world.send(b"kept")
    disk.fail(lambda _operation, kind: errno.EIO if kind in {"write", "truncate"} else None)
    failed = world.spool.append(ACME, b"failed")
    world.spool.close()
    assert isinstance(failed.exception(), SpoolUnavailable)
    disk.fail(lambda _operation, _kind: None)
    again = World(disk).recovered()
    again.settle()
    assert again.stored() == {("acme", b"kept"): 1}


def test_depth_says_what_waits(world: World) -> None:
    """Open, sealed and taken segments count until they are released; what is pending counts by itself."""
    assert world.spool.depth().oldest_age_s == 0
    world.send(b"x" * 500)
    world.send(b"open")
    world.spool.append(ACME, b"pending")
    world.clock.advance(2)
    depth = world.spool.depth()
    assert depth.segments == 2
    assert depth.oldest_age_s == pytest.approx(2, abs=0.001)
    assert depth.size_bytes + depth.pending_bytes == world.budget.used_bytes
    segment = world.spool.take()
    assert segment is not None
    assert world.spool.depth().segments == 2
    world.spool.release(segment)
    assert world.spool.depth().segments == 1
    assert world.spool.depth().oldest_age_s < 2.0001


def test_the_age_is_not_negative_when_the_clock_went_back(world: World) -> None:
    """A wall clock that is set back makes nothing older or younger than now."""
    world.send(b"body")
    world.clock.set_now_ns(0)
    assert world.spool.depth().oldest_age_s == 0


def test_forgotten_digests_are_counted(disk: SimulatedDisk, observer: RecordingObserver) -> None:
    """Over the bound of known requests the oldest is forgotten, and that is told."""
    world = World(disk, limits=replace(SMALL, duplicates_count_max=2), observer=observer).recovered()
    for number in range(3):
        world.send(b"%d" % number)
    assert observer.of("digests_shed") == [(1,)]
    assert not world.send(b"0").result().duplicate


def test_signals_share_budget_numbers_and_quarantine() -> None:
    """Spools of different signals in one folder do not touch each other's files, and never share a number."""
    disk, clock = SimulatedDisk(), ManualClock()
    numbers, budget = SegmentNumbers(clock=clock), SpoolBudget(size_bytes_max=1000)
    spools = [
        Spool(Path("/s"), signal=signal, disk=disk, clock=clock, numbers=numbers, budget=budget, limits=SMALL)
        for signal in Signal
    ]
    for spool in spools:
        spool.recover()
    futures = [spool.append(ACME, b"body") for spool in spools]
    for spool in spools:
        spool.step()
    assert len({future.result().segment for future in futures}) == len(Signal)
    assert budget.used_bytes == sum(spool.depth().size_bytes for spool in spools)
    assert [spool.signal for spool in spools] == list(Signal)
