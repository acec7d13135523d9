import errno

import pytest

from homeostat_server.exceptions import SpoolUnavailable
from homeostat_server.ingest.disk import Disk
from homeostat_server.ingest.observer import SilentObserver
from homeostat_server.ingest.place import Place
from homeostat_server.ingest.probing import PROBE_NAME, probe
from homeostat_server.ingest.testing import SimulatedDisk
from homeostat_server.model.signal import Signal
from homeostat_server.runtime.testing import ManualClock
from tests.unit.ingest.spool_world import ACME, FOLDER, ROOT, World


def place(disk: Disk) -> Place:
    """Return the place of a spool on a disk."""
    return Place(root=ROOT, signal=Signal.TRACES, disk=disk, clock=ManualClock(), observer=SilentObserver())


@pytest.fixture
def disk() -> SimulatedDisk:
    """Return a disk with the spool's folder."""
    disk = SimulatedDisk()
    disk.make_folder(FOLDER)
    return disk


def test_a_disk_that_works_keeps_nothing_of_the_probe(disk: SimulatedDisk) -> None:
    """It is written and gone again, however often."""
    for _ in range(2):
        probe(place(disk), free_bytes_min=0)
    assert disk.list_files(FOLDER) == []


@pytest.mark.parametrize("kind", ["create", "write", "sync"])
def test_a_disk_that_fails_is_told_with_its_cause(disk: SimulatedDisk, kind: str) -> None:
    """Whatever step a request would fail at, the probe does, and leaves nothing."""
    disk.fail(lambda _operation, operation: errno.ENOSPC if operation == kind else None)
    with pytest.raises(SpoolUnavailable, match="No space left on device"):
        probe(place(disk), free_bytes_min=0)
    assert disk.list_files(FOLDER) == []


def test_the_reserve_counts_as_full(disk: SimulatedDisk) -> None:
    """When a request would be refused for the sake of the engine, the probe says so."""
    with pytest.raises(SpoolUnavailable, match="No space left on device"):
        probe(place(disk), free_bytes_min=1 << 60)


def test_a_probe_that_a_crash_left_is_no_segment(disk: SimulatedDisk) -> None:
    """Recovery takes nothing from it, and the next probe replaces it."""
    disk.create(FOLDER / PROBE_NAME).close()
    world = World(disk).recovered()
    world.spool.probe()
    assert world.spool.take() is None
    assert PROBE_NAME not in [file.name for file in disk.list_files(FOLDER)]


def test_a_closed_spool_says_that_it_is(disk: SimulatedDisk) -> None:
    """Nothing can be made durable any more, whatever the disk would do."""
    world = World(disk).recovered()
    world.spool.append(ACME, b"body")
    world.spool.close()
    with pytest.raises(SpoolUnavailable, match="closed"):
        world.spool.probe()
