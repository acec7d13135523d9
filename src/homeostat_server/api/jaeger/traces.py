"""Whole traces as Jaeger's JSON: one, a piece at a time however large it is, or several found by a search."""

from collections.abc import AsyncIterator, Sequence
from typing import Any, Final

import orjson
from opentelemetry.proto.trace.v1.trace_pb2 import TracesData
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from homeostat_server.api.jaeger.answers import ENVELOPE_TAIL
from homeostat_server.api.reading import Reading
from homeostat_server.api.whole_traces import TraceBegin, WholeTrace
from homeostat_server.exceptions import NotFound
from homeostat_server.model.identity import Principal
from homeostat_server.model.jaeger_json import JaegerTraceWriter, trace_id_text
from homeostat_server.query.jaeger.search import FoundTrace
from homeostat_server.query.jaeger.warnings import warnings_of
from homeostat_server.query.traces.lookup import SPANS_MAX

NOT_FOUND: Final = "trace not found"


def cut_warning(*, given: int, of: int) -> str:
    """Return what a trace says that is not given whole."""
    return f"This trace has {of} spans; the first {given} are given."


class JaegerAnswer:
    """Answer with one trace."""

    def __init__(self, reading: Reading, request: Request, principal: Principal, *, is_raw: bool) -> None:
        """Take the way to the store, and whether warnings are not wanted."""
        self._writer = JaegerTraceWriter()
        self._is_raw = is_raw
        self._whole = WholeTrace(
            reading=reading, request=request, principal=principal, question="jaeger_trace", write=self._write
        )

    async def response(self, trace_id: str, *, is_pretty: bool) -> Response:
        """Return the trace.

        Raises:
            NotFound: there is none.
        """
        try:
            begin = await self._whole.begin(trace_id)
        except NotFound as error:
            raise NotFound(NOT_FOUND) from error
        head = b'{"data":[{"traceID":' + orjson.dumps(trace_id_text(bytes.fromhex(trace_id))) + b',"spans":['
        if not begin.is_whole:
            return StreamingResponse(self._stream(head, begin), media_type="application/json")
        content = head + begin.content + self._tail(begin)
        if is_pretty:
            content = orjson.dumps(orjson.loads(content), option=orjson.OPT_INDENT_2)
        return Response(content, media_type="application/json")

    def _write(self, data: TracesData, is_whole: bool) -> bytes:  # noqa: FBT001 - as it is called
        spans = self._writer.spans(data)
        if is_whole and not self._is_raw:
            add_warnings(spans, data)
        return orjson.dumps(spans)[1:-1]

    async def _stream(self, head: bytes, begin: TraceBegin) -> AsyncIterator[bytes]:
        yield head + begin.content
        async for content in self._whole.rest(begin):
            yield b"," + content
        yield self._tail(begin)

    def _tail(self, begin: TraceBegin) -> bytes:
        warnings = [cut_warning(given=SPANS_MAX, of=begin.spans)] if begin.is_cut else None
        members = b'],"processes":' + orjson.dumps(self._writer.processes()) + b',"warnings":' + orjson.dumps(warnings)
        return members + b"}]" + ENVELOPE_TAIL + b"\n"


def found_trace_json(found: FoundTrace, *, is_raw: bool) -> dict[str, Any]:
    """Return a trace that a search has found."""
    writer = JaegerTraceWriter()
    spans = writer.spans(found.data)
    is_cut = found.given < found.spans
    if not is_raw and not is_cut:
        add_warnings(spans, found.data)
    return {
        "traceID": trace_id_text(bytes.fromhex(found.trace_id)),
        "spans": spans,
        "processes": writer.processes(),
        "warnings": [cut_warning(given=found.given, of=found.spans)] if is_cut else None,
    }


def add_warnings(spans: Sequence[dict[str, Any]], data: TracesData) -> None:
    """Set the warnings about the spans of a whole trace."""
    warnings = warnings_of(data)
    for span in spans:
        span["warnings"] = warnings.get(bytes.fromhex(span["spanID"]))
