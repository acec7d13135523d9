"""The disk as a port, so that its failures can be simulated. It knows files and what is durable, nothing of segments.

Durability is the contract here, and it is POSIX's at its least generous:

- What was written is durable when `AppendFile.sync` has returned, not before. Until then a power cut may keep all of
  it, none of it, or any part.
- A name that was created, renamed or unlinked is durable when `Disk.sync_folder` of its folder has returned. Syncing
  the file does not sync its name.
- After a failed `sync` nothing written since the last good one may be trusted, not even when a later `sync` succeeds:
  Linux marks the pages clean (https://wiki.postgresql.org/wiki/Fsync_Errors). A truncation after the failure is
  durable when it is synced itself, and bytes are when they are written anew (`Disk.refresh`).

Every method raises `OSError` as the operating system does, with errno and file name set.
"""

import contextlib
import errno
import os
import shutil
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Protocol

_BUFFERS_PER_WRITE_MAX: Final = 1024  # IOV_MAX of Linux and macOS
_CHUNK_BYTES: Final = 1 << 20
_FILE_MODE: Final = 0o640  # telemetry is not for everybody on the machine
_FOLDER_MODE: Final = 0o750


@dataclass(frozen=True, slots=True)
class FileEntry:
    """Name a file in a folder and its length."""

    name: str
    size_bytes: int


class AppendFile(Protocol):
    """Write at the end of one file. Not thread-safe: one writer at a time."""

    def write(self, buffers: Sequence[bytes]) -> None:
        """Append the buffers in order, all of them; when it raises, any prefix may have been written."""
        ...

    def sync(self) -> None:
        """Make everything written, and the length, durable before returning."""
        ...

    def truncate(self, size_bytes: int) -> None:
        """Cut the file to a length that is not more than it has; the next write goes there."""
        ...

    def close(self) -> None:
        """Let the file go without making anything durable; closing twice is harmless."""
        ...


class Disk(Protocol):
    """Create, find, change and remove files. Thread-safe, as long as threads keep to different files."""

    def make_folder(self, folder: Path) -> None:
        """Make a folder and its parents durably; one that exists is fine."""
        ...

    def create(self, path: Path) -> AppendFile:
        """Make a new empty file; raise `FileExistsError` when the name is taken."""
        ...

    def open_append(self, path: Path) -> AppendFile:
        """Open an existing file to write at its end; raise `FileNotFoundError` when there is none."""
        ...

    def read(self, path: Path) -> bytes:
        """Return the whole content, synced or not."""
        ...

    def refresh(self, path: Path) -> None:
        """Make the whole content durable, also what another process wrote and failed to sync, by writing it again."""
        ...

    def list_files(self, folder: Path) -> list[FileEntry]:
        """Return the files (not the folders) in a folder, sorted by name."""
        ...

    def rename(self, old: Path, new: Path) -> None:
        """Give a file a new name in the same folder, atomically replacing what had that name."""
        ...

    def unlink(self, path: Path) -> None:
        """Remove a file; raise `FileNotFoundError` when there is none."""
        ...

    def sync_folder(self, folder: Path) -> None:
        """Make every create, rename and unlink in a folder durable before returning."""
        ...

    def free_bytes(self, folder: Path) -> int:
        """Return how many bytes can still be written on the folder's file system."""
        ...


