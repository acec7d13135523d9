"""Requests that wait to become durable. It does no IO and knows no files.

Invariant: a request that is waiting already is never queued a second time; who sends it again shares the outcome, and
when it fails it is forgotten, so that sending it once more is a new attempt. Not thread-safe: its owner's lock covers
it.
"""

from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Final

from homeostat_server.ingest.segment import frame

_COPIED_BYTES_MAX: Final = 4096  # up to a page, copying is cheaper than two more buffers for the operating system


@dataclass(frozen=True, slots=True)
class Receipt:
    """Say that a request is durable: in which segment, and whether it was there already."""

    segment: int
    duplicate: bool


@dataclass(slots=True)
class PendingRecord:
    """Hold one request, its frame, and everybody who waits for it."""

    tenant: str
    digest: bytes
    body: bytes
    head: bytes
    tail: bytes
    futures: list["Future[Receipt]"] = field(default_factory=list)

    @property
    def size_bytes(self) -> int:
        """Return how long the record is in the segment."""
        return len(self.head) + len(self.body) + len(self.tail)

    def buffers(self) -> Iterator[bytes]:
        """Yield the record's bytes, the body uncopied when it is long."""
        if len(self.body) <= _COPIED_BYTES_MAX:
            yield b"%b%b%b" % (self.head, self.body, self.tail)
        else:
            yield from (self.head, self.body, self.tail)

    def wait(self) -> "Future[Receipt]":
        """Return a future of the outcome that its holder cannot cancel: the record is written whoever has gone."""
        future: Future[Receipt] = Future()
        future.set_running_or_notify_cancel()
        self.futures.append(future)
        return future

    def succeed(self, number: int) -> None:
        """Tell everybody that the record is durable; all but the first are duplicates."""
        for index, future in enumerate(self.futures):
            future.set_result(Receipt(number, duplicate=index > 0))

    def fail(self, errors: Iterator[Exception]) -> None:
        """Tell everybody that it is not, each with an error of their own."""
        for future, error in zip(self.futures, errors, strict=False):
            future.set_exception(error)


def pending_record(tenant: str, *, body: bytes, digest: bytes) -> PendingRecord:
    """Return a request in its frame."""
    head, tail = frame(tenant.encode(), body_bytes=len(body), digest=digest)
    return PendingRecord(tenant, digest, body, head, tail)


class PendingRecords:
    """Queue records in order of arrival; one that was taken counts until it is done."""

    def __init__(self) -> None:
        """Begin with none."""
        self._queue: deque[PendingRecord] = deque()
        self._by_digest: dict[bytes, PendingRecord] = {}
        self.size_bytes = 0

    def __len__(self) -> int:
        """Return how many wait to be taken."""
        return len(self._queue)

    def find(self, digest: bytes) -> PendingRecord | None:
        """Return the same request if it is waiting or being written."""
        return self._by_digest.get(digest)

    def add(self, record: PendingRecord) -> None:
        """Queue a record that `find` does not know."""
        self._queue.append(record)
        self._by_digest[record.digest] = record
        self.size_bytes += record.size_bytes

    def take(self, size_bytes_max: int) -> list[PendingRecord]:
        """Return the oldest records up to a size, at least one if there is any."""
        taken: list[PendingRecord] = []
        size_bytes = 0
        while self._queue and (not taken or size_bytes + self._queue[0].size_bytes <= size_bytes_max):
            record = self._queue.popleft()
            taken.append(record)
            size_bytes += record.size_bytes
        return taken

    def done(self, records: Iterable[PendingRecord]) -> None:
        """Forget records that were taken, however it went."""
        for record in records:
            del self._by_digest[record.digest]
            self.size_bytes -= record.size_bytes

    def abandon(self) -> list[PendingRecord]:
        """Forget everything, also what was taken and is not done, and return it."""
        abandoned = list(self._by_digest.values())
        self._queue.clear()
        self.done(abandoned)
        return abandoned
