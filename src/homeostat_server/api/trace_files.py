"""Traces out to files and in from them: `…/traces/{trace_id}/export` and `POST /api/v1/traces/import`.

What comes in goes the way of every span: through the checks and the spool, and is answered when it is durable. Formats
are OTLP JSON and Jaeger's JSON.
"""

from asyncio import Lock, to_thread
from collections.abc import AsyncIterator
from enum import StrEnum, unique
from typing import Annotated, Any, Final

import orjson
from fastapi import APIRouter, Depends, Path, Query
from opentelemetry.proto.trace.v1.trace_pb2 import TracesData
from pydantic import Field
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from homeostat_server.api.ingest import media_type_of, read_body
from homeostat_server.api.jaeger.traces import JaegerAnswer
from homeostat_server.api.lists import EXAMPLE_TRACE_ID, Answer
from homeostat_server.api.reading import Reading
from homeostat_server.api.reception import Reception
from homeostat_server.api.whole_traces import WholeTrace
from homeostat_server.exceptions import InvalidRequest, UnsupportedMedia
from homeostat_server.ingest.compression import decompress
from homeostat_server.ingest.decoding import BodyFormat, RawBody
from homeostat_server.model.identity import Principal, Scope
from homeostat_server.model.jaeger_otlp import from_jaeger_json
from homeostat_server.model.otlp_json import from_otlp_json, to_otlp_json
from homeostat_server.model.signal import Signal
from homeostat_server.query.traces.lookup import parse_trace_id

IMPORT_BYTES_MAX: Final = 16 * 1024 * 1024
"""Of one file, after decompression: some 15,000 spans as Jaeger's JSON, and two seconds of work. One file at a time."""

TRACES_SHOWN_MAX: Final = 100
JSON: Final = "application/json"


@unique
class TraceFormat(StrEnum):
    """Name a format of files."""

    OTLP = "otlp"
    JAEGER = "jaeger"


class ImportAnswer(Answer):
    """Say what became of a file; what is counted in `spans` is durable."""

    spans: int = Field(description="Taken in", examples=[23])
    rejected: int = Field(description="Refused, with the reasons in `explanation`", examples=[0])
    explanation: str = Field("", examples=[""])
    traces: list[str] = Field(description="Ids of the first hundred traces of the file", examples=[[EXAMPLE_TRACE_ID]])


def trace_export_router(reading: Reading) -> APIRouter:
    """Return the route by which a trace leaves as a file."""
    router = APIRouter(tags=["traces"])
    caller = Depends(reading.caller)

    @router.get(
        "/api/v1/traces/{trace_id}/export",
        summary="Give one trace as a file",
        response_class=Response,
        responses={
            200: {"content": {JSON: {"schema": {"type": "object"}}}, "description": "OTLP JSON, or Jaeger's JSON"},
            404: {"description": "There is no such trace."},
        },
    )
    async def export(
        request: Request,
        principal: Annotated[Principal, caller],
        trace_id: Annotated[str, Path(description="32 hexadecimal digits", examples=[EXAMPLE_TRACE_ID])],
        form: Annotated[TraceFormat, Query(alias="format", description="Of the file")] = TraceFormat.OTLP,
    ) -> Response:
        wanted = parse_trace_id(trace_id)
        if form is TraceFormat.JAEGER:
            answer = JaegerAnswer(reading, request, principal, is_raw=True)
            response = await answer.response(wanted, is_pretty=False)
        else:
            response = await _otlp(reading, request, principal, trace_id=wanted)
        response.headers["Content-Disposition"] = f'attachment; filename="{wanted}.{form.value}.json"'
        return response

    return router


async def _otlp(reading: Reading, request: Request, principal: Principal, *, trace_id: str) -> Response:
    def write(data: TracesData, _is_whole: bool) -> bytes:  # noqa: FBT001 - as it is called
        return orjson.dumps(to_otlp_json(data)["resourceSpans"])[1:-1]

    whole = WholeTrace(reading=reading, request=request, principal=principal, question="trace_export", write=write)
    begin = await whole.begin(trace_id)

    async def stream() -> AsyncIterator[bytes]:
        yield b'{"resourceSpans":[' + begin.content
        async for content in whole.rest(begin):
            yield b"," + content
        yield b"]}"

    return StreamingResponse(stream(), media_type=JSON)


def trace_import_router(reception: Reception) -> APIRouter:
    """Return the route by which traces come in from files."""
    router = APIRouter(tags=["traces"])
    decoding = Lock()  # of one file at a time, so that the memory for it is bounded

    @router.post(
        "/api/v1/traces/import",
        summary="Take traces in from a file",
        response_model=ImportAnswer,
        openapi_extra={"requestBody": {"required": True, "content": {JSON: {"schema": {"type": "object"}}}}},
    )
    async def take(request: Request) -> Response:
        principal = reception.authenticator.authenticate(request.headers.raw, scope=Scope.INGEST)
        if media_type_of(request) != JSON:
            hint = "Send a file as application/json: OTLP JSON or Jaeger's JSON."
            raise UnsupportedMedia("import traces", value=media_type_of(request) or "(none)", hint=hint)
        bound = min(IMPORT_BYTES_MAX, reception.body_bytes_max)
        with reception.admission.admit() as admitted:
            data = await read_body(request, admitted, size_bytes_max=bound, timeout_s=reception.body_timeout_s)
            async with decoding:
                encoding = request.headers.get("content-encoding", "")
                body, traces = await to_thread(_decoded, data, encoding, bound)
            raw = RawBody(data=body, format=BodyFormat.PROTOBUF)
            outcome = await reception.intake.accept(
                raw, tenant=principal.tenant, signal=Signal.TRACES, admitted=admitted
            )
        answer = ImportAnswer(
            spans=outcome.items, rejected=outcome.rejected, explanation=outcome.explanation, traces=traces
        )
        return Response(answer.model_dump_json(), media_type=JSON)

    return router


def _decoded(data: bytes, encoding: str, size_bytes_max: int) -> tuple[bytes, list[str]]:
    """Return a file as the body of an OTLP request, and the ids of its first traces."""
    read = read_traces(decompress(data, encoding=encoding, size_bytes_max=size_bytes_max))
    ids = {
        span.trace_id.hex(): None
        for block in read.resource_spans
        for scoped in block.scope_spans
        for span in scoped.spans
    }
    # The messages have the same one member, so the bytes of this one are a request.
    return read.SerializeToString(), list(ids)[:TRACES_SHOWN_MAX]


def read_traces(text: bytes) -> TracesData:
    """Return the spans of a file in whichever of the formats it is.

    Raises:
        InvalidRequest: it is in none.
    """
    try:
        document: Any = orjson.loads(text)
    except orjson.JSONDecodeError as error:
        raise InvalidRequest("decode the file as JSON", value=str(error)) from error
    if isinstance(document, dict) and "resourceSpans" in document:
        return from_otlp_json(text, into=TracesData())
    if isinstance(document, dict) and ("data" in document or "spans" in document):
        return from_jaeger_json(document)
    raise InvalidRequest(
        "tell the format of the file",
        hint="OTLP JSON is an object with `resourceSpans`, Jaeger's JSON one with `data` or `spans`.",
    )
