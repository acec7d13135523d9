"""Where records go that can never be stored: kept with the reason, counted, bounded. It does not know who decides that.

Each is two files in one folder, `<signal>-<segment>-<offset>.segment` with the bytes as they were in the segment and
the same name with `.json` saying why, so that a person can look at it and send it again. A name says where the bytes
came from, so setting the same ones aside again after a crash changes nothing.
"""

import contextlib
import json
from pathlib import Path
from typing import Final

from homeostat_server.ingest.disk import FileEntry, write_whole
from homeostat_server.ingest.place import Place

_BYTES_SUFFIX: Final = ".segment"
_REASON_SUFFIX: Final = ".json"


class Quarantine:
    """Set records of one signal aside in a folder; past `size_bytes_max` the oldest are deleted, and counted."""

    def __init__(self, place: Place, *, size_bytes_max: int) -> None:
        """Share the folder with the other signals; each keeps to its own files."""
        self._folder = place.quarantine_folder
        self._place = place
        self._disk = place.disk
        self._size_bytes_max = size_bytes_max

    def set_aside(self, data: bytes, *, number: int, offset: int, kind: str, reason: str) -> Path:
        """Keep bytes of a segment durably and return where; `kind` is "corrupt" or "rejected"."""
        path = self._folder / f"{self._place.signal}-{number:020d}-{offset}{_BYTES_SUFFIX}"
        self._make_room(len(data), sparing=path.stem)
        write_whole(self._disk, path, [data])
        self._explain(path, number=number, offset=offset, kind=kind, reason=reason, size_bytes=len(data))
        return path

    def note_unreadable(self, path: Path, *, number: int, size_bytes: int, reason: str) -> None:
        """Say durably why a file that cannot be read was left where it is."""
        beside = self._folder / f"{self._place.signal}-{number:020d}-unreadable{_BYTES_SUFFIX}"
        reason = f"{path}: {reason}"
        self._explain(beside, number=number, offset=0, kind="unreadable", reason=reason, size_bytes=size_bytes)

    def _explain(self, path: Path, *, number: int, offset: int, kind: str, reason: str, size_bytes: int) -> None:
        explanation = {
            "kind": kind,
            "reason": reason,
            "signal": self._place.signal.value,
            "segment": number,
            "offset": offset,
            "size_bytes": size_bytes,
            "quarantined_at_ns": self._place.clock.now_ns(),
        }
        text = json.dumps(explanation, indent=2).encode() + b"\n"
        write_whole(self._disk, path.with_suffix(_REASON_SUFFIX), [text])
        self._disk.sync_folder(self._folder)
        self._place.observer.quarantined(kind, size_bytes=size_bytes)

    def _make_room(self, size_bytes: int, *, sparing: str) -> None:
        """Delete the oldest files of this signal until the new bytes fit; a single one always does."""
        prefix = f"{self._place.signal}-"
        files = [file for file in self._disk.list_files(self._folder) if file.name.startswith(prefix)]
        held_bytes = sum(file.size_bytes for file in files)
        for file in files:
            if held_bytes + size_bytes <= self._size_bytes_max:
                break
            if Path(file.name).stem != sparing:
                held_bytes -= file.size_bytes
                self._shed(file)

    def _shed(self, file: FileEntry) -> None:
        with contextlib.suppress(FileNotFoundError):
            self._disk.unlink(self._folder / file.name)
        self._place.observer.quarantine_shed(size_bytes=file.size_bytes)
