"""The real disk, and the simulated one: both keep the contract, and the simulated one keeps no more than that."""

import errno
import os
import resource
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

import pytest

from homeostat_server.ingest.disk import Disk, FileEntry, SystemDisk, unwritten, write_whole
from homeostat_server.ingest.testing import Fate, PowerCut, SimulatedDisk


@pytest.fixture(params=["system", "simulated"])
def disk(request: pytest.FixtureRequest) -> Disk:
    """Give each kind of disk."""
    return SystemDisk() if request.param == "system" else SimulatedDisk()


@pytest.fixture
def folder(disk: Disk, tmp_path: Path) -> Path:
    """Give a folder two levels deep, made by the disk."""
    made = tmp_path / "a" / "b"
    disk.make_folder(made)
    return made


def _write(disk: Disk, path: Path, *buffers: bytes) -> None:
    with closing(disk.create(path)) as file:
        file.write(buffers)
        file.sync()
    disk.sync_folder(path.parent)


def test_making_a_folder_twice_is_fine(disk: Disk, folder: Path) -> None:
    """A folder that exists is left as it is."""
    _write(disk, folder / "file", b"content")
    disk.make_folder(folder)
    assert disk.list_files(folder) == [FileEntry("file", 7)]


def test_buffers_are_written_in_order_past_the_limit_of_one_call(disk: Disk, folder: Path) -> None:
    """More buffers than the operating system takes at once arrive in order."""
    buffers = [b"%d," % number for number in range(3000)]
    _write(disk, folder / "file", *buffers)
    assert disk.read(folder / "file") == b"".join(buffers)


def test_a_file_is_written_to_at_its_end(disk: Disk, folder: Path) -> None:
    """Opening a file again and cutting it back go on where the file ends."""
    _write(disk, folder / "file", b"one two")
    with closing(disk.open_append(folder / "file")) as file:
        file.truncate(4)
        file.write([b"three"])
        file.sync()
    assert disk.read(folder / "file") == b"one three"


def test_a_name_that_is_taken_is_refused(disk: Disk, folder: Path) -> None:
    """Creating never empties a file that is there."""
    _write(disk, folder / "file", b"content")
    with pytest.raises(FileExistsError):
        disk.create(folder / "file")


def test_renaming_replaces(disk: Disk, folder: Path) -> None:
    """The new name has the old file's content, and only that."""
    _write(disk, folder / "old", b"old")
    _write(disk, folder / "new", b"new")
    disk.rename(folder / "old", folder / "new")
    assert disk.list_files(folder) == [FileEntry("new", 3)]
    assert disk.read(folder / "new") == b"old"


def test_files_are_listed_by_name_without_folders(disk: Disk, folder: Path) -> None:
    """A listing is sorted and has no folders."""
    disk.make_folder(folder / "z")
    for name in ("c", "a", "b"):
        _write(disk, folder / name, name.encode())
    assert [file.name for file in disk.list_files(folder)] == ["a", "b", "c"]


def test_what_is_not_there_is_not_found(disk: Disk, folder: Path) -> None:
    """Every call on a missing file says so and names it."""
    missing = folder / "missing"
    for call in (disk.read, disk.open_append, disk.unlink):
        with pytest.raises(FileNotFoundError) as caught:
            call(missing)
        assert caught.value.filename == str(missing) or caught.value.filename == missing
    with pytest.raises(FileNotFoundError):
        disk.list_files(missing)


def test_writing_whole_replaces_a_left_over(disk: Disk, folder: Path) -> None:
    """An unfinished file of an earlier attempt does not stay in the way."""
    write_whole(disk, folder / "file", [b"long unfinished"])
    write_whole(disk, folder / "file", [b"short"])
    assert disk.read(folder / "file") == b"short"


def test_refreshing_keeps_the_content(disk: Disk, folder: Path) -> None:
    """What is written again is what was there, longer than one chunk or empty."""
    content = bytes(range(256)) * 5000
    _write(disk, folder / "long", content)
    _write(disk, folder / "empty")
    for name in ("long", "empty"):
        disk.refresh(folder / name)
    assert disk.read(folder / "long") == content
    assert disk.read(folder / "empty") == b""
    with pytest.raises(FileNotFoundError):
        disk.refresh(folder / "missing")


