import os
from pathlib import Path

import pytest

from homeostat_server.exceptions import DataFolderLocked, DataFolderUnusable
from homeostat_server.runtime.data_folder import LOCK_NAME, DataFolder


def test_a_folder_is_made_and_owned(tmp_path: Path) -> None:
    """The lock names the process that owns the folder."""
    folder = DataFolder.claim(tmp_path / "a" / "b")
    assert (folder.path / LOCK_NAME).read_text() == f"{os.getpid()}\n"


def test_a_folder_has_one_owner(tmp_path: Path) -> None:
    """A second claim is refused and says who owns it and what to do."""
    owner = DataFolder.claim(tmp_path)
    with pytest.raises(DataFolderLocked, match=f"Process {os.getpid()} is using it.*--data"):
        DataFolder.claim(tmp_path)
    owner.release()


def test_a_released_folder_can_be_claimed_again(tmp_path: Path) -> None:
    """Releasing twice is harmless."""
    owner = DataFolder.claim(tmp_path)
    owner.release()
    owner.release()
    DataFolder.claim(tmp_path).release()


def test_a_path_that_cannot_be_a_folder_is_refused(tmp_path: Path) -> None:
    """The reason of the operating system is in the hint."""
    (tmp_path / "file").write_text("")
    with pytest.raises(DataFolderUnusable, match="Not a directory"):
        DataFolder.claim(tmp_path / "file" / "data")
