"""A disk that gets into trouble when a test says so; all else is done by the operating system's."""

import errno
import os
from dataclasses import dataclass, field
from pathlib import Path

from homeostat.buffer.disk import Disk, FileEntry, OpenFile, SystemDisk


@dataclass
class TroubledDisk:
    """Fail with an errno what a test names; implements `Disk`.

    Args:
        trouble: errno by the name of a method of `Disk` or `OpenFile` that fails with it.
        room_bytes: how many bytes can still be written, before the disk is full.
    """

    disk: Disk = field(default_factory=SystemDisk)
    trouble: dict[str, int] = field(default_factory=dict)
    room_bytes: int = 1 << 62
    calls: list[str] = field(default_factory=list)

    def fail(self, method: str) -> None:
        """Note a call, and fail it if it is to."""
        self.calls.append(method)
        if method in self.trouble:
            raise OSError(self.trouble[method], os.strerror(self.trouble[method]))

    def make_folder(self, folder: Path) -> None:
        """Make a folder."""
        self.fail("make_folder")
        self.disk.make_folder(folder)

    def open(self, path: Path) -> OpenFile:
        """Open a file."""
        self.fail("open")
        return _TroubledFile(self.disk.open(path), self)

    def lock(self, path: Path, *, make: bool) -> OpenFile | None:
        """Lock a file."""
        self.fail("lock")
        return self.disk.lock(path, make=make)

    def folders(self, folder: Path) -> list[str]:
        """Return the names of folders."""
        self.fail("folders")
        return self.disk.folders(folder)

    def files(self, folder: Path) -> list[FileEntry]:
        """Return files."""
        self.fail("files")
        return self.disk.files(folder)

    def unlink(self, path: Path) -> None:
        """Remove a file."""
        self.fail("unlink")
        self.disk.unlink(path)

    def remove_folder(self, folder: Path) -> None:
        """Remove a folder."""
        self.fail("remove_folder")
        self.disk.remove_folder(folder)


class _TroubledFile:
    """Fail what the disk is told to."""

    def __init__(self, file: OpenFile, disk: TroubledDisk) -> None:
        self._file = file
        self._disk = disk

    def append(self, content: bytes, *, offset: int) -> None:
        self._disk.fail("append")
        fitting = content[: self._disk.room_bytes]
        self._disk.room_bytes -= len(fitting)
        self._file.append(fitting, offset=offset)
        if len(fitting) < len(content):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    def read(self, offset: int, size_bytes: int) -> bytes:
        self._disk.fail("read")
        return self._file.read(offset, size_bytes)

    def overwrite(self, offset: int, content: bytes) -> None:
        self._disk.fail("overwrite")
        self._file.overwrite(offset, content)

    def truncate(self, size_bytes: int) -> None:
        self._disk.fail("truncate")
        self._file.truncate(size_bytes)

    def sync(self) -> None:
        self._disk.fail("sync")
        self._file.sync()

    def close(self) -> None:
        self._file.close()