def test_free_space_shrinks_by_what_is_written() -> None:
    """The simulated disk counts what its files hold."""
    disk = SimulatedDisk()
    disk.capacity_bytes = 10
    disk.make_folder(Path("/d"))
    _write(disk, Path("/d/file"), b"1234")
    assert disk.free_bytes(Path("/d")) == 6


def test_the_real_disk_knows_its_free_space(tmp_path: Path) -> None:
    """Free space is a number of bytes, and there are some."""
    assert SystemDisk().free_bytes(tmp_path) > 0


def test_a_closed_file_can_be_closed_again(tmp_path: Path) -> None:
    """Closing twice does not close somebody else's descriptor."""
    file = SystemDisk().create(tmp_path / "file")
    file.close()
    descriptor = os.open(tmp_path, os.O_RDONLY)
    file.close()
    os.close(descriptor)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="only Linux has a device that is always full")
def test_an_error_names_the_file() -> None:
    """What fails on a descriptor says which file it was, and why."""
    full = Path("/dev/full")
    with closing(SystemDisk().open_append(full)) as file:
        with pytest.raises(OSError, match="No space left on device: '/dev/full'"):
            file.write([b"x"])
        with pytest.raises(OSError, match="Invalid argument: '/dev/full'"):
            file.truncate(0)
        with pytest.raises(OSError, match="Invalid argument: '/dev/full'"):
            file.sync()


def test_a_write_that_is_taken_in_part_goes_on(tmp_path: Path) -> None:
    """What the system did not take is tried again, until it says why not; all that fits is written."""
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (5, limits[1]))
    try:
        with closing(SystemDisk().create(tmp_path / "file")) as file, pytest.raises(OSError, match="File too large"):
            file.write([b"1234", b"5678"])
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert (tmp_path / "file").read_bytes() == b"12345"


@pytest.mark.parametrize(
    ("buffers", "written", "left"),
    [
        ([b"abc", b"de"], 5, []),
        ([b"abc", b"de"], 3, [b"de"]),
        ([b"abc", b"", b"de"], 1, [b"bc", b"", b"de"]),
        ([b"abc", b"de"], 4, [b"e"]),
        ([b"", b""], 0, []),
    ],
)
def test_a_short_write_goes_on_behind_what_was_taken(buffers: Sequence[bytes], written: int, left: list[bytes]) -> None:
    """What a write did not take is what comes behind the bytes that it took."""
    assert b"".join(unwritten(buffers, written)) == b"".join(left)


def test_a_write_that_takes_nothing_is_an_error() -> None:
    """Taking nothing of something is not tried for ever."""
    with pytest.raises(OSError, match="wrote nothing"):
        unwritten([b"abc"], 0)


