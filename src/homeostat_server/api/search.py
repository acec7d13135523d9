"""`GET /api/v1/traces`: the search for traces. What is found, and in which order, is decided in `query`."""

from functools import partial
from typing import Annotated, Final

from fastapi import APIRouter, Depends, Query
from pydantic import Field
from starlette.requests import Request
from starlette.responses import Response

from homeostat_server.api.lists import (
    EXAMPLE_TRACE_ID,
    Answer,
    ListAnswer,
    Moment,
    ScannedAnswer,
    WindowQuery,
    list_members,
)
from homeostat_server.api.reading import Reading
from homeostat_server.model.identity import Principal
from homeostat_server.query.attributes.conditions import AttributeCondition, AttributeScope
from homeostat_server.query.attributes.written import parse_condition
from homeostat_server.query.cursor import ListRequest
from homeostat_server.query.search.filters import SpanFilter, SpanKind, SpanStatus
from homeostat_server.query.search.listing import TRACES_MAX, TracePlace, TraceQuestion, list_traces
from homeostat_server.query.search.sql import TraceOrder
from homeostat_server.query.times import parse_duration
from homeostat_server.query.traces.lookup import parse_trace_id
from homeostat_server.store.ports import WatchedReader

TRACES_USUAL: Final = 20

_FORMS: Final = "`key=value`, `!=`, `<`, `<=`, `>`, `>=`, `key~regex`, `!~`, `key` (is there) or `!key` (is not)"


class SpanQuery(WindowQuery):
    """Ask for spans: those that fulfil everything that is asked."""

    service: str | None = Field(None, description="The span's service", examples=["checkout"])
    operation: str | None = Field(None, description="The span's name", examples=["GET /orders/{order_id}"])
    kind: SpanKind | None = Field(None, description="The span's kind")
    status: SpanStatus | None = Field(None, description="The span's status")
    min_duration: str | None = Field(None, description="The span took at least so long", examples=["250ms"])
    max_duration: str | None = Field(None, description="The span took at most so long", examples=["1.5s"])
    attribute: list[str] = Field(
        default_factory=list,
        description=f"Condition on an attribute of the span, any number of times: {_FORMS}",
        examples=[["http.response.status_code>=500"]],
    )
    resource_attribute: list[str] = Field(
        default_factory=list,
        description="The same on an attribute of its resource",
        examples=[["service.version=1.4.2"]],
    )
    scope_attribute: list[str] = Field(
        default_factory=list,
        description="The same on its instrumentation scope, whose name is `otel.scope.name`",
        examples=[["otel.scope.name~^opentelemetry"]],
    )
    event: str | None = Field(None, description="Name of one of its events", examples=["exception"])
    event_attribute: list[str] = Field(
        default_factory=list,
        description="The same on an attribute of one of its events",
        examples=[["exception.type=TimeoutError"]],
    )
    link: str | None = Field(
        None, description="Id of a trace that one of its links points to", examples=[EXAMPLE_TRACE_ID]
    )
    link_attribute: list[str] = Field(
        default_factory=list, description="The same on an attribute of one of its links", examples=[["reason=retry"]]
    )

    def conditions(self) -> SpanFilter:
        """Return what a span has to fulfil.

        Raises:
            InvalidRequest: a duration, a condition or a trace id cannot be read.
        """
        return SpanFilter(
            service=self.service,
            operation=self.operation,
            kind=self.kind,
            status=self.status,
            duration_min_ns=_duration_ns(self.min_duration, name="min_duration"),
            duration_max_ns=_duration_ns(self.max_duration, name="max_duration"),
            attributes=self._attributes(),
            event=self.event,
            link=None if self.link is None else parse_trace_id(self.link),
        )

    def _attributes(self) -> tuple[AttributeCondition, ...]:
        written = {
            AttributeScope.SPAN: self.attribute,
            AttributeScope.RESOURCE: self.resource_attribute,
            AttributeScope.SCOPE: self.scope_attribute,
            AttributeScope.EVENT: self.event_attribute,
            AttributeScope.LINK: self.link_attribute,
        }
        return tuple(parse_condition(text, scope=scope) for scope, texts in written.items() for text in texts)


class TracesQuery(SpanQuery):
    """Ask for a list of traces: those of which one span fulfils everything that is asked."""

    limit: int = Field(TRACES_USUAL, ge=1, le=TRACES_MAX)
    order: TraceOrder = Field(
        TraceOrder.NEWEST,
        description=(
            "`newest`: by the start of the newest span that fulfils what is asked. `slowest`: by the duration of the"
            " longest. `errors`: by how many spans of the trace failed in the window; traces without any are left out."
        ),
    )


class TraceSummaryAnswer(Answer):
    """Say what a whole trace is like."""

    trace_id: str = Field(examples=[EXAMPLE_TRACE_ID])
    root_service: str = Field(description="Of the first span without a parent, else of the first", examples=["edge"])
    root_operation: str = Field(description="Name of that span", examples=["GET /checkout"])
    root_kind: str = Field(description="Its kind", examples=["server"])
    root_status: str = Field(description="Its status", examples=["error"])
    start: Moment = Field(validation_alias="start_ns")
    duration_ms: float = Field(description="From the first start to the latest end", examples=[182.25])
    spans: int = Field(examples=[23])
    errors: int = Field(description="Spans with the status error", examples=[1])
    services: list[str] = Field(description="By name, at most 100", examples=[["checkout", "edge", "payment"]])
    matched_spans: int = Field(description="Spans in the window that fulfil what was asked", examples=[2])
    newest_match: Moment = Field(
        validation_alias="newest_match_ns", description="Start of the newest of them: the place in a list `newest`"
    )
    longest_match_ms: float = Field(
        description="Duration of the longest of them: the place in a list `slowest`", examples=[120.5]
    )


class TracesAnswer(ListAnswer):
    """Give one page of traces."""

    traces: list[TraceSummaryAnswer]
    scanned: ScannedAnswer


def search_router(reading: Reading) -> APIRouter:
    """Return the route that searches traces."""
    router = APIRouter(tags=["traces"])
    caller = Depends(reading.caller)

    @router.get("/api/v1/traces", summary="Search traces by what one span fulfils", response_model=TracesAnswer)
    async def list_(
        query: Annotated[TracesQuery, Query()], principal: Annotated[Principal, caller], request: Request
    ) -> Response:
        return await reading.answer("traces", request, partial(_list, reading, principal, query))

    return router


def _list(reading: Reading, principal: Principal, query: TracesQuery, reader: WatchedReader) -> TracesAnswer:
    now_ns = reading.clock.now_ns()
    request: ListRequest[TracePlace] = query.request(TracePlace, "traces", now_ns=now_ns)
    page = list_traces(
        reader,
        tenant=principal.tenant,
        question=TraceQuestion(window=request.window, conditions=query.conditions(), order=query.order),
        traces_max=query.limit,
        now_ns=now_ns,
        after=request.after,
    )
    return TracesAnswer.model_validate(
        {"traces": page.items, "scanned": reader.scanned, **list_members(request, page.next_place)}
    )


def _duration_ns(text: str | None, *, name: str) -> int | None:
    return None if text is None else parse_duration(text, name=name)
