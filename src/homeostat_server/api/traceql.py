"""`GET /api/v1/traceql` and `/api/v1/traceql/metrics`. What a query means is said in `query.traceql`."""

import math
from functools import partial
from typing import Annotated, Any, Final

from fastapi import APIRouter, Depends, Query
from pydantic import BaseModel, ConfigDict, Field
from starlette.requests import Request
from starlette.responses import Response

from homeostat_server.api.lists import (
    EXAMPLE_TIME,
    EXAMPLE_TRACE_ID,
    TIME_FORMS,
    Answer,
    Moment,
    ScannedAnswer,
    WindowAnswer,
    window_answer,
)
from homeostat_server.api.reading import Reading
from homeostat_server.model.identity import Principal
from homeostat_server.query.times import parse_duration
from homeostat_server.query.traceql.checking import parse
from homeostat_server.query.traceql.measuring import EXEMPLARS_MAX, metrics_instant, metrics_range
from homeostat_server.query.traceql.parsing import LENGTH_MAX
from homeostat_server.query.traceql.results import FoundSpanset, FoundTrace, NamedValue, Series
from homeostat_server.query.traceql.searching import SPANS_MAX, TRACES_MAX, search
from homeostat_server.query.window import Window, parse_window
from homeostat_server.store.ports import WatchedReader

TRACES_USUAL: Final = 20
SPANS_USUAL: Final = 3

EXAMPLE_QUERY: Final = '{ resource.service.name = "checkout" && status = error }'
EXAMPLE_METRIC: Final = "{ status = error } | rate() by(resource.service.name)"
EXAMPLE_VALUE: Final = {"name": "status", "type": "status", "value": "error"}


class _TraceqlQuery(BaseModel):
    """Ask a query over a stretch of time; a parameter that is not known is refused."""

    model_config = ConfigDict(extra="forbid")

    start: str | None = Field(
        None, description=f"{TIME_FORMS}; default: an hour before the end", examples=[EXAMPLE_TIME]
    )
    end: str | None = Field(None, description=f"{TIME_FORMS}, not included; default: now", examples=["1769846400"])
    window: str | None = Field(None, description="How long, back from the end, instead of `start`", examples=["15m"])

    def asked_window(self, *, now_ns: int) -> Window:
        """Return the window.

        Raises:
            InvalidRequest: it is none.
        """
        return parse_window(self.start, self.end, length=self.window, now_ns=now_ns)


class TraceqlSearchQuery(_TraceqlQuery):
    """Ask for traces by TraceQL."""

    query: str = Field(max_length=LENGTH_MAX, description="TraceQL without a metric", examples=[EXAMPLE_QUERY])
    limit: int = Field(TRACES_USUAL, ge=1, le=TRACES_MAX, description="Traces in the answer")
    spans: int = Field(SPANS_USUAL, ge=1, le=SPANS_MAX, description="Spans told of each spanset")


class TraceqlMetricsQuery(_TraceqlQuery):
    """Ask for series by TraceQL."""

    query: str = Field(max_length=LENGTH_MAX, description="TraceQL with a metric", examples=[EXAMPLE_METRIC])
    step: str | None = Field(
        None, description="How long a step is; without it the window is one, told by its end", examples=["1m"]
    )
    exemplars: int = Field(0, ge=0, le=EXEMPLARS_MAX, description="Spans to look at, over all series")


class NamedValueAnswer(Answer):
    """Say a value with its name and type."""

    name: str = Field(description="As TraceQL writes it", examples=["span.http.route"])
    type: str = Field(
        description="`string`, `integer`, `real`, `boolean`, `duration` (in nanoseconds), `status`, `kind` or `nil`",
        examples=["string"],
    )
    value: str | int | float | bool | None = Field(examples=["/orders"])


class MatchedSpanAnswer(Answer):
    """Say a span that was found."""

    span_id: str = Field(examples=["eee19b7ec3c1b173"])
    name: str = Field(examples=["POST /orders"])
    start: Moment
    duration_ms: float = Field(examples=[12.5])
    attributes: list[NamedValueAnswer] = Field(description="What the query asks about or selects")


class SpansetAnswer(Answer):
    """Say spans of a trace that belong together."""

    matched: int = Field(description="How many there are", examples=[7])
    spans: list[MatchedSpanAnswer] = Field(description="The first of them by time")
    attributes: list[NamedValueAnswer] = Field(description="What `by()` and aggregates tell of them")


class ServiceCountAnswer(Answer):
    """Say how many spans of a service a trace has."""

    service: str = Field(examples=["checkout"])
    spans: int = Field(examples=[4])
    errors: int = Field(examples=[1])


class FoundTraceAnswer(Answer):
    """Say a trace that was found."""

    trace_id: str = Field(examples=[EXAMPLE_TRACE_ID])
    root_service: str | None = Field(description="null when no root has come in", examples=["gateway"])
    root_name: str | None = Field(examples=["POST /orders"])
    start: Moment
    duration_ms: float = Field(examples=[87.2])
    services: list[ServiceCountAnswer]
    spansets: list[SpansetAnswer]


