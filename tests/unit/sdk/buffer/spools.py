"""Spools of pretended processes in one folder."""

from collections import Counter
from pathlib import Path

from homeostat.buffer.disk import Disk, SystemDisk
from homeostat.buffer.records import Record
from homeostat.buffer.spool import Spool


class Losses:
    """Remember what was lost."""

    def __init__(self) -> None:
        """Begin with nothing."""
        self.items: Counter[str] = Counter()

    def __call__(self, _signal: str, items: int, reason: str) -> None:
        """Note a loss."""
        self.items[reason] += items


class Process:
    """Hold the spool of one pretended process; its death is that its locks go."""

    def __init__(self, folder: Path, name: str, *, bytes_max: int = 1 << 20, disk: Disk | None = None) -> None:
        """Begin it."""
        self.losses = Losses()
        self.now_s = 0.0
        self.spool = Spool(folder, bytes_max=bytes_max, disk=disk or SystemDisk(), on_loss=self.losses, name=name)

    def write(self, *numbers: int, size_bytes: int = 10) -> None:
        """Append records that can be told apart."""
        for number in numbers:
            self.now_s += 1
            self.spool.append(record(number, size_bytes=size_bytes), now_s=self.now_s)

    def deliver(self, count: int | None = None) -> list[int]:
        """Take records and mark them as done; return which they were."""
        delivered: list[int] = []
        while (count is None or len(delivered) < count) and (taken := self.spool.first()):
            delivered.append(number_of(taken.record))
            assert self.spool.done(taken)
        return delivered

    def die(self) -> None:
        """End as `kill -9` does: descriptors are closed, nothing else happens."""
        self.spool.abandon()


def record(number: int, *, size_bytes: int = 10) -> Record:
    """Return a record with one item and its number inside."""
    return Record("traces", 1, b"%d " % number + b"." * (size_bytes - len(b"%d " % number)))


def number_of(found: Record) -> int:
    """Return a record's number."""
    return int(found.body.split()[0])


def files(folder: Path) -> list[Path]:
    """Return every file in a spool."""
    return sorted(path for path in folder.rglob("*") if path.is_file())
