"""A disk's refusals in our own words: what was attempted, on which path, why not, and what to do. It does no IO."""

import errno
from pathlib import Path
from typing import Final

from homeostat_server.exceptions import DataFolderUnusable, SpoolUnavailable

_WHAT_TO_DO: Final = {
    errno.ENOSPC: "free space on that disk; nothing else has to be done",
    errno.EDQUOT: "raise the quota or free space under it; nothing else has to be done",
    errno.EROFS: "make that file system writable again; nothing else has to be done",
    errno.EIO: "the disk reports an error, look into the system's log",
    errno.EACCES: "let this process's user write there",
    errno.EPERM: "let this process's user write there",
    errno.EMFILE: "raise the limit of open files (ulimit -n)",
}
_RETRY_AFTER_S: Final = 5.0  # people and retention free disks, not milliseconds


def spool_unavailable(cause: OSError, *, attempted: str, folder: Path) -> SpoolUnavailable:
    """Return the error for who waits on the spool."""
    path = cause.filename or folder
    return SpoolUnavailable(attempted, value=str(path), hint=_hint(cause), retry_after_s=_RETRY_AFTER_S)


def folder_unusable(cause: OSError, *, folder: Path) -> DataFolderUnusable:
    """Return the error for who starts the process."""
    return DataFolderUnusable("open the spool", value=str(cause.filename or folder), hint=_hint(cause))


def _hint(cause: OSError) -> str:
    known = _WHAT_TO_DO.get(cause.errno or 0)
    reason = cause.strerror or str(cause)
    return f"{reason}: {known}" if known else reason