class TestSimulatedPowerCut:
    """What the simulated disk keeps of a power cut."""

    folder = Path("/data")

    def _disk(self) -> SimulatedDisk:
        disk = SimulatedDisk()
        disk.make_folder(self.folder)
        return disk

    def _names(self, disk: SimulatedDisk) -> list[str]:
        return [file.name for file in disk.list_files(self.folder)]

    def test_synced_bytes_without_a_synced_name_may_be_gone(self) -> None:
        """Syncing a file does not sync its name."""
        disk = self._disk()
        file = disk.create(self.folder / "file")
        file.write([b"content"])
        file.sync()
        assert self._names(disk.after_power_cut(Fate.LOST)) == []
        assert self._names(disk.after_power_cut(Fate.KEPT)) == ["file"]
        disk.sync_folder(self.folder)
        assert disk.after_power_cut(Fate.LOST).read(self.folder / "file") == b"content"

    def test_unsynced_bytes_are_lost_kept_or_anything_between(self) -> None:
        """Over many random states a write appears whole, cut, zeroed and not at all, behind what was synced."""
        disk = self._disk()
        file = disk.create(self.folder / "file")
        file.write([b"safe"])
        file.sync()
        disk.sync_folder(self.folder)
        file.write([b"risk"])
        states = {disk.after_power_cut(Fate.RANDOM, seed=seed).read(self.folder / "file") for seed in range(200)}
        assert {b"safe", b"saferisk", b"saferi", b"saferi\0\0", b"safe\0\0\0\0"} <= states
        assert all(state.startswith(b"safe") for state in states)
        assert disk.after_power_cut(Fate.LOST).read(self.folder / "file") == b"safe"
        assert disk.after_power_cut(Fate.KEPT).read(self.folder / "file") == b"saferisk"

    def test_names_change_each_by_itself(self) -> None:
        """An unsynced unlink may have happened while an earlier unsynced rename has not, and the other way round."""
        disk = self._disk()
        for name in ("a", "b"):
            disk.create(self.folder / name)
        disk.sync_folder(self.folder)
        disk.rename(self.folder / "a", self.folder / "c")
        disk.unlink(self.folder / "b")
        states = {tuple(self._names(disk.after_power_cut(Fate.RANDOM, seed=seed))) for seed in range(50)}
        assert states == {("a", "b"), ("b", "c"), ("a",), ("c",)}

    def test_a_failed_sync_is_not_made_good_by_the_next_one(self) -> None:
        """Bytes that a failed sync was given may be lost although a later sync succeeds."""
        disk = self._disk()
        file = disk.create(self.folder / "file")
        disk.sync_folder(self.folder)
        file.write([b"doomed"])
        disk.fail(lambda _operation, kind: errno.EIO if kind == "sync" else None)
        with pytest.raises(OSError, match="Input/output"):
            file.sync()
        disk.fail(lambda _operation, _kind: None)
        file.sync()
        assert disk.after_power_cut(Fate.LOST).read(self.folder / "file") == b""
        assert disk.after_power_cut(Fate.KEPT).read(self.folder / "file") == b"doomed"
        disk.refresh(self.folder / "file")
        assert disk.after_power_cut(Fate.LOST).read(self.folder / "file") == b"doomed"

    def test_a_synced_truncation_takes_doomed_bytes_along(self) -> None:
        """Cut off and synced, what a failed sync was given does not come back."""
        disk = self._disk()
        file = disk.create(self.folder / "file")
        disk.sync_folder(self.folder)
        file.write([b"doomed"])
        disk.fail(lambda _operation, kind: errno.EIO if kind == "sync" else None)
        with pytest.raises(OSError, match="Input/output"):
            file.sync()
        disk.fail(lambda _operation, _kind: None)
        file.truncate(0)
        assert disk.after_power_cut(Fate.LOST).read(self.folder / "file") == b""
        file.sync()
        assert disk.after_power_cut(Fate.KEPT).read(self.folder / "file") == b""

    def test_after_the_cut_nothing_happens_any_more(self) -> None:
        """The operation that is cut may have had its effect; those after it have none."""
        disk = self._disk()
        disk.cut_at = disk.operations + 1
        with pytest.raises(PowerCut):
            disk.create(self.folder / "file")
        with pytest.raises(PowerCut):
            disk.create(self.folder / "other")
        assert self._names(disk.after_power_cut(Fate.KEPT)) == ["file"]

    def test_a_full_disk_takes_what_fits(self) -> None:
        """A write on a full disk fails with its first bytes written."""
        disk = self._disk()
        disk.capacity_bytes = 3
        file = disk.create(self.folder / "file")
        with pytest.raises(OSError, match="No space"):
            file.write([b"12", b"34"])
        assert disk.read(self.folder / "file") == b"123"

    def test_a_read_only_disk_refuses_changes(self) -> None:
        """Nothing can be opened to write, created or removed."""
        disk = self._disk()
        disk.create(self.folder / "file")
        disk.read_only = True
        for call in (disk.open_append, disk.create, disk.unlink):
            with pytest.raises(OSError, match="Read-only") as caught:
                call(self.folder / ("new" if call == disk.create else "file"))
            assert caught.value.errno == errno.EROFS

    def test_states_have_names(self) -> None:
        """The least, the most and as many between as asked for."""
        states = [name for name, _ in self._disk().crash_states(random_states=2)]
        assert states == ["least", "most", "random 0", "random 1"]