class TraceqlSearchAnswer(Answer):
    """Say which traces were found, newest match first."""

    window: WindowAnswer
    traces: list[FoundTraceAnswer]
    inspected_traces: int = Field(description="Traces that were looked at closely", examples=[34])
    scanned: ScannedAnswer


class SampleAnswer(Answer):
    """Say the value of a step."""

    time: Moment
    value: float | None = Field(description="null where it is no number", examples=[1.5])


class ExemplarAnswer(Answer):
    """Say a span to look at."""

    trace_id: str = Field(examples=[EXAMPLE_TRACE_ID])
    span_id: str = Field(examples=["eee19b7ec3c1b173"])
    time: Moment
    value: float | None = Field(description="What was measured of it; null where spans are counted")


class SeriesAnswer(Answer):
    """Say the samples of one combination of labels."""

    labels: list[NamedValueAnswer]
    samples: list[SampleAnswer]
    exemplars: list[ExemplarAnswer]


class TraceqlMetricsAnswer(Answer):
    """Say series."""

    window: WindowAnswer
    series: list[SeriesAnswer]
    scanned: ScannedAnswer


def traceql_router(reading: Reading) -> APIRouter:
    """Return the routes that answer TraceQL."""
    router = APIRouter(tags=["traces"])
    caller = Depends(reading.caller)

    @router.get("/api/v1/traceql", summary="Find traces by TraceQL, newest first", response_model=TraceqlSearchAnswer)
    async def find(
        query: Annotated[TraceqlSearchQuery, Query()], principal: Annotated[Principal, caller], request: Request
    ) -> Response:
        window = query.asked_window(now_ns=reading.clock.now_ns())
        return await reading.answer("traceql", request, partial(_search, principal, query, window))

    @router.get("/api/v1/traceql/metrics", summary="Measure spans by TraceQL", response_model=TraceqlMetricsAnswer)
    async def measure(
        query: Annotated[TraceqlMetricsQuery, Query()], principal: Annotated[Principal, caller], request: Request
    ) -> Response:
        window = query.asked_window(now_ns=reading.clock.now_ns())
        return await reading.answer("traceql_metrics", request, partial(_measure, principal, query, window))

    return router


def _search(
    principal: Principal, query: TraceqlSearchQuery, window: Window, reader: WatchedReader
) -> TraceqlSearchAnswer:
    found = search(
        reader,
        tenant=principal.tenant,
        window=window,
        query=parse(query.query),
        limit=query.limit,
        spans_per_spanset=query.spans,
    )
    return TraceqlSearchAnswer.model_validate(
        {
            "window": window_answer(window),
            "traces": [_trace(trace) for trace in found.traces],
            "inspected_traces": found.inspected_traces,
            "scanned": reader.scanned,
        }
    )


def _measure(
    principal: Principal, query: TraceqlMetricsQuery, window: Window, reader: WatchedReader
) -> TraceqlMetricsAnswer:
    asked = parse(query.query)
    if query.step is None:
        series = metrics_instant(reader, tenant=principal.tenant, window=window, query=asked, exemplars=query.exemplars)
    else:
        step_ns = parse_duration(query.step, name="step")
        series = metrics_range(
            reader,
            tenant=principal.tenant,
            window=window,
            query=asked,
            step_ns=step_ns,
            exemplars=query.exemplars,
        )
    return TraceqlMetricsAnswer.model_validate(
        {"window": window_answer(window), "series": [_series(line) for line in series], "scanned": reader.scanned}
    )


_NS_PER_MS: Final = 1_000_000


def _named(values: tuple[NamedValue, ...]) -> list[dict[str, Any]]:
    return [{"name": value.name, "type": value.value.type, "value": _plain(value.value.value)} for value in values]


def _plain(value: object) -> object:
    """Return a value as JSON can say it: it has no NaN and no infinities."""
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _trace(trace: FoundTrace) -> dict[str, Any]:
    return {
        "trace_id": trace.trace_id,
        "root_service": trace.root_service,
        "root_name": trace.root_name,
        "start": trace.start_ns,
        "duration_ms": trace.duration_ns / _NS_PER_MS,
        "services": trace.services,
        "spansets": [_spanset(spanset) for spanset in trace.spansets],
    }


def _spanset(spanset: FoundSpanset) -> dict[str, Any]:
    return {
        "matched": spanset.matched,
        "attributes": _named(spanset.attributes),
        "spans": [
            {
                "span_id": span.span_id,
                "name": span.name,
                "start": span.start_ns,
                "duration_ms": span.duration_ns / _NS_PER_MS,
                "attributes": _named(span.attributes),
            }
            for span in spanset.spans
        ],
    }


def _series(line: Series) -> dict[str, Any]:
    return {
        "labels": _named(line.labels),
        "samples": [{"time": sample.time_ms * _NS_PER_MS, "value": _plain(sample.value)} for sample in line.samples],
        "exemplars": [
            {
                "trace_id": exemplar.trace_id,
                "span_id": exemplar.span_id,
                "time": exemplar.time_ms * _NS_PER_MS,
                "value": _plain(exemplar.value),
            }
            for exemplar in line.exemplars
        ],
    }
