import errno
import os
from pathlib import Path

import pytest

from homeostat.buffer.spool import SEGMENT_BYTES_MAX, owner_name
from homeostat.buffer.testing import TroubledDisk
from tests.unit.sdk.buffer.spools import Process, files, number_of, record


def test_records_come_back_in_order(tmp_path: Path) -> None:
    """The oldest first, each until it is done, whatever is written meanwhile."""
    process = Process(tmp_path, "a")
    process.write(1, 2)
    first = process.spool.first()
    assert first is not None
    again = process.spool.first()
    assert again is not None
    assert again.record is first.record
    process.write(3)
    assert process.deliver() == [1, 2, 3]
    assert process.spool.first() is None
    assert process.spool.is_empty


def test_nothing_is_made_before_there_is_something_to_write(tmp_path: Path) -> None:
    """A process that delivers everything at once leaves no trace."""
    process = Process(tmp_path / "spool", "a")
    assert process.spool.is_empty
    assert process.spool.first() is None
    process.spool.sync()
    process.spool.close()
    assert not (tmp_path / "spool").exists()


def test_it_is_for_nobody_else(tmp_path: Path) -> None:
    """Folders are 0700 and files 0600, whatever the mask says."""
    old = os.umask(0)
    try:
        Process(tmp_path / "spool", "a").write(1)
    finally:
        os.umask(old)
    modes = {path: path.stat().st_mode & 0o777 for path in (tmp_path / "spool").rglob("*")}
    assert {mode for path, mode in modes.items() if path.is_file()} == {0o600}
    assert {mode for path, mode in modes.items() if path.is_dir()} == {0o700}
    assert (tmp_path / "spool").stat().st_mode & 0o777 == 0o700


def test_the_next_process_goes_on_where_a_killed_one_was(tmp_path: Path) -> None:
    """What was delivered before the kill is not delivered again, and the rest comes before the next one's own."""
    first = Process(tmp_path, "1")
    first.write(1, 2, 3)
    assert first.deliver(1) == [1]
    first.die()
    second = Process(tmp_path, "2")
    second.write(4)
    assert second.spool.adopt() == 1
    assert second.deliver() == [2, 3, 4]
    second.spool.close()
    assert files(tmp_path) == []


def test_a_living_process_keeps_its_own(tmp_path: Path) -> None:
    """Nobody takes what belongs to a process that has its lock, not even twice in one process."""
    first, second = Process(tmp_path, "1"), Process(tmp_path, "2")
    first.write(1)
    second.write(2)
    assert (first.spool.adopt(), second.spool.adopt()) == (0, 0)
    assert first.deliver() == [1]
    assert second.deliver() == [2]


def test_exactly_one_adopts(tmp_path: Path) -> None:
    """Two processes that look at the same time do not both deliver what a third left."""
    dead = Process(tmp_path, "1")
    dead.write(1, 2)
    dead.die()
    living = [Process(tmp_path, str(number)) for number in range(2, 5)]
    assert sum(process.spool.adopt() for process in living) == 1
    assert sorted(number for process in living for number in process.deliver()) == [1, 2]


def test_the_oldest_process_comes_first(tmp_path: Path) -> None:
    """Names sort by the time at which their processes began."""
    for began_ns in (300, 100, 200):
        dead = Process(tmp_path, owner_name(started_ns=began_ns))
        dead.write(began_ns)
        dead.die()
    heir = Process(tmp_path, owner_name(started_ns=400))
    assert heir.spool.adopt() == 3
    assert heir.deliver() == [100, 200, 300]


def test_an_orderly_end_leaves_the_rest_to_others(tmp_path: Path) -> None:
    """A closed spool can be adopted at once."""
    first = Process(tmp_path, "1")
    first.write(1)
    first.spool.close()
    second = Process(tmp_path, "2")
    assert second.spool.adopt() == 1
    assert second.deliver() == [1]
    assert files(tmp_path) == []


def test_a_torn_end_is_cut_off(tmp_path: Path) -> None:
    """A process that was killed in the middle of a write loses that record, and no other."""
    first = Process(tmp_path, "1")
    first.write(1, 2, 3)
    first.die()
    segment = files(tmp_path)[0]
    os.truncate(segment, segment.stat().st_size - 1)
    second = Process(tmp_path, "2")
    second.spool.adopt()
    assert second.deliver() == [1, 2]
    assert not second.losses.items


