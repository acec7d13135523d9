"""The way of one request from its bytes to durability, the same for HTTP and gRPC. It knows no protocol and no headers.

    decode (decompress, parse) ──► examine (item by item) ──► spool ──► wait for fsync ──► outcome

Work that would hold up the event loop for more than a millisecond is done in a thread; how many of those run is the
bound on the memory that parsing takes.
"""

import asyncio
from collections.abc import Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Final, Protocol

from homeostat_server.exceptions import SpoolUnavailable, TooLarge
from homeostat_server.ingest.admission import Admitted
from homeostat_server.ingest.checks.examination import Examined, examine
from homeostat_server.ingest.decoding import BodyFormat, RawBody, decode
from homeostat_server.ingest.intake_counts import IntakeCounts
from homeostat_server.ingest.pending import Receipt
from homeostat_server.model.signal import Signal
from homeostat_server.model.tenant import Tenant

# What takes about a millisecond, where handing over to a thread takes a tenth of one: protobuf is inflated, parsed and
# checked at some 300 MB/s (measured), JSON at 4 MB/s. Both count the bytes after decompression.
_INLINE_BYTES_MAX: Final[Mapping[BodyFormat, int]] = {BodyFormat.PROTOBUF: 256 * 1024, BodyFormat.JSON: 4 * 1024}

_THREADS: Final = 2

ACKNOWLEDGE_TIMEOUT_S: Final = 30.0
"""Longer than a disk takes that still works; a sender that comes again finds its request by its digest."""


class DurableLog(Protocol):
    """Make requests durable; `homeostat_server.ingest.spool.Spool` is one.

    `append` returns at once; its future is done after the fsync, fails with a `HomeostatError`, and is not affected by
    being cancelled. `append` itself raises `CapacityError` when the request cannot be taken now.
    """

    def append(self, tenant: Tenant, body: bytes) -> "Future[Receipt]":
        """Take a request in."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """Say what became of a request.

    Attributes:
        items: how many items are durable.
        rejected: how many were refused.
        explanation: why, for the sender; empty when none was.
        duplicate: whether the same request was durable already.
    """

    items: int
    rejected: int = 0
    explanation: str = ""
    duplicate: bool = False


class Intake:
    """Take requests of all signals in; belongs to one event loop."""

    def __init__(
        self,
        spools: Mapping[Signal, DurableLog],
        *,
        body_bytes_max: int,
        attributes_max: int,
        counts: IntakeCounts,
        acknowledge_timeout_s: float = ACKNOWLEDGE_TIMEOUT_S,
    ) -> None:
        """Write to the spools; the bounds are those of the settings of the same names."""
        self._spools = dict(spools)
        self._body_bytes_max = body_bytes_max
        self._attributes_max = attributes_max
        self._counts = counts
        self._acknowledge_timeout_s = acknowledge_timeout_s
        self._threads = ThreadPoolExecutor(_THREADS, thread_name_prefix="intake")

    def close(self) -> None:
        """Let go of the threads, after the last `accept`."""
        self._threads.shutdown()

    async def accept(self, raw: RawBody, *, tenant: Tenant, signal: Signal, admitted: Admitted) -> Outcome:
        """Return when everything acceptable in the body is durable.

        Args:
            raw: the body, counted by `admitted` already.
            tenant: whose it is.
            signal: what it carries.
            admitted: the request's place; what decompression adds is counted there.

        Raises:
            RequestError: the body as a whole is refused; nothing of it is stored.
            CapacityError: it cannot be stored now; nothing, or with a time-out perhaps all, of it is stored.
        """
        examined = await self._examine(raw, signal=signal)
        grown = len(examined.body) - len(raw.data)
        if grown > 0:
            admitted.grow(grown)
        outcome = await self._store(examined, tenant=tenant, signal=signal)
        self._counts.stored(signal, examined=examined, duplicate=outcome.duplicate)
        return outcome

    async def _examine(self, raw: RawBody, *, signal: Signal) -> Examined:
        inline_bytes_max = min(_INLINE_BYTES_MAX[raw.format], self._body_bytes_max)
        if len(raw.data) <= inline_bytes_max:
            try:
                return self._examined(raw, signal, inline_bytes_max)
            except TooLarge:
                # Small as received, large or hostile behind its content coding: the thread finds out which.
                pass
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._threads, self._examined, raw, signal, self._body_bytes_max)

    def _examined(self, raw: RawBody, signal: Signal, size_bytes_max: int) -> Examined:
        decoded = decode(raw, signal=signal, size_bytes_max=size_bytes_max)
        return examine(decoded.request, signal=signal, body=decoded.body, attributes_max=self._attributes_max)

    async def _store(self, examined: Examined, *, tenant: Tenant, signal: Signal) -> Outcome:
        duplicate = False
        if examined.body:
            receipt = await self._durable(self._spools[signal].append(tenant, examined.body))
            duplicate = receipt.duplicate
        return Outcome(
            items=examined.items,
            rejected=examined.rejected,
            explanation=examined.explanation,
            duplicate=duplicate,
        )

    async def _durable(self, future: "Future[Receipt]") -> Receipt:
        try:
            async with asyncio.timeout(self._acknowledge_timeout_s):
                return await asyncio.wrap_future(future)
        except TimeoutError as error:
            raise SpoolUnavailable(
                "make the request durable",
                value=f"no answer from the disk in {self._acknowledge_timeout_s:g} s",
                hint="Send it again; it is stored once.",
            ) from error
