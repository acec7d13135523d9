"""One whole trace, read a piece at a time, for the routes that give it in formats of others. It writes no format."""

from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from functools import partial
from typing import TypeVar

from opentelemetry.proto.trace.v1.trace_pb2 import TracesData
from starlette.requests import Request

from homeostat_server.api.reading import Reading
from homeostat_server.model.identity import Principal
from homeostat_server.query.traces.lookup import (
    SPANS_MAX,
    SPANS_PER_PIECE,
    Piece,
    Place,
    StoredTrace,
    count_spans,
    find_trace,
    not_found,
    read_piece,
)
from homeostat_server.store.ports import TelemetryReader

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class TraceBegin:
    """Hold the first piece of a trace, already written, and how many spans the whole has."""

    trace: StoredTrace
    content: bytes
    next_place: Place | None
    given: int
    spans: int

    @property
    def is_whole(self) -> bool:
        """Say whether the first piece is all of it."""
        return self.next_place is None

    @property
    def is_cut(self) -> bool:
        """Say whether it has more spans than are ever given."""
        return self.spans > SPANS_MAX


@dataclass(frozen=True, slots=True, kw_only=True)
class WholeTrace:
    """Read one trace; each piece is read and written in a thread.

    Attributes:
        reading: the way to the store.
        request: whose caller is waited for.
        principal: who asks.
        write: makes bytes of a piece; called in the order of the pieces, `is_whole` with the first when it is all.
    """

    reading: Reading
    request: Request
    principal: Principal
    question: str
    write: Callable[[TracesData, bool], bytes]

    async def begin(self, trace_id: str) -> TraceBegin:
        """Return the first piece.

        Raises:
            NotFound: the tenant has no span of it.
        """
        return await self.reading.ask(self.question, self.request, partial(self._begin, trace_id))

    async def rest(self, begin: TraceBegin) -> AsyncIterator[bytes]:
        """Yield the other pieces, as far as spans are given at all."""
        given, place = begin.given, begin.next_place
        while place is not None and given < SPANS_MAX:
            ask = partial(self._next, begin.trace, place, given)
            piece, content = await self.reading.ask(f"{self.question}_piece", self.request, ask)
            given, place = given + piece.spans, piece.next_place
            if content:
                yield content

    def _begin(self, trace_id: str, reader: TelemetryReader) -> TraceBegin:
        trace = find_trace(reader, tenant=self.principal.tenant, trace_id=trace_id)
        piece = read_piece(reader, trace, after=None, spans_max=SPANS_PER_PIECE, known=self.reading.sources)
        if not piece.spans:
            raise not_found(trace_id)
        is_whole = piece.next_place is None
        return TraceBegin(
            trace=trace,
            content=self.write(piece.data, is_whole),
            next_place=piece.next_place,
            given=piece.spans,
            spans=piece.spans if is_whole else count_spans(reader, trace),
        )

    def _next(self, trace: StoredTrace, after: Place, given: int, reader: TelemetryReader) -> tuple[Piece, bytes]:
        spans_max = min(SPANS_PER_PIECE, SPANS_MAX - given)
        piece = read_piece(reader, trace, after=after, spans_max=spans_max, known=self.reading.sources)
        return piece, self.write(piece.data, False) if piece.spans else b""
