"""`GET /api/v1/metrics` and `/api/v1/metrics/{name}`. What is known of metrics and series is said in `query`."""

from functools import partial
from typing import Annotated, Any, Final

from fastapi import APIRouter, Depends, Path, Query
from pydantic import Field
from starlette.requests import Request
from starlette.responses import Response

from homeostat_server.api.lists import (
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
from homeostat_server.query.cursor import NamePlace
from homeostat_server.query.metrics.listing import METRICS_MAX, SERIES_MAX, SeriesPlace, list_metrics, list_series
from homeostat_server.store.ports import TelemetryReader

METRICS_USUAL: Final = 200
SERIES_USUAL: Final = 100

EXAMPLE_METRIC: Final = "http.server.request.duration"


class MetricsQuery(WindowQuery):
    """Ask for the metrics that have series in the hours of the window."""

    limit: int = Field(METRICS_USUAL, ge=1, le=METRICS_MAX)
    name: str | None = Field(None, description="Part of the name, in any case", examples=["http.server"])
    service: str | None = Field(None, description="Whose series", examples=["checkout"])


class SeriesQuery(WindowQuery):
    """Ask for the series of a metric in the hours of the window."""

    limit: int = Field(SERIES_USUAL, ge=1, le=SERIES_MAX)
    service: str | None = Field(None, description="Whose series", examples=["checkout"])


class PointAnswer(Answer):
    """Say what a point says."""

    time: Moment = Field(validation_alias="time_ns")
    start_time: Moment | None = Field(None, validation_alias="start_time_ns", description="Since when it counts")
    flags: int = Field(description="OTLP's; the lowest bit says that there is no value", examples=[0])
    values: dict[str, Any] = Field(
        description=(
            "`value` of a gauge or sum, a whole number when it was sent as one; of the other kinds `count`, `sum`,"
            " `min`, `max` and `bounds` and `buckets`, or scale, zero and positive and negative buckets, or `quantiles`"
            " and `quantile_values`. NaN and infinities are text."
        ),
        examples=[{"value": 45}, {"count": 3, "sum": 1.5, "min": 0.1, "max": 1.0, "bounds": [0.5], "buckets": [2, 1]}],
    )


class MetricAnswer(Answer):
    """Say what is known of a metric; where its series differ, all that any of them says."""

    name: str = Field(examples=[EXAMPLE_METRIC])
    kinds: list[str] = Field(
        description="gauge, sum, histogram, exponential_histogram, summary", examples=[["histogram"]]
    )
    units: list[str] = Field(examples=[["s"]])
    temporalities: list[str] = Field(
        description="delta, cumulative, unspecified (gauges and summaries)", examples=[["cumulative"]]
    )
    monotonic: bool = Field(description="Whether a sum of it never falls")
    description: str = Field(examples=["Duration of HTTP server requests."])
    series_count: int = Field(description="Series seen in the hours of the window", examples=[312])
    newest: PointAnswer | None = Field(description="The newest point in the window, of whichever series")


class MetricsAnswer(ListAnswer):
    """Give one page of metrics, by name."""

    metrics: list[MetricAnswer]


class OneSeriesAnswer(Answer):
    """Say what sets a series apart, and what it last said."""

    series: Number
    kind: str = Field(examples=["sum"])
    unit: str = Field(examples=["{request}"])
    description: str
    temporality: str = Field(examples=["cumulative"])
    monotonic: bool
    metadata: Attributes
    service: str = Field(examples=["checkout"])
    source: Number = Field(description="Key of its resource and scope in `sources`")
    attributes: Attributes
    newest: PointAnswer | None = Field(description="Its newest point in the window")


class SeriesAnswer(ListAnswer):
    """Give one page of a metric's series, by their numbers."""

    name: str = Field(examples=[EXAMPLE_METRIC])
    series: list[OneSeriesAnswer]
    sources: dict[str, SourceAnswer] = Field(description="Resource and scope of the series, by `source`")


def metrics_router(reading: Reading) -> APIRouter:
    """Return the routes about metrics."""
    router = APIRouter(tags=["metrics"])
    caller = Depends(reading.caller)

    @router.get("/api/v1/metrics", summary="List metrics with their newest points", response_model=MetricsAnswer)
    async def metrics(
        query: Annotated[MetricsQuery, Query()], principal: Annotated[Principal, caller], request: Request
    ) -> Response:
        return await reading.answer("metrics", request, partial(_metrics, reading, principal, query))

    # A path parameter: names of metrics may hold slashes.
    @router.get(
        "/api/v1/metrics/{name:path}",
        summary="List a metric's series with their newest points",
        response_model=SeriesAnswer,
    )
    async def series(
        name: Annotated[str, Path(examples=[EXAMPLE_METRIC])],
        query: Annotated[SeriesQuery, Query()],
        principal: Annotated[Principal, caller],
        request: Request,
    ) -> Response:
        return await reading.answer("series", request, partial(_series, reading, principal, query, name=name))

    return router


def _metrics(reading: Reading, principal: Principal, query: MetricsQuery, reader: TelemetryReader) -> MetricsAnswer:
    request = query.request(NamePlace, "metrics", now_ns=reading.clock.now_ns())
    page = list_metrics(
        reader,
        tenant=principal.tenant,
        window=request.window,
        metrics_max=query.limit,
        name=query.name,
        service=query.service,
        after=request.after,
    )
    return MetricsAnswer.model_validate({"metrics": page.items, **list_members(request, page.next_place)})


def _series(
    reading: Reading, principal: Principal, query: SeriesQuery, reader: TelemetryReader, *, name: str
) -> SeriesAnswer:
    request = query.request(SeriesPlace, "series", name, now_ns=reading.clock.now_ns())
    found = list_series(
        reader,
        tenant=principal.tenant,
        window=request.window,
        metric=name,
        series_max=query.limit,
        service=query.service,
        after=request.after,
    )
    return SeriesAnswer.model_validate(
        {
            "name": name,
            "series": found.page.items,
            "sources": source_answers(found.sources),
            **list_members(request, found.page.next_place),
        }
    )