def test_a_damaged_record_is_passed_over_and_counted(tmp_path: Path) -> None:
    """The checksum tells; those around it are delivered."""
    first = Process(tmp_path, "1")
    first.write(1, 2, 3)
    first.die()
    segment = files(tmp_path)[0]
    content = bytearray(segment.read_bytes())
    content[len(content) // 2 + 5] ^= 1
    segment.write_bytes(content)
    second = Process(tmp_path, "2")
    second.spool.adopt()
    assert second.deliver() == [1, 3]
    assert second.losses.items == {"damaged": 1}


def test_a_head_that_changes_under_our_hands_ends_the_segment(tmp_path: Path) -> None:
    """What cannot be found any more is counted, and the next segment goes on."""
    process = Process(tmp_path, "1")
    process.write(1, 2)
    segment = files(tmp_path)[0]
    segment.write_bytes(b"\0" * segment.stat().st_size)
    assert process.deliver() == []
    assert process.losses.items == {"damaged": 2}
    process.write(3)
    assert process.deliver() == [3]


def test_the_bound_holds_and_the_oldest_go(tmp_path: Path) -> None:
    """Files never grow over it; what is given up for new records is counted, one for one."""
    process = Process(tmp_path, "1", bytes_max=4000)
    for number in range(100):
        process.write(number, size_bytes=100)
        assert sum(path.stat().st_size for path in files(tmp_path)) <= 4000
    delivered = process.deliver()
    assert delivered == list(range(100 - len(delivered), 100))
    assert len(delivered) > 20
    assert process.losses.items == {"spool_full": 100 - len(delivered)}


def test_a_record_that_never_fits_is_counted(tmp_path: Path) -> None:
    """It takes everything else along, because that is older."""
    process = Process(tmp_path, "1", bytes_max=1000)
    process.write(1, 2)
    process.write(3, size_bytes=1001)
    assert process.deliver() == []
    assert process.losses.items == {"spool_full": 3}


def test_room_that_others_take_is_not_ours(tmp_path: Path) -> None:
    """All processes share the bound; one that finds no room gives up its own, not another's."""
    first, second = Process(tmp_path, "1", bytes_max=2000), Process(tmp_path, "2", bytes_max=2000)
    first.write(*range(15), size_bytes=100)
    second.write(*range(100, 104), size_bytes=100)
    assert second.losses.items == {"spool_full": 3}
    assert second.deliver() == [103]
    assert first.deliver() == list(range(15))


def test_a_record_given_up_on_its_way_is_not_done(tmp_path: Path) -> None:
    """It is counted as lost already, so its delivery is not counted, too."""
    process = Process(tmp_path, "1", bytes_max=1000)
    process.write(0, size_bytes=100)
    taken = process.spool.first()
    assert taken is not None
    process.write(*range(1, 12), size_bytes=100)
    assert not process.spool.done(taken)


def test_large_backlogs_are_in_many_files(tmp_path: Path) -> None:
    """A segment is closed when it has grown; a delivered one is removed."""
    process = Process(tmp_path, "1", bytes_max=100 << 20)
    process.write(*range(5), size_bytes=SEGMENT_BYTES_MAX)
    segments = [path for path in files(tmp_path) if path.suffix == ".spool"]
    assert len(segments) == 5
    assert process.deliver(2) == [0, 1]
    assert [path for path in files(tmp_path) if path.suffix == ".spool"] == segments[2:]
    assert process.deliver() == [2, 3, 4]


def test_a_small_backlog_uses_one_file_again(tmp_path: Path) -> None:
    """A file that is empty is written from its beginning."""
    process = Process(tmp_path, "1")
    for number in range(50):
        process.write(number, size_bytes=1000)
        assert process.deliver() == [number]
    assert [path.stat().st_size for path in files(tmp_path) if path.suffix == ".spool"] == [0]


def test_a_full_disk_leaves_no_half_record(tmp_path: Path) -> None:
    """What was written of it is cut off, so that the next record stands where it began."""
    disk = TroubledDisk(room_bytes=50)
    process = Process(tmp_path, "1", disk=disk)
    process.write(1)
    with pytest.raises(OSError, match="No space"):
        process.write(2)
    disk.room_bytes = 1000
    process.write(3)
    assert process.deliver() == [1, 3]


def test_a_half_record_that_cannot_be_cut_off_is_overwritten(tmp_path: Path) -> None:
    """A disk that fails twice does not make what comes later unreadable."""
    disk = TroubledDisk(room_bytes=50, trouble={"truncate": errno.EIO})
    process = Process(tmp_path, "1", disk=disk)
    process.write(1)
    with pytest.raises(OSError, match="No space"):
        process.write(2)
    disk.room_bytes = 1000
    disk.trouble.clear()
    process.write(3)
    process.die()
    heir = Process(tmp_path, "2")
    heir.spool.adopt()
    assert heir.deliver() == [1, 3]


def test_a_segment_that_cannot_be_read_stays_for_a_later_process(tmp_path: Path) -> None:
    """It is lost to this process and counted; the file stays."""
    first = Process(tmp_path, "1")
    first.write(1)
    first.die()
    disk = TroubledDisk(trouble={"read": errno.EIO})
    second = Process(tmp_path, "2", disk=disk)
    second.spool.adopt()
    assert second.deliver() == []
    disk.trouble.clear()
    second.write(2)
    assert second.deliver() == [2]
    second.spool.close()
    third = Process(tmp_path, "3")
    assert third.spool.adopt() == 1
    assert third.deliver() == [1]


def test_own_records_that_cannot_be_read_are_counted(tmp_path: Path) -> None:
    """Their number is known, and nothing is repeated for ever."""
    disk = TroubledDisk()
    process = Process(tmp_path, "1", disk=disk)
    process.write(1, 2)
    disk.trouble["read"] = errno.EIO
    assert process.deliver() == []
    assert process.losses.items == {"unreadable": 2}


def test_a_mark_that_the_disk_does_not_take_is_not_repeated(tmp_path: Path) -> None:
    """The record is behind us all the same; only a later process would find it again."""
    disk = TroubledDisk()
    process = Process(tmp_path, "1", disk=disk)
    process.write(1, 2)
    taken = process.spool.first()
    assert taken is not None
    disk.trouble["overwrite"] = errno.EROFS
    with pytest.raises(OSError, match="Read-only"):
        process.spool.done(taken)
    following = process.spool.first()
    assert following is not None
    assert number_of(following.record) == 2


def test_what_another_user_left_is_passed_over(tmp_path: Path) -> None:
    """A folder that may not be locked is nobody's business."""
    dead = Process(tmp_path, "1")
    dead.write(1)
    dead.die()
    process = Process(tmp_path, "2", disk=TroubledDisk(trouble={"lock": errno.EACCES}))
    assert process.spool.adopt() == 0


def test_folders_without_a_lock_are_not_touched(tmp_path: Path) -> None:
    """They are not ours, or are just being made."""
    (tmp_path / "photos").mkdir()
    assert Process(tmp_path, "1").spool.adopt() == 0


def test_a_name_that_is_taken_gives_way_to_the_next(tmp_path: Path) -> None:
    """Somebody who looks for dead processes may have locked a folder that is just being made."""
    first, second = Process(tmp_path, "same"), Process(tmp_path, "same")
    first.write(1)
    second.write(2)
    assert (first.deliver(), second.deliver()) == ([1], [2])


def test_too_many_taken_names_are_an_error(tmp_path: Path) -> None:
    """It does not try for ever."""
    processes = [Process(tmp_path, "same") for _ in range(9)]
    for process in processes[:8]:
        process.write(1)
    with pytest.raises(OSError, match="can be locked"):
        processes[8].write(1)


def test_a_fork_leaves_everything_to_the_parent(tmp_path: Path) -> None:
    """The child's copies are closed, and the parent still has its lock."""
    parent = Process(tmp_path, "1")
    parent.write(1)
    child = os.fork()
    if child == 0:
        parent.spool.abandon()
        other = Process(tmp_path, "2")
        os._exit(other.spool.adopt())
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert parent.deliver() == [1]


def test_two_records_are_told_apart() -> None:
    """The helper of these tests does what it says."""
    assert number_of(record(12)) == 12
