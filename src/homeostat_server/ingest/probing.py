"""Whether a spool could make a request durable now, found out without a sender. It stores and acknowledges nothing."""

import contextlib
import errno
import os
from typing import Final

from homeostat_server.ingest.disk import write_whole
from homeostat_server.ingest.disk_failures import spool_unavailable
from homeostat_server.ingest.place import Place

PROBE_NAME: Final = "probe"
"""Not the name of a segment, so that one which a crash leaves behind is never taken for one."""

_PROBE: Final = bytes(4096)  # a page: on a full file system an empty file can still be made


def check_space(place: Place, *, size_bytes: int, free_bytes_min: int) -> None:
    """Leave the reserve alone: without it the engine could not store, and the spool would never empty.

    Raises:
        OSError: so many bytes would leave less than the reserve.
    """
    if place.disk.free_bytes(place.folder) - size_bytes < free_bytes_min:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(place.folder))


def probe(place: Place, *, free_bytes_min: int) -> None:
    """Write and sync a page where segments are written, and take it away again.

    Raises:
        SpoolUnavailable: a request would be refused with the same cause.
    """
    path = place.folder / PROBE_NAME
    try:
        check_space(place, size_bytes=len(_PROBE), free_bytes_min=free_bytes_min)
        write_whole(place.disk, path, [_PROBE])
        place.disk.unlink(path)
    except OSError as error:
        with contextlib.suppress(OSError):
            place.disk.unlink(path)
        raise spool_unavailable(error, attempted="write to the spool", folder=place.folder) from error
