"""The routes of Jaeger's query API, first version. What is found and listed is decided in `query`."""

from functools import partial
from typing import Annotated, Final

from fastapi import APIRouter, Depends, Path, Query
from starlette.requests import Request
from starlette.responses import Response

from homeostat_server.api.jaeger.answers import JaegerRoute, JaegerV3Route, json_response, structured
from homeostat_server.api.jaeger.parameters import (
    SearchParameters,
    TraceParameters,
    service_required,
    trace_id_of_text,
)
from homeostat_server.api.jaeger.third import add_third_version
from homeostat_server.api.jaeger.traces import NOT_FOUND, JaegerAnswer, found_trace_json
from homeostat_server.api.jaeger.transform import add_transform
from homeostat_server.api.lists import EXAMPLE_TRACE_ID
from homeostat_server.api.reading import Reading
from homeostat_server.exceptions import NotSupported
from homeostat_server.model.identity import Principal
from homeostat_server.model.jaeger_json import KINDS, trace_id_text
from homeostat_server.query.jaeger.names import Operation, list_operation_names, list_service_names, names_window
from homeostat_server.query.jaeger.search import find_trace_ids, read_traces
from homeostat_server.store.ports import TelemetryReader

KIND_NUMBERS: Final = {name: kind for kind, name in KINDS.items()}

TraceId = Annotated[str, Path(description="Up to 32 hexadecimal digits", examples=[EXAMPLE_TRACE_ID])]


def jaeger_router(reading: Reading) -> APIRouter:
    """Return the routes under `/jaeger`."""
    router = APIRouter(tags=["jaeger"])
    first = APIRouter(route_class=JaegerRoute)
    _add_names(first, reading)
    _add_traces(first, reading)
    add_transform(first, reading)
    _add_absent(first, reading)
    third = APIRouter(route_class=JaegerV3Route)
    add_third_version(third, reading)
    router.include_router(third)
    router.include_router(first)
    return router


def _add_names(router: APIRouter, reading: Reading) -> None:
    caller = Depends(reading.caller)

    @router.get("/jaeger/api/services", summary="List services, as Jaeger does")
    async def services(request: Request, principal: Annotated[Principal, caller]) -> Response:
        def ask(reader: TelemetryReader) -> list[str]:
            window = names_window(now_ns=reading.clock.now_ns())
            return list_service_names(reader, tenant=principal.tenant, window=window)

        found = await reading.ask("jaeger_services", request, ask)
        return json_response(structured(found or None, total=len(found)))

    @router.get("/jaeger/api/services/{service:path}/operations", summary="List a service's operations by name")
    async def operations_of(
        request: Request, principal: Annotated[Principal, caller], service: Annotated[str, Path(examples=["checkout"])]
    ) -> Response:
        found = await _operations(reading, request, principal, service=service)
        names = sorted({operation.name for operation in found})
        return json_response(structured(names or None, total=len(names)))

    @router.get("/jaeger/api/operations", summary="List a service's operations with their kinds")
    async def operations(
        request: Request,
        principal: Annotated[Principal, caller],
        service: Annotated[str, Query(description="Needed", examples=["checkout"])] = "",
        spanKind: Annotated[str, Query(description="Only of this kind", examples=["client"])] = "",  # noqa: N803
    ) -> Response:
        if not service:
            raise service_required()
        found = await _operations(reading, request, principal, service=service, kind=spanKind)
        listed = [{"name": operation.name, "spanKind": KINDS.get(operation.kind, "")} for operation in found]
        return json_response(structured(listed, total=len(listed)))


async def _operations(
    reading: Reading, request: Request, principal: Principal, *, service: str, kind: str = ""
) -> list[Operation]:
    if kind and kind not in KIND_NUMBERS:
        return []

    def ask(reader: TelemetryReader) -> list[Operation]:
        window = names_window(now_ns=reading.clock.now_ns())
        number = KIND_NUMBERS.get(kind)
        return list_operation_names(reader, tenant=principal.tenant, window=window, service=service, kind=number)

    return await reading.ask("jaeger_operations", request, ask)


def _add_traces(router: APIRouter, reading: Reading) -> None:
    caller = Depends(reading.caller)

    @router.get("/jaeger/api/traces", summary="Search for traces, or give some by their ids, as Jaeger's JSON")
    async def search(
        request: Request, principal: Annotated[Principal, caller], asked: Annotated[SearchParameters, Query()]
    ) -> Response:
        return await reading.ask("jaeger_search", request, partial(_search, reading, principal, asked))

    @router.get("/jaeger/api/traces/{trace_id}", summary="Give one trace as Jaeger's JSON")
    async def trace(
        request: Request,
        principal: Annotated[Principal, caller],
        trace_id: TraceId,
        asked: Annotated[TraceParameters, Query()],
    ) -> Response:
        wanted = trace_id_of_text(trace_id)
        answer = JaegerAnswer(reading, request, principal, is_raw=asked.is_raw())
        return await answer.response(wanted, is_pretty=asked.is_pretty())


def _search(reading: Reading, principal: Principal, asked: SearchParameters, reader: TelemetryReader) -> Response:
    is_raw = asked.is_raw()
    trace_ids = asked.trace_ids()
    errors: list[dict[str, object]] = []
    if not trace_ids:
        window = asked.window(now_ns=reading.clock.now_ns())
        found_ids = find_trace_ids(
            reader, tenant=principal.tenant, window=window, search=asked.search(), traces_max=asked.traces_max()
        )
        found = read_traces(reader, tenant=principal.tenant, trace_ids=found_ids)
    else:
        found = read_traces(reader, tenant=principal.tenant, trace_ids=trace_ids)
        missing = set(trace_ids) - {trace.trace_id for trace in found}
        errors = [{"msg": NOT_FOUND, "traceID": trace_id_text(bytes.fromhex(one))} for one in sorted(missing)]
    traces = [found_trace_json(trace, is_raw=is_raw) for trace in found]
    return json_response(structured(traces, errors=errors or None), is_pretty=asked.is_pretty())


def _add_absent(router: APIRouter, reading: Reading) -> None:
    """Add the routes that Jaeger has, too, where it is not set up for them."""
    caller = Depends(reading.caller)

    @router.post("/jaeger/api/archive/{trace_id}", summary="Say that there is no archive")
    async def archive(_principal: Annotated[Principal, caller], trace_id: TraceId) -> Response:
        trace_id_of_text(trace_id)
        raise NotSupported("archive span storage was not configured")

    @router.get("/jaeger/api/metrics/{kind}", summary="Say that the metrics of Jaeger's Monitor page are disabled")
    async def metrics(_principal: Annotated[Principal, caller], kind: Annotated[str, Path()]) -> Response:
        del kind  # each is disabled
        raise NotSupported("metrics querying is currently disabled")
