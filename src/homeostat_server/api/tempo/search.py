"""Tempo's search: TraceQL in `q`, or the tags of the time before. What is found is decided in `query.traceql`."""

from typing import Annotated, Any, Final

from fastapi import APIRouter, Depends, Query
from pydantic import Field
from starlette.requests import Request
from starlette.responses import Response

from homeostat_server.api.go_values import parse_go_duration, parse_integer
from homeostat_server.api.reading import Reading
from homeostat_server.api.tempo.answers import json_response, metrics_of
from homeostat_server.api.tempo.parameters import TimesParameters, named
from homeostat_server.api.tempo.queries import parse_query
from homeostat_server.api.tempo.tags import parse_logfmt, traceql_of_tags
from homeostat_server.api.tempo.values import summary_json, trace_json
from homeostat_server.exceptions import InvalidRequest
from homeostat_server.model.identity import Principal
from homeostat_server.query.traceql.searching import SPANS_MAX, TRACES_MAX, search
from homeostat_server.store.ports import WatchedReader

LIMIT_USUAL: Final = 20
SPANS_PER_SPANSET_USUAL: Final = 3


class SearchParameters(TimesParameters):
    """Ask for traces."""

    q: str | None = Field(None, description="TraceQL", examples=['{ resource.service.name = "checkout" }'])
    tags: str | None = Field(None, description="logfmt, instead of `q`", examples=["service.name=checkout"])
    minDuration: str | None = Field(None, description="Of the trace; with `tags` only", examples=["250ms"])  # noqa: N815
    maxDuration: str | None = Field(None, description="Of the trace; with `tags` only", examples=["2s"])  # noqa: N815
    limit: str | None = Field(None, description=f"Traces; default {LIMIT_USUAL}, at most {TRACES_MAX}")
    spss: str | None = Field(None, description=f"Spans told of a spanset; default {SPANS_PER_SPANSET_USUAL}")

    def text(self) -> str:
        """Return the query as TraceQL.

        Raises:
            InvalidRequest: tags or durations cannot be read, or both forms are used.
        """
        shortest_ns = named("minDuration", parse_go_duration, self.minDuration)
        longest_ns = named("maxDuration", parse_go_duration, self.maxDuration)
        if shortest_ns is not None and longest_ns is not None and shortest_ns > longest_ns:
            raise InvalidRequest("invalid maxDuration: must be greater than minDuration")
        if self.q and self.tags:
            raise InvalidRequest("invalid request: can't specify tags and q in the same query")
        if self.q:
            return self.q
        tags = parse_logfmt(self.tags or "")
        return traceql_of_tags(tags, duration_min_ns=shortest_ns, duration_max_ns=longest_ns)

    def traces_max(self) -> int:
        """Return how many traces are wanted at most.

        Raises:
            InvalidRequest: it is no number above zero.
        """
        limit = named("limit", parse_integer, self.limit)
        if limit is None:
            return LIMIT_USUAL
        if limit <= 0:
            raise InvalidRequest("invalid limit: must be a positive number")
        if limit > TRACES_MAX:
            raise InvalidRequest(f"limit {limit} exceeds max limit {TRACES_MAX}")
        return limit

    def spans_max(self) -> int:
        """Return how many spans of a spanset are wanted at most; 0 is as many as are told at all.

        Raises:
            InvalidRequest: it is no number, or below zero.
        """
        spans = named("spss", parse_integer, self.spss)
        if spans is None:
            return SPANS_PER_SPANSET_USUAL
        if spans < 0:
            raise InvalidRequest("invalid spss: must be a non-negative number")
        return min(spans or SPANS_MAX, SPANS_MAX)


def add_search(router: APIRouter, reading: Reading) -> None:
    """Add the route."""
    caller = Depends(reading.caller)

    @router.get("/tempo/api/search", summary="Search for traces with TraceQL, as Tempo does")
    async def find(
        request: Request, principal: Annotated[Principal, caller], asked: Annotated[SearchParameters, Query()]
    ) -> Response:
        def ask(reader: WatchedReader) -> dict[str, Any]:
            found = search(
                reader,
                tenant=principal.tenant,
                window=asked.window(now_ns=reading.clock.now_ns()),
                query=parse_query(asked.text()),
                limit=asked.traces_max(),
                spans_per_spanset=asked.spans_max(),
            )
            inspected = {"inspectedTraces": found.inspected_traces} if found.inspected_traces else {}
            told = trace_json if asked.q else summary_json
            return {"traces": [told(one) for one in found.traces], "metrics": inspected | metrics_of(reader)}

        return json_response(await reading.ask("tempo_search", request, ask))
