"""Tempo's metrics: TraceQL over time and at one moment. What is measured is decided in `query.traceql`."""

from collections.abc import Callable, Sequence
from typing import Annotated, Any, Final

from fastapi import APIRouter, Depends, Query
from pydantic import BaseModel, Field
from starlette.requests import Request
from starlette.responses import Response

from homeostat_server.api.go_values import parse_go_duration, parse_integer
from homeostat_server.api.reading import Reading
from homeostat_server.api.tempo.answers import json_response, metrics_of
from homeostat_server.api.tempo.parameters import RECENT_NS, moment_of_text, named, step_of_text, usual_step_ns
from homeostat_server.api.tempo.queries import parse_query
from homeostat_server.api.tempo.values import instant_json, series_json
from homeostat_server.exceptions import InvalidRequest
from homeostat_server.model.identity import Principal
from homeostat_server.query.traceql.measuring import EXEMPLARS_MAX, metrics_instant, metrics_range
from homeostat_server.query.traceql.results import Series
from homeostat_server.query.window import Window
from homeostat_server.store.ports import WatchedReader

EXEMPLARS_USUAL: Final = 100


class InstantParameters(BaseModel):
    """Ask for one value of a stretch of time."""

    q: str | None = Field(None, description="TraceQL with a metric", examples=["{ status = error } | rate()"])
    query: str | None = Field(None, description="The same as `q`")
    start: str | None = Field(None, description="Seconds or nanoseconds since 1970, or RFC 3339")
    end: str | None = Field(None, description="Seconds or nanoseconds since 1970, or RFC 3339; default: now")
    since: str | None = Field(None, description="How long before the end; default an hour", examples=["3h"])

    def text(self) -> str:
        """Return the query.

        Raises:
            InvalidRequest: there is none.
        """
        text = self.q or self.query
        if not text:
            raise InvalidRequest("query is required")
        return text

    def window(self, *, now_ns: int) -> Window:
        """Return the stretch of time.

        Raises:
            InvalidRequest: it cannot be read, or is none.
        """
        start_ns = named("start", lambda text: moment_of_text(text, name="start"), self.start)
        end_ns = named("end", lambda text: moment_of_text(text, name="end"), self.end)
        since_ns = named("since", parse_go_duration, self.since) or RECENT_NS
        last_ns = now_ns + 1 if end_ns is None else end_ns
        first_ns = max(0, last_ns - since_ns) if start_ns is None else start_ns
        if last_ns <= first_ns:
            raise InvalidRequest(f"http parameter start must be before end. received start={first_ns} end={last_ns}")
        return Window(first_ns, last_ns)


class RangeParameters(InstantParameters):
    """Ask for values over time."""

    step: str | None = Field(None, description="Seconds, or a duration; default: about 240 steps", examples=["30s"])
    exemplars: str | None = Field(None, description=f"Spans to look at for each series; default {EXEMPLARS_USUAL}")

    def step_ns(self, window: Window) -> int:
        """Return how long a step is.

        Raises:
            InvalidRequest: it cannot be read, or is not above zero.
        """
        return named("step", step_of_text, self.step) or usual_step_ns(window)

    def exemplars_max(self) -> int:
        """Return how many exemplars are wanted at most.

        Raises:
            InvalidRequest: it is no number, or below zero.
        """
        asked = named("exemplars", parse_integer, self.exemplars) or EXEMPLARS_USUAL
        if asked < 0:
            raise InvalidRequest("invalid exemplars: must be a non-negative number")
        return min(asked, EXEMPLARS_MAX)


def add_metrics(router: APIRouter, reading: Reading) -> None:
    """Add the routes."""
    caller = Depends(reading.caller)

    @router.get("/tempo/api/metrics/query_range", summary="Measure with TraceQL over time, as Tempo does")
    async def over_time(
        request: Request, principal: Annotated[Principal, caller], asked: Annotated[RangeParameters, Query()]
    ) -> Response:
        def ask(reader: WatchedReader) -> dict[str, Any]:
            window = asked.window(now_ns=reading.clock.now_ns())
            found = metrics_range(
                reader,
                tenant=principal.tenant,
                window=window,
                query=parse_query(asked.text()),
                step_ns=asked.step_ns(window),
                exemplars=asked.exemplars_max(),
            )
            return _answer(found, series_json, reader)

        return json_response(await reading.ask("tempo_metrics", request, ask))

    @router.get("/tempo/api/metrics/query", summary="Measure with TraceQL a whole stretch of time, as Tempo does")
    async def at_once(
        request: Request, principal: Annotated[Principal, caller], asked: Annotated[InstantParameters, Query()]
    ) -> Response:
        def ask(reader: WatchedReader) -> dict[str, Any]:
            window = asked.window(now_ns=reading.clock.now_ns())
            query = parse_query(asked.text())
            found = metrics_instant(reader, tenant=principal.tenant, window=window, query=query)
            return _answer(found, instant_json, reader)

        return json_response(await reading.ask("tempo_metrics", request, ask))


def _answer(
    found: Sequence[Series], series_of: Callable[[Series], dict[str, Any]], reader: WatchedReader
) -> dict[str, Any]:
    return {"series": [series_of(series) for series in found], "metrics": metrics_of(reader)}
