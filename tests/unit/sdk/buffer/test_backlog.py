import errno
import logging
import os
from collections import Counter
from pathlib import Path

import pytest

from homeostat.buffer import Backlog
from homeostat.buffer.disk import Disk
from homeostat.buffer.testing import TroubledDisk
from homeostat.export.testing import SimulatedClock
from tests.unit.sdk.buffer.spools import files, number_of, record


class Bench:
    """Hold a backlog, its clock and what it lost."""

    def __init__(self, folder: Path | None, *, disk: Disk | None = None, memory_bytes_max: int = 100) -> None:
        """Begin it."""
        self.clock = SimulatedClock()
        self.losses: Counter[str] = Counter()
        self.backlog = Backlog(
            folder,
            bytes_max=10_000,
            memory_bytes_max=memory_bytes_max,
            on_loss=lambda _, items, reason: self.losses.update({reason: items}),
            now_s=self.clock.now_s,
            started_ns=int(self.clock.time_s),
            disk=disk,
        )

    def write(self, *numbers: int) -> None:
        """Append records of ten bytes that can be told apart."""
        for number in numbers:
            self.backlog.append(record(number))

    def waits(self) -> bool:
        """Say whether something waits."""
        return not self.backlog.is_empty

    def deliver(self) -> list[int]:
        """Take everything, in order."""
        delivered = []
        while (first := self.backlog.first()) is not None:
            delivered.append(number_of(first))
            assert self.backlog.done(first)
        return delivered


@pytest.mark.parametrize("has_disk", [True, False])
def test_it_gives_what_it_was_given(tmp_path: Path, *, has_disk: bool) -> None:
    """In order, with and without a disk."""
    bench = Bench(tmp_path if has_disk else None)
    assert not bench.waits()
    bench.write(1, 2, 3)
    assert bench.waits()
    assert bench.backlog.bytes_held >= 30
    assert bench.deliver() == [1, 2, 3]
    assert not bench.waits()
    assert bool(files(tmp_path)) is has_disk


def test_memory_has_a_bound(tmp_path: Path) -> None:
    """Without a disk the oldest go, counted."""
    bench = Bench(None)
    bench.write(*range(15))
    assert bench.deliver() == list(range(5, 15))
    assert bench.losses == {"memory_full": 5}


@pytest.mark.parametrize(
    "trouble", [{"make_folder": errno.EROFS}, {"append": errno.ENOSPC}, {"open": errno.EMFILE}, {"lock": errno.ENOLCK}]
)
def test_a_disk_in_trouble_is_told_once_and_memory_takes_over(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, trouble: dict[str, int]
) -> None:
    """Read-only, full, out of descriptors, without locks: one warning, and nothing is lost within the bound."""
    bench = Bench(tmp_path, disk=TroubledDisk(trouble=trouble))
    with caplog.at_level(logging.WARNING):
        bench.write(*range(5))
        bench.backlog.tend()
    assert [entry.name for entry in caplog.records] == ["homeostat.buffer"]
    assert bench.deliver() == list(range(5))
    assert not bench.losses


def test_a_disk_that_is_well_again_gets_what_waited_in_memory(tmp_path: Path) -> None:
    """After half a minute it is asked again; order is kept over the trouble."""
    disk = TroubledDisk()
    bench = Bench(tmp_path, disk=disk)
    bench.write(1)
    disk.trouble["append"] = errno.ENOSPC
    bench.write(2)
    disk.trouble.clear()
    bench.write(3)
    assert disk.calls.count("append") == 2
    bench.clock.sleep(31)
    bench.write(4)
    assert disk.calls.count("append") == 5
    assert bench.deliver() == [1, 2, 3, 4]


