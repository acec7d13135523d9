"""The routes of Tempo's HTTP API. What is found and measured is decided in `query`."""

from typing import Annotated, Any, Final

from fastapi import APIRouter, Depends, Path, Query
from opentelemetry.proto.trace.v1.trace_pb2 import TracesData
from starlette.requests import Request
from starlette.responses import Response

import homeostat
from homeostat_server.api.lists import EXAMPLE_TRACE_ID
from homeostat_server.api.reading import Reading
from homeostat_server.api.tempo.answers import PROTOBUF, TempoRoute, json_response, wants_protobuf
from homeostat_server.api.tempo.completion import add_completion
from homeostat_server.api.tempo.metrics import add_metrics
from homeostat_server.api.tempo.parameters import TimesParameters, trace_id_of_text
from homeostat_server.api.tempo.search import add_search
from homeostat_server.api.tempo.traces import (
    V1_JSON,
    V1_PROTOBUF,
    V2_JSON,
    V2_PROTOBUF,
    TraceForm,
    trace_response,
)
from homeostat_server.api.whole_traces import WholeTrace
from homeostat_server.exceptions import NotFound
from homeostat_server.model.identity import Principal

TEMPO_VERSION: Final = "2.9.0"
"""The version of Tempo whose API this is; Grafana asks it to know what it may ask for."""

TRACE_RESPONSES: Final[dict[int | str, dict[str, Any]]] = {
    200: {
        "description": "The trace: `tempopb.Trace`, in the second version `tempopb.TraceByIDResponse`",
        "content": {
            "application/json": {"schema": {"type": "object"}},
            PROTOBUF: {"schema": {"type": "string", "format": "binary"}},
        },
    }
}

TraceId = Annotated[str, Path(description="Up to 32 hexadecimal digits", examples=[EXAMPLE_TRACE_ID])]


def tempo_router(reading: Reading) -> APIRouter:
    """Return the routes under `/tempo/api`."""
    router = APIRouter(tags=["tempo"], route_class=TempoRoute)
    _add_status(router, reading)
    _add_traces(router, reading)
    add_search(router, reading)
    add_completion(router, reading)
    add_metrics(router, reading)
    return router


def _add_status(router: APIRouter, reading: Reading) -> None:
    caller = Depends(reading.caller)

    @router.get(
        "/tempo/api/echo",
        summary="Say that questions are answered",
        response_class=Response,
        responses={200: {"content": {"text/plain": {"schema": {"type": "string", "example": "echo"}}}}},
    )
    async def echo(_principal: Annotated[Principal, caller]) -> Response:
        return Response("echo", media_type="text/plain; charset=utf-8")

    @router.get("/tempo/api/status/buildinfo", summary="Say which version of Tempo's API this is")
    async def build(_principal: Annotated[Principal, caller]) -> Response:
        version = {"version": TEMPO_VERSION, "revision": homeostat.__version__, "branch": "homeostat"}
        return json_response(version | {"buildUser": "", "buildDate": "", "goVersion": ""})


def _add_traces(router: APIRouter, reading: Reading) -> None:
    caller = Depends(reading.caller)

    @router.get("/tempo/api/traces/{trace_id}", summary="Give one trace as Tempo does", responses=TRACE_RESPONSES)
    async def first(
        request: Request,
        principal: Annotated[Principal, caller],
        trace_id: TraceId,
        asked: Annotated[TimesParameters, Query()],
    ) -> Response:
        form = V1_PROTOBUF if wants_protobuf(request) else V1_JSON
        return await _trace(reading, request, principal, trace_id=trace_id, asked=asked, form=form)

    @router.get(
        "/tempo/api/v2/traces/{trace_id}",
        summary="Give one trace as Tempo does in its second version",
        responses=TRACE_RESPONSES,
    )
    async def second(
        request: Request,
        principal: Annotated[Principal, caller],
        trace_id: TraceId,
        asked: Annotated[TimesParameters, Query()],
    ) -> Response:
        form = V2_PROTOBUF if wants_protobuf(request) else V2_JSON
        return await _trace(reading, request, principal, trace_id=trace_id, asked=asked, form=form)


async def _trace(
    reading: Reading,
    request: Request,
    principal: Principal,
    *,
    trace_id: str,
    asked: TimesParameters,
    form: TraceForm,
) -> Response:
    wanted = trace_id_of_text(trace_id)
    asked.given()  # a hint where to look, which is not needed here; one that is none is refused as Tempo does

    def write(data: TracesData, _is_whole: bool) -> bytes:  # noqa: FBT001 - as it is called
        return form.piece(data)

    whole = WholeTrace(reading=reading, request=request, principal=principal, question="tempo_trace", write=write)
    try:
        return await trace_response(whole, wanted, form=form)
    except NotFound:
        if form.empty is None:
            return Response(status_code=404)
        return Response(form.empty, media_type=form.media_type)
