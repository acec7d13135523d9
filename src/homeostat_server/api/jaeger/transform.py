"""`POST /jaeger/api/transform`: OTLP JSON in, Jaeger's JSON out; the UI sends files there that a person drops on it.

Nothing is stored, and nobody's data is read.
"""

from asyncio import to_thread
from typing import Annotated, Any, Final

from fastapi import APIRouter, Depends
from opentelemetry.proto.trace.v1.trace_pb2 import ScopeSpans, TracesData
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response

from homeostat_server.api.jaeger.answers import json_response, structured
from homeostat_server.api.reading import Reading
from homeostat_server.exceptions import InvalidRequest, TooLarge
from homeostat_server.model.identity import Principal
from homeostat_server.model.jaeger_json import JaegerTraceWriter, trace_id_text
from homeostat_server.model.otlp_json import from_otlp_json

BODY_BYTES_MAX: Final = 4 * 1024 * 1024
"""A second of work, as for OTLP JSON that is sent to be stored."""


def add_transform(router: APIRouter, reading: Reading) -> None:
    """Add the route."""
    caller = Depends(reading.caller)

    @router.post("/jaeger/api/transform", summary="Write OTLP JSON as Jaeger's JSON")
    async def transform(request: Request, _principal: Annotated[Principal, caller]) -> Response:
        body = await _read(request)
        return json_response(structured(await to_thread(_transformed, body)))


async def _read(request: Request) -> bytes:
    chunks: list[bytes] = []
    size_bytes = 0
    try:
        async for chunk in request.stream():
            size_bytes += len(chunk)
            if size_bytes > BODY_BYTES_MAX:
                raise TooLarge("read the file", value=f"more than {BODY_BYTES_MAX} bytes", hint="Import it instead.")
            chunks.append(chunk)
    except ClientDisconnect as error:
        raise InvalidRequest("read the file", hint="The connection was closed before its end.") from error
    return b"".join(chunks)


def _transformed(body: bytes) -> list[dict[str, Any]]:
    data = from_otlp_json(body, into=TracesData())
    return [_trace(trace_id, part) for trace_id, part in _by_trace(data).items()]


def _by_trace(data: TracesData) -> dict[bytes, TracesData]:
    """Return spans apart by their traces, each under a copy of its resource and scope."""
    parts: dict[bytes, TracesData] = {}
    for block in data.resource_spans:
        for scoped in block.scope_spans:
            homes: dict[bytes, ScopeSpans] = {}
            for span in scoped.spans:
                if span.trace_id not in homes:
                    part = parts.setdefault(span.trace_id, TracesData())
                    copied = part.resource_spans.add(resource=block.resource)
                    homes[span.trace_id] = copied.scope_spans.add(scope=scoped.scope)
                homes[span.trace_id].spans.append(span)
    return parts


def _trace(trace_id: bytes, data: TracesData) -> dict[str, Any]:
    writer = JaegerTraceWriter()
    spans = writer.spans(data)
    return {
        "traceID": trace_id_text(trace_id),
        "spans": spans,
        "processes": writer.processes(),
        "warnings": None,
    }
