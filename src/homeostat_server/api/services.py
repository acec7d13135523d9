"""`GET /api/v1/services` and `/api/v1/services/{service}/operations`. What the figures mean is said in `query`."""

from dataclasses import asdict
from functools import partial
from typing import Annotated, Any, Final, Literal

from fastapi import APIRouter, Depends, Path, Query
from pydantic import Field
from starlette.requests import Request
from starlette.responses import Response

from homeostat_server.api.lists import Answer, ListAnswer, Moment, WindowQuery, list_members
from homeostat_server.api.reading import Reading
from homeostat_server.model.identity import Principal
from homeostat_server.query.cursor import NamePlace
from homeostat_server.query.services.figures import (
    OPERATIONS_MAX,
    SERVICES_MAX,
    OperationFigures,
    OperationPlace,
    ServiceFigures,
    list_operations,
    list_services,
)
from homeostat_server.store.ports import TelemetryReader

SERVICES_USUAL: Final = 200
OPERATIONS_USUAL: Final = 200

KINDS: Final = ("unspecified", "internal", "server", "client", "producer", "consumer")
"""Span kinds in the order of OTLP's numbers."""

PERCENTILE: Final = "in milliseconds, within 0.5 % of the true value"


class ServicesQuery(WindowQuery):
    """Ask for the services that have spans in the window."""

    limit: int = Field(SERVICES_USUAL, ge=1, le=SERVICES_MAX)


class OperationsQuery(WindowQuery):
    """Ask for the operations of a service that have spans in the window."""

    limit: int = Field(OPERATIONS_USUAL, ge=1, le=OPERATIONS_MAX)


class FiguresAnswer(Answer):
    """Say what requests were like."""

    requests: int = Field(examples=[8135])
    errors: int = Field(description="Requests with the status error", examples=[117])
    rate: float = Field(description="Requests a second, over the whole window", examples=[2.26])
    error_rate: float = Field(description="Errors by requests, 0 to 1", examples=[0.0144])
    p50_ms: float = Field(description=f"Median duration, {PERCENTILE}", examples=[6.83])
    p95_ms: float = Field(description=f"95th percentile of durations, {PERCENTILE}", examples=[44.48])
    p99_ms: float = Field(description=f"99th percentile of durations, {PERCENTILE}", examples=[77.87])


class ServiceAnswer(FiguresAnswer):
    """Say what a service's requests were like."""

    name: str = Field(description="What `service.name` says; empty for spans without", examples=["checkout"])
    requests_are: Literal["entry", "all"] = Field(
        description=(
            "`entry`: the figures are of spans of the kinds SERVER and CONSUMER. `all`: of all spans, since the service"
            " has none of these kinds in the window."
        )
    )
    spans: int = Field(description="Spans of any kind", examples=[25358])
    first_seen: Moment
    last_seen: Moment


class ServicesAnswer(ListAnswer):
    """Give one page of services, by name."""

    services: list[ServiceAnswer]


class OperationAnswer(FiguresAnswer):
    """Say what the spans of one name and kind were like."""

    name: str = Field(description="The span's name", examples=["GET /orders/{order_id}"])
    kind: str = Field(description=f"The span's kind: {', '.join(KINDS)}; else OTLP's number", examples=["server"])
    first_seen: Moment
    last_seen: Moment


class OperationsAnswer(ListAnswer):
    """Give one page of operations, by name and kind."""

    service: str
    operations: list[OperationAnswer]


def services_router(reading: Reading) -> APIRouter:
    """Return the routes about services."""
    router = APIRouter(tags=["services"])
    caller = Depends(reading.caller)

    @router.get(
        "/api/v1/services", summary="List services with rate, errors and durations", response_model=ServicesAnswer
    )
    async def services(
        query: Annotated[ServicesQuery, Query()], principal: Annotated[Principal, caller], request: Request
    ) -> Response:
        return await reading.answer("services", request, partial(_services, reading, principal, query))

    # A path parameter: service names may hold slashes.
    @router.get(
        "/api/v1/services/{service:path}/operations",
        summary="List a service's operations with rate, errors and durations",
        response_model=OperationsAnswer,
    )
    async def operations(
        service: Annotated[str, Path(description="What `service.name` says", examples=["checkout"])],
        query: Annotated[OperationsQuery, Query()],
        principal: Annotated[Principal, caller],
        request: Request,
    ) -> Response:
        return await reading.answer(
            "operations", request, partial(_operations, reading, principal, query, service=service)
        )

    return router


def _services(reading: Reading, principal: Principal, query: ServicesQuery, reader: TelemetryReader) -> ServicesAnswer:
    request = query.request(NamePlace, "services", now_ns=reading.clock.now_ns())
    page = list_services(
        reader, tenant=principal.tenant, window=request.window, services_max=query.limit, after=request.after
    )
    found = [{**_shown(item), "requests_are": item.requests_are, "spans": item.spans} for item in page.items]
    return ServicesAnswer.model_validate({"services": found, **list_members(request, page.next_place)})


def _operations(
    reading: Reading, principal: Principal, query: OperationsQuery, reader: TelemetryReader, *, service: str
) -> OperationsAnswer:
    request = query.request(OperationPlace, "operations", service, now_ns=reading.clock.now_ns())
    page = list_operations(
        reader,
        tenant=principal.tenant,
        window=request.window,
        service=service,
        operations_max=query.limit,
        after=request.after,
    )
    found = [{**_shown(item), "kind": _kind(item.kind)} for item in page.items]
    return OperationsAnswer.model_validate(
        {"service": service, "operations": found, **list_members(request, page.next_place)}
    )


def _shown(found: ServiceFigures | OperationFigures) -> dict[str, Any]:
    """Return what services and operations have in common."""
    seen = {"first_seen": found.first_ns, "last_seen": found.last_ns}
    return {"name": found.name, **asdict(found.figures), **seen}


def _kind(number: int) -> str:
    return KINDS[number] if 0 <= number < len(KINDS) else str(number)