def test_tending_offers_memory_to_the_disk(tmp_path: Path) -> None:
    """Nothing new has to come for it."""
    disk = TroubledDisk(trouble={"append": errno.ENOSPC})
    bench = Bench(tmp_path, disk=disk)
    bench.write(1, 2)
    bench.clock.sleep(31)
    bench.backlog.tend()
    bench.clock.sleep(31)
    bench.write(3)
    disk.trouble.clear()
    bench.clock.sleep(31)
    bench.backlog.tend()
    bench.backlog.close()
    heir = Bench(tmp_path)
    heir.backlog.adopt()
    assert heir.deliver() == [1, 2, 3]


def test_what_was_written_is_synced_once_a_second(tmp_path: Path) -> None:
    """A power cut takes what was written in the last second, and the outage costs one sync a second."""
    disk = TroubledDisk()
    bench = Bench(tmp_path, disk=disk)
    for number in range(10):
        bench.write(number)
        bench.backlog.tend()
    assert disk.calls.count("sync") == 1
    bench.clock.sleep(1)
    bench.backlog.tend()
    bench.clock.sleep(1)
    bench.backlog.tend()
    assert disk.calls.count("sync") == 2


def test_left_overs_are_looked_for_now_and_then(tmp_path: Path) -> None:
    """A worker that died beside us is found within half a minute."""
    living, dying = Bench(tmp_path), Bench(tmp_path)
    dying.write(1)
    living.backlog.adopt()
    dying.backlog.close()
    living.backlog.adopt()
    assert living.backlog.is_empty
    living.clock.sleep(31)
    living.backlog.adopt()
    assert living.deliver() == [1]


def test_closing_puts_memory_on_disk(tmp_path: Path) -> None:
    """Even when the disk was in trouble a moment ago."""
    disk = TroubledDisk(trouble={"append": errno.ENOSPC})
    bench = Bench(tmp_path, disk=disk)
    bench.write(1, 2)
    disk.trouble.clear()
    bench.backlog.close()
    bench.backlog.close()
    heir = Bench(tmp_path)
    heir.backlog.adopt()
    assert heir.deliver() == [1, 2]


def test_what_no_disk_takes_ends_with_the_process_and_is_counted() -> None:
    """The same for what comes after the end."""
    bench = Bench(None)
    bench.write(1, 2)
    bench.backlog.close()
    bench.write(3)
    assert bench.losses == {"not_kept": 3}
    assert bench.backlog.first() is None
    assert not bench.backlog.done(record(1))
    bench.backlog.tend()
    bench.backlog.adopt()


def test_what_was_given_up_meanwhile_is_not_done(tmp_path: Path) -> None:
    """Also when it waited in memory."""
    bench = Bench(None)
    bench.write(1)
    first = bench.backlog.first()
    assert first is not None
    bench.write(*range(2, 13))
    assert not bench.backlog.done(first)


def test_a_mark_that_the_disk_refuses_counts_as_done(tmp_path: Path) -> None:
    """The backend has it; only a restart would send it again."""
    disk = TroubledDisk(trouble={"overwrite": errno.EROFS})
    bench = Bench(tmp_path, disk=disk)
    bench.write(1, 2)
    assert bench.deliver() == [1, 2]


def test_a_forked_child_begins_with_nothing(tmp_path: Path) -> None:
    """What waited is the parent's, on disk and in memory; the child has files of its own."""
    bench = Bench(tmp_path)
    bench.write(1)
    bench.backlog.before_fork()
    child = os.fork()
    if child == 0:
        bench.backlog.after_fork_in_child(started_ns=2)
        is_empty = bench.backlog.is_empty
        bench.write(7)
        bench.backlog.close()
        os._exit(0 if is_empty else 1)
    bench.backlog.after_fork_in_parent()
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    bench.backlog.adopt()
    assert sorted(bench.deliver()) == [1, 7]


def test_hooks_of_a_fork_are_harmless_alone(tmp_path: Path) -> None:
    """A parent's hook without a fork before it, and a fork without a disk."""
    bench = Bench(None)
    bench.backlog.after_fork_in_parent()
    bench.backlog.before_fork()
    bench.backlog.after_fork_in_parent()
    bench.backlog.after_fork_in_child(started_ns=1)
    bench.write(1)
    assert bench.deliver() == [1]
