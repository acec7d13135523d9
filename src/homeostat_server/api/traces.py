"""`GET /api/v1/traces/{trace_id}`, a piece at a time. What is found is decided in `query`."""

from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from functools import partial
from typing import Annotated, Any, Final

import orjson
from fastapi import APIRouter, Depends, Path, Query
from opentelemetry.proto.trace.v1.trace_pb2 import TracesData
from pydantic import BaseModel, ConfigDict, Field
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from homeostat_server.api.lists import EXAMPLE_TRACE_ID
from homeostat_server.api.reading import Reading
from homeostat_server.api.search import search_router
from homeostat_server.model.identity import Principal
from homeostat_server.model.otlp_json import to_otlp_json
from homeostat_server.query.traces.lookup import (
    SPANS_MAX,
    SPANS_PER_PIECE,
    Piece,
    Place,
    StoredTrace,
    count_spans,
    find_trace,
    not_found,
    parse_trace_id,
    read_piece,
)
from homeostat_server.store.ports import TelemetryReader

PROTOBUF: Final = "application/x-protobuf"
TRUNCATED_HEADER: Final = "Homeostat-Truncated"


class TraceQuery(BaseModel):
    """Ask for one trace; a parameter that is not known is refused."""

    model_config = ConfigDict(extra="forbid")

    limit: int = Field(SPANS_MAX, ge=1, le=SPANS_MAX, description="Spans to give at most; the first ones are given")


def traces_router(reading: Reading) -> APIRouter:
    """Return the routes about traces."""
    router = APIRouter(tags=["traces"])
    router.include_router(search_router(reading))
    caller = Depends(reading.caller)

    @router.get(
        "/api/v1/traces/{trace_id}",
        summary="Give one trace as OTLP",
        response_class=Response,
        responses=TRACE_RESPONSES,
    )
    async def one(
        trace_id: Annotated[str, Path(description="32 hexadecimal digits", examples=[EXAMPLE_TRACE_ID])],
        query: Annotated[TraceQuery, Query()],
        principal: Annotated[Principal, caller],
        request: Request,
    ) -> Response:
        form = PROTOBUF_FORM if PROTOBUF in request.headers.get("accept", "") else JSON_FORM
        answering = _Answering(reading=reading, request=request, principal=principal, form=form, spans_max=query.limit)
        return await answering.response(parse_trace_id(trace_id))

    return router


TRACE_RESPONSES: Final[dict[int | str, dict[str, Any]]] = {
    200: {
        "description": (
            "The spans exactly as they were sent, by (start, span id), under their resources and scopes. When the trace"
            f" has more spans than the limit, the header `{TRUNCATED_HEADER}` says how many were given of how many, and"
            " so does the last member of the JSON, `truncated`."
        ),
        "content": {
            "application/json": {"schema": {"type": "object", "title": "TracesData of OTLP/JSON"}},
            PROTOBUF: {"schema": {"type": "string", "format": "binary", "title": "TracesData"}},
        },
    },
    404: {"description": "There is no such trace."},
}


@dataclass(frozen=True, slots=True)
class _Form:
    """Hold how a trace is written piece by piece."""

    media_type: str
    piece: Callable[[TracesData], bytes]
    head: bytes
    separator: bytes
    tail: bytes
    truncated_tail: Callable[["_Truncation"], bytes]


@dataclass(frozen=True, slots=True)
class _Truncation:
    """Hold how much of a trace is given."""

    given: int
    of: int

    @property
    def shown(self) -> str:
        return f"{self.given} of {self.of} spans"


def _json_piece(data: TracesData) -> bytes:
    return orjson.dumps(to_otlp_json(data)["resourceSpans"])[1:-1]


def _json_truncated_tail(truncation: _Truncation) -> bytes:
    return b'],"truncated":' + orjson.dumps({"given": truncation.given, "of": truncation.of}) + b"}"


JSON_FORM: Final = _Form(
    media_type="application/json",
    piece=_json_piece,
    head=b'{"resourceSpans":[',
    separator=b",",
    tail=b"]}",
    truncated_tail=_json_truncated_tail,
)
PROTOBUF_FORM: Final = _Form(
    media_type=PROTOBUF,
    # Messages written one after the other are one message with the repeated fields of all.
    piece=TracesData.SerializeToString,
    head=b"",
    separator=b"",
    tail=b"",
    truncated_tail=lambda _: b"",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Begin:
    """Hold the first piece of a trace, and how much there is when there is more."""

    trace: StoredTrace
    piece: Piece
    content: bytes
    spans_of_all: int


@dataclass(frozen=True, slots=True, kw_only=True)
class _Answering:
    """Write one trace, a piece at a time, each read and written in a thread."""

    reading: Reading
    request: Request
    principal: Principal
    form: _Form
    spans_max: int

    async def response(self, trace_id: str) -> Response:
        begin = await self.reading.ask("trace", self.request, partial(self._begin, trace_id))
        form = self.form
        if begin.spans_of_all <= begin.piece.spans:
            return Response(form.head + begin.content + form.tail, media_type=form.media_type)
        truncation = _Truncation(self.spans_max, begin.spans_of_all) if begin.spans_of_all > self.spans_max else None
        headers = {} if truncation is None else {TRUNCATED_HEADER: truncation.shown}
        return StreamingResponse(self._stream(begin, truncation), media_type=form.media_type, headers=headers)

    def _begin(self, trace_id: str, reader: TelemetryReader) -> _Begin:
        trace = find_trace(reader, tenant=self.principal.tenant, trace_id=trace_id)
        piece = self._read(reader, trace, after=None, given=0)
        if not piece.spans:
            raise not_found(trace_id)
        more = piece.next_place is not None
        spans_of_all = count_spans(reader, trace) if more else piece.spans
        return _Begin(trace=trace, piece=piece, content=self.form.piece(piece.data), spans_of_all=spans_of_all)

    def _read(self, reader: TelemetryReader, trace: StoredTrace, *, after: Place | None, given: int) -> Piece:
        spans_max = min(SPANS_PER_PIECE, self.spans_max - given)
        return read_piece(reader, trace, after=after, spans_max=spans_max, known=self.reading.sources)

    def _next(self, trace: StoredTrace, after: Place, given: int, reader: TelemetryReader) -> tuple[Piece, bytes]:
        piece = self._read(reader, trace, after=after, given=given)
        return piece, self.form.piece(piece.data) if piece.spans else b""

    async def _stream(self, begin: _Begin, truncation: _Truncation | None) -> AsyncIterator[bytes]:
        form = self.form
        yield form.head + begin.content
        given, place = begin.piece.spans, begin.piece.next_place
        while place is not None and given < self.spans_max:
            following = partial(self._next, begin.trace, place, given)
            piece, content = await self.reading.ask("trace_piece", self.request, following)
            given, place = given + piece.spans, piece.next_place
            if content:
                yield form.separator + content
        yield form.tail if truncation is None else form.truncated_tail(truncation)
