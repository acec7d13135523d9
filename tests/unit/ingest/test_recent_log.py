"""What the recent log keeps, and what it makes of damage."""

import errno
from pathlib import Path

import pytest

from homeostat_server.ingest.duplicates import Acknowledged
from homeostat_server.ingest.recent_log import RECENT_NAME, Recent, RecentLog, parse
from homeostat_server.ingest.testing import SimulatedDisk

FOLDER = Path("/spool")
DIGESTS = [Acknowledged(bytes([number]) * 16, number, 1000 + number) for number in range(3)]


@pytest.fixture
def disk() -> SimulatedDisk:
    """Give a disk with the folder."""
    disk = SimulatedDisk()
    disk.make_folder(FOLDER)
    return disk


def _log(disk: SimulatedDisk) -> RecentLog:
    log = RecentLog(disk, FOLDER)
    log.rewrite(floor=5, acknowledged=DIGESTS[:1])
    return log


def test_a_log_says_what_was_written() -> None:
    """A new log has a floor and digests; entries add released segments, successors and digests."""
    disk = SimulatedDisk()
    disk.make_folder(FOLDER)
    log = _log(disk)
    log.append_released(7, acknowledged=DIGESTS[1:])
    log.append_released(8, successors=(9, 10))
    recent = RecentLog(disk, FOLDER).load()
    assert recent == Recent(10, frozenset({7, 8}), frozenset({9, 10}), tuple(DIGESTS))


def test_no_log_says_nothing(disk: SimulatedDisk) -> None:
    """The first start finds no log."""
    assert RecentLog(disk, FOLDER).load() == Recent()


def test_a_rewrite_forgets_all_but_the_floor_and_the_digests(disk: SimulatedDisk) -> None:
    """What was released before a rewrite is unlinked durably, so nothing has to be said of it any more."""
    log = _log(disk)
    log.append_released(7)
    log.rewrite(floor=11, acknowledged=DIGESTS)
    assert log.load() == Recent(11, acknowledged=tuple(DIGESTS))


def test_a_torn_end_is_ignored_at_every_byte(disk: SimulatedDisk) -> None:
    """Cut anywhere, the log says what its whole entries say."""
    log = _log(disk)
    whole = len(disk.read(FOLDER / RECENT_NAME))
    log.append_released(7, acknowledged=DIGESTS)
    data = disk.read(FOLDER / RECENT_NAME)
    for cut in range(whole, len(data)):
        assert parse(data[:cut]) == Recent(5, acknowledged=tuple(DIGESTS[:1]))


def test_a_damaged_entry_is_skipped_and_counted(disk: SimulatedDisk) -> None:
    """A flipped byte costs one entry; those behind it count."""
    log = _log(disk)
    whole = len(disk.read(FOLDER / RECENT_NAME))
    log.append_released(7)
    log.append_released(8)
    data = bytearray(disk.read(FOLDER / RECENT_NAME))
    data[whole + 20] ^= 1
    recent = parse(bytes(data))
    assert (recent.released, recent.damaged_entries) == (frozenset({8}), 1)


def test_an_impossible_length_ends_the_log(disk: SimulatedDisk) -> None:
    """Zeros behind the last entry are its end."""
    _log(disk)
    data = disk.read(FOLDER / RECENT_NAME)
    assert parse(data + bytes(100)) == parse(data)


def test_after_a_failed_append_the_log_wants_a_rewrite(disk: SimulatedDisk) -> None:
    """Nothing is appended behind a tail that cannot be trusted."""
    log = _log(disk)
    disk.fail(lambda _operation, kind: errno.EIO if kind == "sync" else None)
    with pytest.raises(OSError, match="Input/output"):
        log.append_released(7)
    disk.fail(lambda _operation, _kind: None)
    assert log.wants_rewrite
    with pytest.raises(RuntimeError, match="rewrite the log"):
        log.append_released(7)
    log.rewrite(floor=5, acknowledged=())
    log.append_released(7)
    assert log.load().released == {7}


def test_a_log_that_has_grown_wants_a_rewrite(disk: SimulatedDisk) -> None:
    """The file stays within a multiple of what is of use, above a size that matters."""
    log = _log(disk)
    many = [Acknowledged(bytes(16), 1, 1)] * 20_000
    assert not log.wants_rewrite
    log.append_released(7, acknowledged=many)
    assert not log.wants_rewrite
    log.append_released(8, acknowledged=many)
    assert log.wants_rewrite
