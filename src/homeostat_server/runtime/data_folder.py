"""The data folder as a whole: it is writable, and one process at a time owns it. It does not know what is inside."""

import contextlib
import fcntl
import os
from pathlib import Path
from typing import Final

from homeostat_server.exceptions import DataFolderLocked, DataFolderUnusable

LOCK_NAME: Final = "homeostat.lock"


class DataFolder:
    """Own a data folder from `claim` to `release`; the operating system releases it when the process dies."""

    def __init__(self, path: Path, *, descriptor: int) -> None:
        """Hold a folder that `claim` has locked."""
        self.path = path
        self._descriptor = descriptor

    @classmethod
    def claim(cls, path: Path) -> "DataFolder":
        """Make the folder when it is not there, check that it can be written, and lock it.

        Raises:
            DataFolderUnusable: the folder cannot be made or written.
            DataFolderLocked: another process owns it; the hint names its process id.
        """
        descriptor = _open_lock(path)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            owner = os.pread(descriptor, 32, 0).decode("ascii", "replace").strip() or "unknown"
            os.close(descriptor)
            raise DataFolderLocked(
                "use the data folder",
                value=str(path),
                hint=f"Process {owner} is using it: stop that one, or give this one a folder of its own with --data.",
            ) from error
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, f"{os.getpid()}\n".encode("ascii"), 0)
        return cls(path, descriptor=descriptor)

    def release(self) -> None:
        """Let another process own the folder. A second call does nothing."""
        descriptor, self._descriptor = self._descriptor, -1
        if descriptor >= 0:
            with contextlib.suppress(OSError):
                os.ftruncate(descriptor, 0)
            os.close(descriptor)


def _open_lock(path: Path) -> int:
    try:
        path.mkdir(mode=0o750, parents=True, exist_ok=True)
        return os.open(path / LOCK_NAME, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o640)
    except OSError as error:
        raise DataFolderUnusable(
            "write to the data folder",
            value=str(path),
            hint=f"{error.strerror}. Make it writable for this user, or name another with --data.",
        ) from error
