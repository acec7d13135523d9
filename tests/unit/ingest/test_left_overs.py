"""What the next start makes of what an earlier run left: whole, torn, damaged, unreadable, interrupted."""

import errno
import json
from dataclasses import replace
from pathlib import Path

import pytest

from homeostat_server.exceptions import SpoolUnavailable
from homeostat_server.ingest.pending import Receipt
from homeostat_server.ingest.segment import segment_name, unfinished_name
from homeostat_server.ingest.testing import Fate, SimulatedDisk
from homeostat_server.runtime.testing import ManualClock
from tests.unit.ingest.spool_world import ACME, FOLDER, QUARANTINE, SMALL, RecordingObserver, World


@pytest.fixture
def disk() -> SimulatedDisk:
    """Give an empty disk."""
    return SimulatedDisk()


@pytest.fixture
def observer() -> RecordingObserver:
    """Give an observer."""
    return RecordingObserver()


def _left(disk: SimulatedDisk, *bodies: bytes) -> Path:
    """Leave one segment with these requests, and return its path."""
    world = World(disk).recovered()
    futures = [world.spool.append(ACME, body) for body in bodies]
    world.write()
    world.spool.close()
    return FOLDER / segment_name(futures[0].result().segment)


def _number(path: Path) -> int:
    return int(path.name.split(".")[0])


def _names(disk: SimulatedDisk, folder: Path = FOLDER) -> list[str]:
    return [file.name for file in disk.list_files(folder)]


def test_left_overs_come_first_and_as_replays(disk: SimulatedDisk) -> None:
    """What an earlier run left is handed out before anything new, with the sign that rows of it may exist."""
    path = _left(disk, b"old")
    world = World(disk, clock=ManualClock(now_ns=ManualClock().now_ns() + 10**9)).recovered()
    world.send(b"new")
    world.clock.advance(1)
    first, second = world.spool.take(), world.spool.take()
    assert first is not None
    assert second is not None
    assert (first.path, first.replay, first.records, first.tenants) == (path, True, 1, frozenset({"acme"}))
    assert first.acknowledged_ns == first.received_ns
    assert not second.replay
    assert second.number > first.number


def test_numbers_go_on_above_those_of_left_overs_and_of_the_log(disk: SimulatedDisk) -> None:
    """A wall clock that went back between two runs brings no number back, whether its segment is there or gone."""
    clock = ManualClock()
    world = World(disk, clock=clock).recovered()
    used = world.send(b"stored").result().segment
    world.settle()
    clock.set_now_ns(clock.now_ns() - 3600 * 10**9)
    world = World(disk, clock=clock).recovered()
    left = world.send(b"left").result().segment
    assert left > used
    clock.set_now_ns(clock.now_ns() - 3600 * 10**9)
    assert World(disk, clock=clock).recovered().send(b"new").result().segment > left


def test_a_torn_tail_is_cut_off_and_counted(disk: SimulatedDisk, observer: RecordingObserver) -> None:
    """The whole records are stored, what was being written at the end is not, and nothing goes to quarantine."""
    path = _left(disk, b"one", b"two")
    data = disk.read(path)
    disk.overwrite(path, data + data[:20])
    world = World(disk, observer=observer).recovered()
    world.settle()
    assert world.stored() == {("acme", b"one"): 1, ("acme", b"two"): 1}
    assert observer.of("torn") == [(20,)]
    assert _names(disk, QUARANTINE) == []
    assert world.budget.used_bytes == 0


def test_a_segment_of_nothing_but_a_torn_record_is_dropped(disk: SimulatedDisk, observer: RecordingObserver) -> None:
    """A file that holds no whole record is removed without the store hearing of it."""
    path = _left(disk, b"one")
    disk.overwrite(path, disk.read(path)[:-1])
    world = World(disk, observer=observer).recovered()
    world.settle()
    assert world.store.inserts == 0
    assert _names(disk) == ["recent.log"]


def test_an_empty_segment_is_dropped(disk: SimulatedDisk) -> None:
    """A file whose name became durable before its first record is no segment."""
    path = _left(disk, b"one")
    disk.overwrite(path, b"")
    assert World(disk).recovered().spool.depth().segments == 0
    assert _names(disk) == ["recent.log"]


def test_a_damaged_record_goes_to_quarantine_and_its_neighbours_to_the_store(
    disk: SimulatedDisk, observer: RecordingObserver
) -> None:
    """A flipped bit costs one record, which is kept with the reason; the segment keeps its number, for the replay."""
    path = _left(disk, b"one" * 10, b"two" * 10, b"three" * 10)
    data = bytearray(disk.read(path))
    at = data.index(b"twotwo")
    data[at] ^= 1
    disk.overwrite(path, bytes(data) + data[:9])
    world = World(disk, observer=observer).recovered()
    world.settle()
    assert world.stored() == {("acme", b"one" * 10): 1, ("acme", b"three" * 10): 1}
    assert {row.number for row in world.store.rows} == {_number(path)}
    assert [reason for reason, _ in observer.of("quarantined")] == ["corrupt"]
    assert observer.of("torn") == [(9,)]
    kept, why = _names(disk, QUARANTINE)[::-1]
    assert disk.read(QUARANTINE / kept) in bytes(data)
    explanation = json.loads(disk.read(QUARANTINE / why))
    assert explanation["kind"] == "corrupt"
    assert "the digest does not match the record" in explanation["reason"]
    assert (explanation["signal"], explanation["segment"]) == ("traces", _number(path))
    assert world.budget.used_bytes == 0


