"""`GET /api/v1/traces/{trace_id}/spans/{span_id}/percentile`. What it means is said in `query`."""

from functools import partial
from typing import Annotated, Final

from fastapi import APIRouter, Depends, Path, Query
from pydantic import BaseModel, ConfigDict, Field
from starlette.requests import Request
from starlette.responses import Response

from homeostat_server.api.error_correlation import PlaceAnswer, ScannedAnswer, place_answer
from homeostat_server.api.lists import EXAMPLE_TRACE_ID, Answer, Moment, WindowAnswer, window_answer
from homeostat_server.api.reading import Reading
from homeostat_server.model.identity import Principal
from homeostat_server.query.error_correlation.findings import Place
from homeostat_server.query.history.percentile import ENOUGH, History, parse_span_id, span_against_history
from homeostat_server.query.times import parse_duration
from homeostat_server.query.traces.lookup import parse_trace_id
from homeostat_server.store.ports import WatchedReader

EXAMPLE_SPAN_ID: Final = "eee19b7ec3c1b174"
NS_PER_MS: Final = 1e6


class PercentileQuery(BaseModel):
    """Ask how far back the history goes; a parameter that is not known is refused."""

    model_config = ConfigDict(extra="forbid")

    lookback: str = Field("24h", description="How far back from the span's start, 7d at most", examples=["6h"])


class PercentileAnswer(Answer):
    """Say where a span's duration lies among those of its own kind."""

    place: PlaceAnswer = Field(description="Its own kind: spans of this service, name and kind")
    start: Moment
    duration_ms: float = Field(examples=[212.5])
    is_error: bool = Field(description="The span has the status error")
    window: WindowAnswer = Field(description="The time whose spans it is compared with")
    percentile: float = Field(
        description="Share of them that took less, those that took as long counting half, 0 to 100", examples=[97.4]
    )
    low: float = Field(description="Lower end of its 95 % interval, by how many spans there are", examples=[96.1])
    high: float = Field(description="Upper end", examples=[98.3])
    spans: int = Field(description="How many there are, this one included", examples=[812])
    is_enough: bool = Field(description=f"They are enough to go by: {ENOUGH} or more")
    error_rate: float = Field(description="Share of them with the status error", examples=[0.012])
    p50_ms: float = Field(description="Within 0.5 % of the value at that rank, as p95 and p99", examples=[41.0])
    p95_ms: float = Field(examples=[180.0])
    p99_ms: float = Field(examples=[320.0])
    min_ms: float = Field(examples=[12.1])
    max_ms: float = Field(examples=[1210.0])
    scanned: ScannedAnswer


def history_router(reading: Reading) -> APIRouter:
    """Return the route about a span's history."""
    router = APIRouter(tags=["explaining"])
    caller = Depends(reading.caller)

    @router.get(
        "/api/v1/traces/{trace_id}/spans/{span_id}/percentile",
        summary="Say where a span's duration lies among those of its own kind",
        response_model=PercentileAnswer,
    )
    async def percentile(
        *,
        trace_id: Annotated[str, Path(description="32 hexadecimal digits", examples=[EXAMPLE_TRACE_ID])],
        span_id: Annotated[str, Path(description="16 hexadecimal digits", examples=[EXAMPLE_SPAN_ID])],
        query: Annotated[PercentileQuery, Query()],
        principal: Annotated[Principal, caller],
        request: Request,
    ) -> Response:
        lookback_ns = parse_duration(query.lookback, name="lookback")
        ids = parse_trace_id(trace_id), parse_span_id(span_id)
        return await reading.answer("percentile", request, partial(_answer, principal, ids, lookback_ns))

    return router


def _answer(principal: Principal, ids: tuple[str, str], lookback_ns: int, reader: WatchedReader) -> PercentileAnswer:
    trace_id, span_id = ids
    found = span_against_history(
        reader, tenant=principal.tenant, trace_id=trace_id, span_id=span_id, lookback_ns=lookback_ns
    )
    return PercentileAnswer.model_validate(
        {
            **{
                name: getattr(found, name) for name in ("percentile", "low", "high", "spans", "is_enough", "error_rate")
            },
            **{name: getattr(found, name) for name in ("p50_ms", "p95_ms", "p99_ms", "min_ms", "max_ms")},
            **_span(found),
            "window": window_answer(found.window),
            "scanned": reader.scanned,
        }
    )


def _span(found: History) -> dict[str, object]:
    span = found.span
    return {
        "place": place_answer(Place(service=span.service, operation=span.operation, kind=span.kind)),
        "start": span.start_ns,
        "duration_ms": span.duration_ns / NS_PER_MS,
        "is_error": span.is_error,
    }
