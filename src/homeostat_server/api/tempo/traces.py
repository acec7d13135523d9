"""One trace as Tempo gives it, in both versions of the route and both formats, a piece at a time.

Pieces of protobuf need no bound between them: members that repeat are put together by whoever reads them, and so is a
message that stands in its place more than once. In JSON ids are base64 and enums are names, as protobuf has it.
"""

from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from typing import Final

import orjson
from google.protobuf import json_format
from opentelemetry.proto.trace.v1.trace_pb2 import TracesData
from starlette.responses import Response, StreamingResponse

from homeostat_server.api.tempo.answers import JSON, PROTOBUF
from homeostat_server.api.whole_traces import TraceBegin, WholeTrace
from homeostat_server.query.traces.lookup import SPANS_MAX

PARTIAL: Final = 1
"""Number of the status of a trace that is not given whole."""

_TRACE_FIELD: Final = b"\x0a"
_STATUS_FIELD: Final = b"\x18"
_MESSAGE_FIELD: Final = b"\x22"
"""Tags of the members of `tempopb.TraceByIDResponse`: trace = 1, status = 3, message = 4."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TraceForm:
    """Hold how a trace is written.

    Attributes:
        tail: what stands at the end, for a trace that is given whole (None), or for what there is to say of one that
            is cut.
        empty: the answer where there is no such trace, None where that is a failure.
    """

    media_type: str
    piece: Callable[[TracesData], bytes]
    head: bytes
    separator: bytes
    tail: Callable[[str | None], bytes]
    empty: bytes | None = None


def json_piece(data: TracesData) -> bytes:
    """Return spans as members of a list of JSON."""
    return orjson.dumps(json_format.MessageToDict(data)["resourceSpans"])[1:-1]


def _wrapped(data: TracesData) -> bytes:
    content = data.SerializeToString()
    return _TRACE_FIELD + varint(len(content)) + content


def _protobuf_tail(message: str | None) -> bytes:
    if message is None:
        return b""
    text = message.encode()
    return _STATUS_FIELD + varint(PARTIAL) + _MESSAGE_FIELD + varint(len(text)) + text


def _json_tail(message: str | None) -> bytes:
    if message is None:
        return b']},"metrics":{}}'
    return b']},"metrics":{},"status":"PARTIAL","message":' + orjson.dumps(message) + b"}"


def varint(number: int) -> bytes:
    """Return a whole number that is not negative as protobuf writes it."""
    written = bytearray()
    while number > 0x7F:
        written.append(number & 0x7F | 0x80)
        number >>= 7
    written.append(number)
    return bytes(written)


V1_PROTOBUF: Final = TraceForm(
    media_type=PROTOBUF, piece=TracesData.SerializeToString, head=b"", separator=b"", tail=lambda _: b""
)
V1_JSON: Final = TraceForm(
    media_type=JSON, piece=json_piece, head=b'{"batches":[', separator=b",", tail=lambda _: b"]}"
)
V2_PROTOBUF: Final = TraceForm(
    media_type=PROTOBUF, piece=_wrapped, head=b"", separator=b"", tail=_protobuf_tail, empty=_TRACE_FIELD + b"\0"
)
V2_JSON: Final = TraceForm(
    media_type=JSON,
    piece=json_piece,
    head=b'{"trace":{"resourceSpans":[',
    separator=b",",
    tail=_json_tail,
    empty=b'{"trace":{},"metrics":{}}',
)


async def trace_response(whole: WholeTrace, trace_id: str, *, form: TraceForm) -> Response:
    """Return a trace.

    Raises:
        NotFound: there is none.
    """
    begin = await whole.begin(trace_id)
    told = f"The trace has {begin.spans} spans; the first {SPANS_MAX} are given." if begin.is_cut else None
    if begin.is_whole:
        return Response(form.head + begin.content + form.tail(told), media_type=form.media_type)
    return StreamingResponse(_stream(whole, begin, form, told), media_type=form.media_type)


async def _stream(whole: WholeTrace, begin: TraceBegin, form: TraceForm, told: str | None) -> AsyncIterator[bytes]:
    yield form.head + begin.content
    async for content in whole.rest(begin):
        yield form.separator + content
    yield form.tail(told)