def test_a_segment_of_nothing_but_damage_is_set_aside(disk: SimulatedDisk, observer: RecordingObserver) -> None:
    """When no record is left the store does not hear of the segment."""
    path = _left(disk, b"one")
    disk.overwrite(path, b"?" * 50)
    world = World(disk, observer=observer).recovered()
    world.settle()
    assert world.store.inserts == 0
    assert observer.of("quarantined") == [("corrupt", 50)]


def test_a_full_disk_delays_the_mending_and_loses_nothing(disk: SimulatedDisk) -> None:
    """Setting aside needs space; until there is some, the taker is told, and then it goes on without hands."""
    path = _left(disk, b"one", b"two")
    data = disk.read(path)
    disk.overwrite(path, data[:20] + b"?" + data[21:])
    world = World(disk).recovered()
    disk.capacity_bytes = 0
    with pytest.raises(SpoolUnavailable, match=r"read a left-over segment.*No space left"):
        world.spool.take()
    disk.capacity_bytes = 1 << 20
    world.settle()
    assert world.stored() == {("acme", b"two"): 1}


def test_a_full_disk_does_not_stop_the_start(disk: SimulatedDisk) -> None:
    """Everything left is stored after a start on a full disk, once there is space for the log again."""
    _left(disk, b"one")
    disk.capacity_bytes = 0
    world = World(disk).recovered()
    world.commit()
    assert world.stored() == {("acme", b"one"): 1}
    disk.capacity_bytes = 1 << 20
    world.settle()
    assert world.send(b"one").result().duplicate


def test_an_unreadable_segment_is_left_aside_with_the_reason(disk: SimulatedDisk, observer: RecordingObserver) -> None:
    """A file that the disk cannot read any more does not hold the others up; it stays, under another name."""
    path = _left(disk, b"lost to the medium")
    disk.fail_reads(path, number=errno.EIO)
    world = World(disk, observer=observer).recovered()
    world.send(b"new")
    world.settle()
    assert world.stored() == {("acme", b"new"): 1}
    assert path.with_suffix(".unreadable").name in _names(disk)
    why = json.loads(disk.read(QUARANTINE / f"traces-{_number(path):020d}-unreadable.json"))
    assert "Input/output error" in why["reason"]
    assert observer.count("quarantined") == 1
    assert world.spool.depth().segments == 0


def test_a_segment_that_cannot_be_read_now_is_tried_again(disk: SimulatedDisk) -> None:
    """An error that may pass is told, and nothing is set aside."""
    path = _left(disk, b"one")
    disk.fail_reads(path, number=errno.EMFILE)
    world = World(disk).recovered()
    with pytest.raises(SpoolUnavailable, match="Too many open files: raise the limit"):
        world.spool.take()
    assert path.name in _names(disk)


def test_setting_aside_an_unreadable_segment_can_be_interrupted(disk: SimulatedDisk) -> None:
    """When the rename worked and the release did not, the next attempt only releases."""
    path = _left(disk, b"one")
    world = World(disk).recovered()
    disk.fail_reads(path, number=errno.EIO)
    disk.fail(lambda _operation, kind: errno.EIO if kind == "write" and path.name not in _names(disk) else None)
    with pytest.raises(SpoolUnavailable):
        world.spool.take()
    disk.fail(lambda _operation, _kind: None)
    world.settle()
    assert world.spool.depth().segments == 0


def test_a_retry_after_a_restart_is_known_from_a_left_over(disk: SimulatedDisk) -> None:
    """A body that is in a segment that was not stored yet is acknowledged again and stored once."""
    path = _left(disk, b"one")
    world = World(disk).recovered()
    assert world.send(b"one").result() == Receipt(_number(path), duplicate=True)
    world.settle()
    assert world.stored() == {("acme", b"one"): 1}


def test_a_retry_is_not_answered_because_of_bytes_that_a_failed_sync_left(disk: SimulatedDisk) -> None:
    """A process that is killed before it cut a failed record back leaves bytes that only a rewrite makes durable."""
    world = World(disk).recovered()
    disk.fail(lambda _operation, kind: errno.EIO if kind in {"sync", "truncate"} else None)
    failed = world.send(b"one")
    assert failed.exception() is not None
    disk.fail(lambda _operation, _kind: None)
    assert World(disk).recovered().send(b"one").result().duplicate
    after = World(disk.after_power_cut(Fate.LOST)).recovered()
    after.settle()
    assert after.stored() == {("acme", b"one"): 1}