class SystemDisk:
    """Use the operating system's files; implements `Disk`."""

    def make_folder(self, folder: Path) -> None:
        """Make a folder and its parents durably; one that exists is fine."""
        missing = []
        while not folder.is_dir():
            missing.append(folder)
            folder = folder.parent
        for child in reversed(missing):
            child.mkdir(mode=_FOLDER_MODE, exist_ok=True)
            self.sync_folder(child.parent)

    def create(self, path: Path) -> AppendFile:
        """Make a new empty file; raise `FileExistsError` when the name is taken."""
        return _SystemFile(path, os.O_CREAT | os.O_EXCL)

    def open_append(self, path: Path) -> AppendFile:
        """Open an existing file to write at its end; raise `FileNotFoundError` when there is none."""
        return _SystemFile(path, 0)

    def read(self, path: Path) -> bytes:
        """Return the whole content."""
        return path.read_bytes()

    def refresh(self, path: Path) -> None:
        """Make the whole content durable by writing it again in place, which needs no space on a full disk."""
        with path.open("r+b", buffering=0) as file:
            while chunk := file.read(_CHUNK_BYTES):
                file.seek(-len(chunk), os.SEEK_CUR)
                file.write(chunk)
            _sync(file.fileno(), path)

    def list_files(self, folder: Path) -> list[FileEntry]:
        """Return the files in a folder, sorted by name."""
        with os.scandir(folder) as entries:
            files = [FileEntry(entry.name, entry.stat().st_size) for entry in entries if entry.is_file()]
        return sorted(files, key=lambda file: file.name)

    def rename(self, old: Path, new: Path) -> None:
        """Give a file a new name, atomically replacing what had that name."""
        old.replace(new)

    def unlink(self, path: Path) -> None:
        """Remove a file."""
        path.unlink()

    def sync_folder(self, folder: Path) -> None:
        """Make the names in a folder durable."""
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            _sync(descriptor, folder)
        finally:
            os.close(descriptor)

    def free_bytes(self, folder: Path) -> int:
        """Return how many bytes this process can still write there."""
        return shutil.disk_usage(folder).free


class _SystemFile:
    """Append to one file through a descriptor."""

    def __init__(self, path: Path, flags: int) -> None:
        self._path = path
        self._descriptor = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CLOEXEC | flags, _FILE_MODE)

    def write(self, buffers: Sequence[bytes]) -> None:
        try:
            for start in range(0, len(buffers), _BUFFERS_PER_WRITE_MAX):
                self._write_all(buffers[start : start + _BUFFERS_PER_WRITE_MAX])
        except OSError as error:
            raise _named(error, self._path) from error

    def _write_all(self, buffers: Sequence[bytes]) -> None:
        views: Sequence[bytes | memoryview] = buffers
        while views := unwritten(views, os.writev(self._descriptor, views)):
            pass

    def sync(self) -> None:
        _sync(self._descriptor, self._path)

    def truncate(self, size_bytes: int) -> None:
        try:
            os.ftruncate(self._descriptor, size_bytes)
        except OSError as error:
            raise _named(error, self._path) from error

    def close(self) -> None:
        if self._descriptor >= 0:
            descriptor, self._descriptor = self._descriptor, -1
            os.close(descriptor)


def write_whole(disk: Disk, path: Path, buffers: Sequence[bytes]) -> None:
    """Write a new file durably, replacing a left-over of that name; its name is durable when its folder is synced."""
    with contextlib.suppress(FileNotFoundError):
        disk.unlink(path)
    with contextlib.closing(disk.create(path)) as file:
        file.write(buffers)
        file.sync()


def unwritten(buffers: Iterable[bytes | memoryview], written_bytes: int) -> list[bytes | memoryview]:
    """Return what is left of the buffers after a write that took only the first bytes.

    Raises:
        OSError: nothing was taken though there was something to take; trying again would go on for ever.
    """
    left: list[bytes | memoryview] = []
    skip = written_bytes
    for buffer in buffers:
        if skip >= len(buffer):
            skip -= len(buffer)
        else:
            left.append(memoryview(buffer)[skip:] if skip else buffer)
            skip = 0
    if left and written_bytes == 0:
        raise OSError(errno.EIO, "the operating system wrote nothing")
    return left


def _sync(descriptor: int, path: Path) -> None:
    """Flush to the medium; on macOS only F_FULLFSYNC reaches it (`man 2 fsync` there)."""
    try:
        if sys.platform == "darwin":  # pragma: no cover - measured on Linux
            import fcntl  # noqa: PLC0415 - does not exist everywhere

            fcntl.fcntl(descriptor, fcntl.F_FULLFSYNC)
        else:
            os.fsync(descriptor)
    except OSError as error:
        raise _named(error, path) from error


def _named(error: OSError, path: Path) -> OSError:
    """Return the error with the file's name, which calls on descriptors leave out."""
    return OSError(error.errno, error.strerror, str(path))
