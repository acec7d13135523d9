"""The routes of Jaeger's query API, third version: traces as OTLP JSON."""

from functools import partial
from typing import Annotated, Any, Final

import orjson
from fastapi import APIRouter, Depends, Path, Query
from opentelemetry.proto.trace.v1.trace_pb2 import TracesData
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from homeostat_server.api.error_routes import TEXT
from homeostat_server.api.jaeger.answers import v3_response
from homeostat_server.api.jaeger.parameters import V3SearchParameters, V3TraceParameters, malformed, trace_id_of_text
from homeostat_server.api.lists import EXAMPLE_TRACE_ID
from homeostat_server.api.reading import Reading
from homeostat_server.api.whole_traces import WholeTrace
from homeostat_server.exceptions import NotFound
from homeostat_server.model.identity import Principal
from homeostat_server.model.jaeger_json import KINDS
from homeostat_server.model.otlp_json import to_otlp_json
from homeostat_server.query.jaeger.names import Operation, list_operation_names, list_service_names, names_window
from homeostat_server.query.jaeger.search import find_trace_ids, read_traces
from homeostat_server.store.ports import TelemetryReader

NONE_FOUND: Final = "No traces found"
_HEAD: Final = b'{"result":{"resourceSpans":['
_TAIL: Final = b"]}}"
_KIND_NUMBERS: Final = {name: kind for kind, name in KINDS.items()}


def add_third_version(router: APIRouter, reading: Reading) -> None:
    """Add the routes."""
    _add_names(router, reading)
    _add_traces(router, reading)


def _add_names(router: APIRouter, reading: Reading) -> None:
    caller = Depends(reading.caller)

    @router.get("/jaeger/api/v3/services", summary="List services, as Jaeger does in its third version")
    async def services(request: Request, principal: Annotated[Principal, caller]) -> Response:
        def ask(reader: TelemetryReader) -> list[str]:
            window = names_window(now_ns=reading.clock.now_ns())
            return list_service_names(reader, tenant=principal.tenant, window=window)

        return v3_response({"services": await reading.ask("jaeger_services", request, ask)})

    @router.get("/jaeger/api/v3/operations", summary="List a service's operations with their kinds")
    async def operations(
        request: Request,
        principal: Annotated[Principal, caller],
        service: Annotated[str, Query(examples=["checkout"])] = "",
        span_kind: Annotated[str, Query(description="Only of this kind", examples=["client"])] = "",
    ) -> Response:
        def ask(reader: TelemetryReader) -> list[Operation]:
            window = names_window(now_ns=reading.clock.now_ns())
            kind = _KIND_NUMBERS.get(span_kind)
            return list_operation_names(reader, tenant=principal.tenant, window=window, service=service, kind=kind)

        is_known = not span_kind or span_kind in _KIND_NUMBERS
        found = await reading.ask("jaeger_operations", request, ask) if is_known and service else []
        return v3_response({"operations": [_operation_json(operation) for operation in found]})


def _operation_json(operation: Operation) -> dict[str, str]:
    kind = KINDS.get(operation.kind)
    return {"name": operation.name} if kind is None else {"name": operation.name, "spanKind": kind}


def _add_traces(router: APIRouter, reading: Reading) -> None:
    caller = Depends(reading.caller)

    @router.get("/jaeger/api/v3/traces", summary="Search for traces as OTLP JSON")
    async def search(
        request: Request, principal: Annotated[Principal, caller], asked: Annotated[V3SearchParameters, Query()]
    ) -> Response:
        return await reading.ask("jaeger_search", request, partial(_search, principal, asked))

    @router.get("/jaeger/api/v3/traces/{trace_id}", summary="Give one trace as OTLP JSON")
    async def trace(
        request: Request,
        principal: Annotated[Principal, caller],
        trace_id: Annotated[str, Path(description="Up to 32 hexadecimal digits", examples=[EXAMPLE_TRACE_ID])],
        asked: Annotated[V3TraceParameters, Query()],
    ) -> Response:
        wanted = malformed("trace_id", trace_id_of_text, trace_id) or ""
        asked.check()
        return await _trace(
            WholeTrace(reading=reading, request=request, principal=principal, question="jaeger_trace", write=_piece),
            wanted,
        )


def _search(principal: Principal, asked: V3SearchParameters, reader: TelemetryReader) -> Response:
    found_ids = find_trace_ids(
        reader,
        tenant=principal.tenant,
        window=asked.window(),
        search=asked.search(),
        traces_max=asked.traces_max(),
    )
    found = read_traces(reader, tenant=principal.tenant, trace_ids=found_ids)
    if not found:
        raise NotFound(NONE_FOUND)
    pieces = b",".join(_piece(trace.data, True) for trace in found)
    return Response(_HEAD + pieces + _TAIL, media_type=TEXT)


async def _trace(whole: WholeTrace, trace_id: str) -> Response:
    try:
        begin = await whole.begin(trace_id)
    except NotFound as error:
        raise NotFound(NONE_FOUND) from error

    async def stream() -> Any:  # noqa: ANN401 - an iterator of bytes
        yield _HEAD + begin.content
        async for content in whole.rest(begin):
            yield b"," + content
        yield _TAIL

    if begin.is_whole:
        return Response(_HEAD + begin.content + _TAIL, media_type=TEXT)
    return StreamingResponse(stream(), media_type=TEXT)


def _piece(data: TracesData, _is_whole: bool) -> bytes:  # noqa: FBT001 - as it is called
    for block in data.resource_spans:
        for scoped in block.scope_spans:
            for span in scoped.spans:
                span.status.SetInParent()  # Jaeger says it also where it is unset
    return orjson.dumps(to_otlp_json(data)["resourceSpans"])[1:-1]
