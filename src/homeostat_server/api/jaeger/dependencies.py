"""`GET /jaeger/api/dependencies`: which services call which, from the service map. It draws nothing itself."""

from collections import Counter
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query
from starlette.requests import Request
from starlette.responses import Response

from homeostat_server.api.jaeger.answers import JaegerRoute, json_response, structured
from homeostat_server.api.jaeger.parameters import DependenciesParameters
from homeostat_server.api.reading import Reading
from homeostat_server.model.identity import Principal
from homeostat_server.query.service_map.asking import MapRequest, service_map
from homeostat_server.query.service_map.drawing import ServiceMap
from homeostat_server.query.summaries.keeping import KeptSummaries
from homeostat_server.query.summaries.peers import SERVICE
from homeostat_server.query.summaries.window import Summaries
from homeostat_server.store.ports import TelemetryReader


def jaeger_dependencies_router(reading: Reading, kept: KeptSummaries) -> APIRouter:
    """Return the route."""
    router = APIRouter(tags=["jaeger"], route_class=JaegerRoute)
    caller = Depends(reading.caller)

    @router.get("/jaeger/api/dependencies", summary="List which services call which, as Jaeger does")
    async def dependencies(
        request: Request, principal: Annotated[Principal, caller], asked: Annotated[DependenciesParameters, Query()]
    ) -> Response:
        now_ns = reading.clock.now_ns()
        window = asked.window(now_ns=now_ns)

        def ask(reader: TelemetryReader) -> list[dict[str, Any]]:
            drawn = service_map(Summaries(reader, principal.tenant, kept, now_ns), MapRequest(window=window))
            assert isinstance(drawn, ServiceMap)  # it is compared with none
            return _links(drawn, asked.service)

        return json_response(structured(await reading.ask("jaeger_dependencies", request, ask)))

    return router


def _links(drawn: ServiceMap, service: str | None) -> list[dict[str, Any]]:
    """Return the calls between services that send telemetry themselves; of one service, when one is named."""
    kind = SERVICE.decode()
    calls: Counter[tuple[str, str]] = Counter()
    for edge in drawn.edges:
        caller, callee = edge.name.caller, edge.name.callee
        if caller.kind == callee.kind == kind and caller.name != callee.name:
            calls[caller.name, callee.name] += round(edge.figures.calls)
    return [
        {"parent": parent, "child": child, "callCount": count}
        for (parent, child), count in sorted(calls.items())
        if not service or service in (parent, child)
    ]
