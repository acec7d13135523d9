import os
from pathlib import Path

import pytest

from homeostat.buffer.disk import SystemDisk, _is_still_ours

DISK = SystemDisk()


def test_a_lock_is_had_by_one(tmp_path: Path) -> None:
    """Until it is closed; a file that is not there is locked on request only."""
    path = tmp_path / "lock"
    assert DISK.lock(path, make=False) is None
    first = DISK.lock(path, make=True)
    assert first is not None
    assert DISK.lock(path, make=True) is None
    first.close()
    first.close()
    second = DISK.lock(path, make=False)
    assert second is not None
    second.close()


def test_a_lock_in_a_folder_that_is_gone_is_an_error(tmp_path: Path) -> None:
    """There is nothing to own."""
    with pytest.raises(FileNotFoundError):
        DISK.lock(tmp_path / "none" / "lock", make=True)


def test_a_name_that_now_means_another_file_is_not_locked(tmp_path: Path) -> None:
    """Its last owner removed it while we waited."""
    path = tmp_path / "lock"
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT)
    assert _is_still_ours(descriptor, path)
    path.unlink()
    assert not _is_still_ours(descriptor, path)
    path.touch()
    other = os.open(path, os.O_RDWR)
    assert _is_still_ours(other, path)
    os.close(other)
    os.close(descriptor)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away")
def test_a_lock_of_another_user_is_nobodys(tmp_path: Path) -> None:
    """Somebody might leave files for us to send under our name."""
    path = tmp_path / "lock"
    path.touch()
    os.chown(path, 12345, -1)
    assert DISK.lock(path, make=False) is None


def test_what_is_not_there_is_empty(tmp_path: Path) -> None:
    """Folders of others come and go."""
    assert DISK.folders(tmp_path / "none") == []
    assert DISK.files(tmp_path / "none") == []
    DISK.unlink(tmp_path / "none")
    DISK.remove_folder(tmp_path / "none")


def test_only_files_are_files(tmp_path: Path) -> None:
    """A link leads elsewhere, a folder is none."""
    (tmp_path / "folder").mkdir()
    (tmp_path / "file").write_bytes(b"123")
    (tmp_path / "link").symlink_to(tmp_path / "file")
    assert [(file.name, file.size_bytes) for file in DISK.files(tmp_path)] == [("file", 3)]
    assert DISK.folders(tmp_path) == ["folder"]
    with pytest.raises(OSError, match="symbolic"):
        DISK.open(tmp_path / "link")