def test_a_retry_after_a_restart_is_known_from_the_log(disk: SimulatedDisk) -> None:
    """A body whose segment is stored and gone is acknowledged again within the window, and stored anew after it."""
    world = World(disk).recovered()
    world.send(b"one")
    world.settle()
    world.spool.close()
    again = World(disk, clock=world.clock, rows=world.store.rows).recovered()
    again.clock.advance(50)
    assert again.send(b"one").result().duplicate
    again.clock.advance(20)
    assert not again.send(b"one").result().duplicate


def test_only_the_newest_of_a_long_backlog_are_read_at_start(disk: SimulatedDisk) -> None:
    """A start reads what may hold requests of the last minute; the rest is looked into when its turn comes."""
    clock = ManualClock()
    world = World(disk, clock=clock, limits=replace(SMALL, segment_bytes_max=1)).recovered()
    numbers = []
    for age in range(5):
        numbers.append(world.send(b"%d" % age).result().segment)
        clock.advance(100)
    for number in numbers[:-1]:
        disk.fail_reads(FOLDER / segment_name(number), number=errno.EMFILE)
    World(disk, clock=clock).recovered()
    assert [path.name for path in disk.reads] == ["recent.log", segment_name(numbers[-1])]


def test_left_overs_from_the_future_are_all_read_at_start(disk: SimulatedDisk) -> None:
    """When the wall clock went back, a number does not tell what is old, so every digest is learnt."""
    clock = ManualClock()
    world = World(disk, clock=clock, limits=replace(SMALL, segment_bytes_max=1)).recovered()
    for age in range(3):
        world.send(b"%d" % age)
        clock.advance(100)
    clock.set_now_ns(clock.now_ns() - 3600 * 10**9)
    again = World(disk, clock=clock).recovered()
    assert all(again.send(b"%d" % age).result().duplicate for age in range(3))


def test_an_interrupted_rewrite_is_forgotten(disk: SimulatedDisk) -> None:
    """An unfinished file beside its finished one, or of no number that the log names, does not count."""
    path = _left(disk, b"one")
    for unfinished in (FOLDER / unfinished_name(_number(path)), FOLDER / unfinished_name(5)):
        disk.create(unfinished).write([b"half"])
    world = World(disk).recovered()
    world.settle()
    assert world.stored() == {("acme", b"one"): 1}
    assert _names(disk) == ["recent.log"]


def test_files_of_others_are_left_alone(disk: SimulatedDisk) -> None:
    """A file that the spool did not make is neither read nor removed."""
    _left(disk, b"one")
    disk.create(FOLDER / "notes.txt").write([b"mine"])
    World(disk).recovered().settle()
    assert _names(disk) == ["notes.txt", "recent.log"]


def test_quarantine_is_bounded(disk: SimulatedDisk, observer: RecordingObserver) -> None:
    """Past its bound the oldest of the same signal are deleted and counted; a single one always has its place."""
    disk.make_folder(QUARANTINE)
    disk.create(QUARANTINE / "logs-1.segment").write([b"x" * 5000])
    world = World(disk, limits=replace(SMALL, quarantine_bytes_max=1000), observer=observer).recovered()
    world.store.refuses = lambda _body: True
    for number in range(4):
        world.send(b"%d" % number * 300)
        world.settle()
    names = _names(disk, QUARANTINE)
    assert names[0] == "logs-1.segment"
    assert len(names) < 8
    assert observer.count("quarantined") == 4
    assert observer.count("quarantine_shed") > 0
    assert any(disk.read(QUARANTINE / name).count(b"3") >= 300 for name in names)


def test_setting_the_same_record_aside_again_changes_nothing(disk: SimulatedDisk, observer: RecordingObserver) -> None:
    """After a crash between quarantine and release the record is set aside once more, in the same place."""
    limits = replace(SMALL, quarantine_bytes_max=1)
    world = World(disk, limits=limits).recovered()
    world.store.refuses = lambda _body: True
    world.send(b"bad")
    disk.fail(lambda _operation, kind: errno.EIO if kind == "unlink" else None)
    world.commit()
    before = _names(disk, QUARANTINE)
    assert before
    disk.fail(lambda _operation, _kind: None)
    again = World(disk, limits=limits, observer=observer).recovered()
    again.store.refuses = world.store.refuses
    again.settle()
    assert _names(disk, QUARANTINE) == before
    assert observer.count("quarantine_shed") == 0


def test_long_bodies_survive_a_restart(disk: SimulatedDisk) -> None:
    """A body that is too long to be copied into its frame is read back byte for byte."""
    body = bytes(range(256)) * 100
    _left(disk, body)
    world = World(disk).recovered()
    world.settle()
    assert world.stored() == {("acme", body): 1}
