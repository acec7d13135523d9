"""The backlog: what was not delivered yet, on disk where there is one that takes it, else in memory. It sends nothing.

It never raises: what the disk refuses waits in memory and is offered to the disk again later, with one warning for
each trouble. It is safe in threads, and over a fork with its three hooks.
"""

import contextlib
import logging
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Final

from homeostat.buffer.disk import Disk, SystemDisk
from homeostat.buffer.memory import Memory
from homeostat.buffer.records import Record
from homeostat.buffer.segments import OnLoss
from homeostat.buffer.spool import Spool, Taken, owner_name

NOT_KEPT: Final = "not_kept"
"""Reason of a loss: the process ended and no disk took what waited."""

_DISK_AGAIN_S: Final = 30.0
_ADOPT_AGAIN_S: Final = 30.0
_SYNC_S: Final = 1.0
_FORK_WAIT_S: Final = 1.0  # a disk that hangs must not hang a fork

_LOG: Final = logging.getLogger("homeostat.buffer")


class Backlog:
    """Keep records until they are done, in their order.

    Args:
        folder: where the spool is, shared by all processes of this user; `None` keeps everything in memory.
        bytes_max: how many bytes the folder may hold.
        memory_bytes_max: how many bytes wait in memory where there is no disk, or while it takes nothing.
        on_loss: what hears of losses: signal, items, reason.
        now_s: a clock in seconds that never goes back.
        started_ns: when this process began, which is the order in which folders are delivered.
        disk: what files are on.
    """

    def __init__(
        self,
        folder: Path | None,
        *,
        bytes_max: int,
        memory_bytes_max: int,
        on_loss: OnLoss,
        now_s: Callable[[], float],
        started_ns: int,
        disk: Disk | None = None,
    ) -> None:
        """Touch nothing yet."""
        self._folder = folder
        self._bytes_max = bytes_max
        self._memory_bytes_max = memory_bytes_max
        self._on_loss = on_loss
        self._now_s = now_s
        self._disk = disk or SystemDisk()
        self._is_locked_for_fork = False
        self._begin(started_ns)

    def _begin(self, started_ns: int) -> None:
        self._lock = threading.RLock()
        self._memory = Memory(bytes_max=self._memory_bytes_max, on_loss=self._on_loss)
        self._spool: Spool | None = None
        if self._folder is not None:
            name = owner_name(started_ns=started_ns)
            self._spool = Spool(
                self._folder, bytes_max=self._bytes_max, disk=self._disk, on_loss=self._on_loss, name=name
            )
        self._disk_at_s = float("-inf")
        self._adopt_at_s = float("-inf")
        self._sync_at_s = float("-inf")
        self._taken: Taken | None = None
        self._is_troubled = False
        self._is_open = True

    @property
    def is_empty(self) -> bool:
        """Say whether nothing waits."""
        with self._lock:
            return not self._memory.records and (self._spool is None or self._spool.is_empty)

    @property
    def bytes_held(self) -> int:
        """Return how many bytes wait, on disk and in memory."""
        with self._lock:
            return self._memory.bytes_held + (self._spool.bytes_held if self._spool is not None else 0)

    def append(self, record: Record) -> None:
        """Put a record behind all others; when the bound is met, the oldest go."""
        with self._lock:
            if not self._is_open:
                self._on_loss(record.signal, record.items, NOT_KEPT)
            elif not self._is_on_disk(record):
                self._memory.append(record)

    def first(self) -> Record | None:
        """Return the oldest record, the same until it is `done`."""
        with self._lock:
            if not self._is_open:
                return None
            self._taken = self._spool.first() if self._spool is not None else None
            if self._taken is not None:
                return self._taken.record
            return self._memory.records[0] if self._memory.records else None

    def done(self, record: Record) -> bool:
        """Take out the record that `first` gave; `False` when it was given up meanwhile, or the backlog is closed."""
        with self._lock:
            if not self._is_open:
                return False
            if self._taken is not None and self._taken.record is record:
                return self._done_on_disk(self._taken)
            if self._memory.records and self._memory.records[0] is record:
                self._memory.pop()
                return True
            return False

    def adopt(self) -> None:
        """Take over what dead processes left; it is looked for now and then only, however often this is called."""
        with self._lock:
            now_s = self._now_s()
            if self._spool is not None and self._is_open and now_s >= self._adopt_at_s:
                self._adopt_at_s = now_s + _ADOPT_AGAIN_S
                self._tried("look for what other processes left", self._spool.adopt)

    def tend(self) -> None:
        """Do what is due now and then: offer memory to the disk, and sync."""
        with self._lock:
            now_s = self._now_s()
            if self._spool is None or not self._is_open:
                return
            if self._memory.records:
                self._move_to_disk(now_s)
            if now_s >= self._sync_at_s:
                self._sync_at_s = now_s + _SYNC_S
                self._tried("sync what was written", self._spool.sync)

    def close(self) -> None:
        """Put what waits on disk, as far as it takes it, and let it go: another process will deliver it."""
        with self._lock:
            if not self._is_open:
                return
            if self._spool is not None:
                self._disk_at_s = float("-inf")
                self._move_to_disk(self._now_s())
                self._tried("sync what was written", self._spool.sync)
                self._tried("close what was written", self._spool.close)
            self._is_open = False
            while self._memory.records:
                record = self._memory.pop()
                self._on_loss(record.signal, record.items, NOT_KEPT)

    def before_fork(self) -> None:
        """Let no file be opened while the process is copied."""
        self._is_locked_for_fork = self._lock.acquire(timeout=_FORK_WAIT_S)

    def after_fork_in_parent(self) -> None:
        """Go on."""
        if self._is_locked_for_fork:
            self._is_locked_for_fork = False
            self._lock.release()

    def after_fork_in_child(self, *, started_ns: int) -> None:
        """Begin anew with nothing: whatever waited is the parent's, and its files and lock are, too."""
        self._is_locked_for_fork = False
        if self._spool is not None:
            with contextlib.suppress(OSError):
                self._spool.abandon()
        self._begin(started_ns)

    def _is_on_disk(self, record: Record) -> bool:
        now_s = self._now_s()
        if self._spool is None or now_s < self._disk_at_s:
            return False
        if self._memory.records and not self._move_to_disk(now_s):
            return False
        return self._is_written(self._spool, record, now_s)

    def _is_written(self, spool: Spool, record: Record, now_s: float) -> bool:
        if not self._tried("write what could not be delivered", lambda: spool.append(record, now_s=now_s)):
            self._disk_at_s = now_s + _DISK_AGAIN_S
            return False
        self._is_troubled = False
        return True

    def _move_to_disk(self, now_s: float) -> bool:
        """Write what waits in memory, oldest first; say whether all of it is on disk."""
        if self._spool is None or now_s < self._disk_at_s:
            return False
        while self._memory.records:
            if not self._is_written(self._spool, self._memory.records[0], now_s):
                return False
            self._memory.pop()
        return True

    def _done_on_disk(self, taken: Taken) -> bool:
        spool, self._taken = self._spool, None
        assert spool is not None  # it gave what was taken
        done: list[bool] = []
        self._tried("mark what was delivered", lambda: done.append(spool.done(taken)))
        return all(done)  # without a mark it is delivered all the same

    def _tried(self, attempted: str, action: Callable[[], object]) -> bool:
        """Say whether the disk did it; warn of the first time that it did not."""
        try:
            action()
        except OSError as error:
            if not self._is_troubled:
                self._is_troubled = True
                _LOG.warning(
                    "homeostat cannot %s in %s (%s); up to %d bytes wait in memory instead, and end with the process",
                    attempted,
                    self._folder,
                    error,
                    self._memory_bytes_max,
                )
            return False
        return True
