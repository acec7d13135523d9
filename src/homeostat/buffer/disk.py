"""The disk as a port, so that its failures can be simulated. It knows files and locks, nothing of records.

A lock is one on a whole file that its owner's death releases (`flock`). Where there is none (Windows, some network file
systems) every call that needs it raises `OSError`, and the buffer stays in memory.

Every method raises `OSError` as the operating system does.
"""

import contextlib
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Protocol

_FILE_MODE: Final = 0o600  # telemetry is for nobody else on the machine
_FOLDER_MODE: Final = 0o700

# Windows has neither: there `lock` fails below, and nothing else is called.
_FLAGS: Final = os.O_RDWR | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_NOFOLLOW", 0)


@dataclass(frozen=True, slots=True)
class FileEntry:
    """Name a file in a folder and its length."""

    name: str
    size_bytes: int


class OpenFile(Protocol):
    """Read and write one file. Not thread-safe."""

    def append(self, content: bytes, *, offset: int) -> None:
        """Write all of it at what the caller knows as the end; when it raises, any prefix may have been written."""
        ...

    def read(self, offset: int, size_bytes: int) -> bytes:
        """Return what is there, less at the end of the file."""
        ...

    def overwrite(self, offset: int, content: bytes) -> None:
        """Replace bytes in the middle."""
        ...

    def truncate(self, size_bytes: int) -> None:
        """Cut the file."""
        ...

    def sync(self) -> None:
        """Make what was written survive a power cut."""
        ...

    def close(self) -> None:
        """Let the file go, and the lock on it if there is one; closing twice is harmless."""
        ...


class Disk(Protocol):
    """Find, open and remove files and folders."""

    def make_folder(self, folder: Path) -> None:
        """Make a folder for this user alone, and its parents; one that exists is fine."""
        ...

    def open(self, path: Path) -> OpenFile:
        """Open a file to read and append, making it when there is none."""
        ...

    def lock(self, path: Path, *, make: bool) -> OpenFile | None:
        """Open a file and lock it until it is closed.

        `None` when somebody else has it, when it is another user's, when it was just removed, and when it is not there
        and not to be made.
        """
        ...

    def folders(self, folder: Path) -> list[str]:
        """Return the names of the folders in a folder, sorted; none when it does not exist."""
        ...

    def files(self, folder: Path) -> list[FileEntry]:
        """Return the files in a folder, sorted by name; none when it does not exist."""
        ...

    def unlink(self, path: Path) -> None:
        """Remove a file; one that is gone is fine."""
        ...

    def remove_folder(self, folder: Path) -> None:
        """Remove an empty folder; one that is gone is fine."""
        ...


class SystemDisk:
    """Use the operating system's files; implements `Disk`."""

    def make_folder(self, folder: Path) -> None:
        """Make a folder for this user alone, and its parents."""
        if not folder.is_dir():
            folder.mkdir(mode=_FOLDER_MODE, parents=True, exist_ok=True)

    def open(self, path: Path) -> OpenFile:
        """Open a file to read and append."""
        return _SystemFile(os.open(path, _FLAGS | os.O_CREAT, _FILE_MODE))

    def lock(self, path: Path, *, make: bool) -> OpenFile | None:
        """Open a file and lock it."""
        try:
            descriptor = os.open(path, _FLAGS | (os.O_CREAT if make else 0), _FILE_MODE)
        except FileNotFoundError:
            if make:
                raise
            return None
        try:
            locked = _lock(descriptor) and _is_still_ours(descriptor, path)
        except OSError:
            os.close(descriptor)
            raise
        if locked:
            return _SystemFile(descriptor)
        os.close(descriptor)
        return None

    def folders(self, folder: Path) -> list[str]:
        """Return the names of the folders in a folder."""
        return sorted(entry.name for entry in _entries(folder) if entry.is_dir(follow_symlinks=False))

    def files(self, folder: Path) -> list[FileEntry]:
        """Return the files in a folder."""
        found = []
        for entry in _entries(folder):
            with contextlib.suppress(FileNotFoundError):  # another process may remove its own meanwhile
                if entry.is_file(follow_symlinks=False):
                    found.append(FileEntry(entry.name, entry.stat().st_size))
        return sorted(found, key=lambda file: file.name)

    def unlink(self, path: Path) -> None:
        """Remove a file."""
        path.unlink(missing_ok=True)

    def remove_folder(self, folder: Path) -> None:
        """Remove an empty folder."""
        with contextlib.suppress(FileNotFoundError):
            folder.rmdir()


class _SystemFile:
    """Hold a descriptor."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor

    def append(self, content: bytes, *, offset: int) -> None:
        view = memoryview(content)
        while view:
            written = os.pwrite(self._descriptor, view, offset)
            view = view[written:]
            offset += written

    def read(self, offset: int, size_bytes: int) -> bytes:
        return os.pread(self._descriptor, size_bytes, offset)

    def overwrite(self, offset: int, content: bytes) -> None:
        os.pwrite(self._descriptor, content, offset)

    def truncate(self, size_bytes: int) -> None:
        os.ftruncate(self._descriptor, size_bytes)

    def sync(self) -> None:
        os.fsync(self._descriptor)

    def close(self) -> None:
        if self._descriptor >= 0:
            descriptor, self._descriptor = self._descriptor, -1
            os.close(descriptor)


def _entries(folder: Path) -> list["os.DirEntry[str]"]:
    try:
        with os.scandir(folder) as entries:
            return list(entries)
    except FileNotFoundError:
        return []


def _lock(descriptor: int) -> bool:
    try:
        import fcntl  # noqa: PLC0415 - does not exist everywhere
    except ImportError as error:  # pragma: no cover - measured on Linux
        raise OSError("this system has no flock") from error
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _is_still_ours(descriptor: int, path: Path) -> bool:
    """Say whether the name still means the file that was locked, which its last owner may have removed, and is ours.

    In a folder where others may write, somebody might leave files for us to send under our name.
    """
    try:
        named = path.stat()
    except FileNotFoundError:
        return False
    return named.st_ino == os.fstat(descriptor).st_ino and named.st_uid == os.geteuid()
