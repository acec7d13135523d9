"""Records in memory, oldest first, up to a bound in bytes. It knows no disk."""

from collections import deque
from typing import Final

from homeostat.buffer.records import Record
from homeostat.buffer.segments import OnLoss

MEMORY_FULL: Final = "memory_full"


class Memory:
    """Keep records in memory. Not thread-safe.

    Args:
        bytes_max: how many bytes their requests may have together; the oldest are given up for a new one.
        on_loss: what hears of records that are given up.
    """

    def __init__(self, *, bytes_max: int, on_loss: OnLoss) -> None:
        """Begin empty."""
        self._bytes_max = bytes_max
        self._on_loss = on_loss
        self.records: deque[Record] = deque()
        self.bytes_held: int = 0

    def append(self, record: Record) -> None:
        """Put a record behind all others."""
        self.records.append(record)
        self.bytes_held += len(record.body)
        while self.bytes_held > self._bytes_max:
            oldest = self.pop()
            self._on_loss(oldest.signal, oldest.items, MEMORY_FULL)

    def pop(self) -> Record:
        """Take the oldest record out."""
        record = self.records.popleft()
        self.bytes_held -= len(record.body)
        return record
