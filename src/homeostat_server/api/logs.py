"""`GET /api/v1/logs`. Which records are given and in which order is decided in `query`."""

from dataclasses import replace
from functools import partial
from typing import Annotated, Any, Final, Literal

from fastapi import APIRouter, Depends, Query
from pydantic import Field
from starlette.requests import Request
from starlette.responses import Response

from homeostat_server.api.lists import (
    EXAMPLE_TRACE_ID,
    Answer,
    Attributes,
    ListAnswer,
    Moment,
    Number,
    SourceAnswer,
    WindowQuery,
    list_members,
    source_answers,
)
from homeostat_server.api.reading import Reading
from homeostat_server.model.identity import Principal
from homeostat_server.query.cursor import ListRequest
from homeostat_server.query.logs.listing import (
    RECORDS_MAX,
    SEARCH_LENGTH_MAX,
    LogFilter,
    LogPlace,
    list_records,
    parse_search,
    parse_severity,
    parse_span_id,
    window_of_trace,
)
from homeostat_server.query.traces.lookup import parse_trace_id
from homeostat_server.store.ports import TelemetryReader

RECORDS_USUAL: Final = 100


class LogsQuery(WindowQuery):
    """Ask for log records that fulfil everything that is asked."""

    limit: int = Field(RECORDS_USUAL, ge=1, le=RECORDS_MAX)
    service: str | None = Field(None, description="The record's service", examples=["checkout"])
    trace_id: str | None = Field(
        None,
        description="Without `start` and `end`, from 15 minutes before the trace's first span to 15 after its last one",
        examples=[EXAMPLE_TRACE_ID],
    )
    span_id: str | None = Field(None, examples=["eee19b7ec3c1b174"])
    severity: str | None = Field(
        None,
        description=(
            "At least so severe: trace, debug, info, warn, error, fatal, or OTLP's number. A record without the number"
            " goes by its text."
        ),
        examples=["warn"],
    )
    search: str | None = Field(
        None,
        max_length=SEARCH_LENGTH_MAX,
        description="Words that are all in the body, in any order; ASCII letters in any case",
        examples=["connection refused"],
    )

    def conditions(self) -> LogFilter:
        """Return what a record has to fulfil.

        Raises:
            InvalidRequest: an id, a severity or a search cannot be read.
        """
        return LogFilter(
            service=self.service,
            trace_id=None if self.trace_id is None else parse_trace_id(self.trace_id),
            span_id=None if self.span_id is None else parse_span_id(self.span_id),
            severity_min=None if self.severity is None else parse_severity(self.severity),
            search=None if self.search is None else parse_search(self.search),
        )


class LogAnswer(Answer):
    """Give one log record."""

    time: Moment = Field(validation_alias="time_ns")
    time_origin: Literal["time", "observed", "received"] = Field(
        description="`observed` or `received` when the sender gave no time and this one stands in for it"
    )
    observed_time: Moment | None = Field(None, validation_alias="observed_time_ns")
    severity_number: int = Field(description="1 to 24, 0 when not given", examples=[17])
    severity_text: str = Field(examples=["ERROR"])
    event_name: str = Field(examples=["user.login"])
    body: dict[str, Any] | None = Field(
        description="AnyValue of OTLP/JSON, null when there is none", examples=[{"stringValue": "connection refused"}]
    )
    trace_id: str = Field(description="Empty when not given", examples=[EXAMPLE_TRACE_ID])
    span_id: str = Field(description="Empty when not given", examples=["eee19b7ec3c1b174"])
    flags: int
    service: str = Field(examples=["checkout"])
    source: Number = Field(description="Key of its resource and scope in `sources`")
    attributes: Attributes
    dropped_attributes_count: int


class LogsAnswer(ListAnswer):
    """Give one page of records, newest first."""

    logs: list[LogAnswer]
    sources: dict[str, SourceAnswer] = Field(description="Resource and scope of the records, by `source`")


def logs_router(reading: Reading) -> APIRouter:
    """Return the route about logs."""
    router = APIRouter(tags=["logs"])
    caller = Depends(reading.caller)

    @router.get("/api/v1/logs", summary="List log records, newest first", response_model=LogsAnswer)
    async def logs(
        query: Annotated[LogsQuery, Query()], principal: Annotated[Principal, caller], request: Request
    ) -> Response:
        return await reading.answer("logs", request, partial(_logs, reading, principal, query))

    return router


def _logs(reading: Reading, principal: Principal, query: LogsQuery, reader: TelemetryReader) -> LogsAnswer:
    conditions = query.conditions()
    request = _located(reader, principal, query.request(LogPlace, "logs", now_ns=reading.clock.now_ns()), query)
    found = list_records(
        reader,
        tenant=principal.tenant,
        window=request.window,
        conditions=conditions,
        records_max=query.limit,
        after=request.after,
    )
    return LogsAnswer.model_validate(
        {
            "logs": found.page.items,
            "sources": source_answers(found.sources),
            **list_members(request, found.page.next_place),
        }
    )


def _located(
    reader: TelemetryReader, principal: Principal, request: ListRequest[LogPlace], query: LogsQuery
) -> ListRequest[LogPlace]:
    """Return the request with the window around its trace when one is asked for and no window is."""
    if query.trace_id is None or query.start is not None or query.end is not None or request.after is not None:
        return request
    window = window_of_trace(
        reader,
        tenant=principal.tenant,
        trace_id=parse_trace_id(query.trace_id),
        otherwise=request.window,
    )
    return replace(request, window=window)
