"""`GET /api/v1/error-correlation`. What causes are and how they are ranked is said in `query` and in docs/adr/0012."""

from dataclasses import asdict
from functools import partial
from typing import Annotated, Final, Literal

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
    WindowAnswer,
    window_answer,
)
from homeostat_server.api.reading import Reading
from homeostat_server.api.services import KINDS
from homeostat_server.exceptions import InvalidRequest
from homeostat_server.model.identity import Principal
from homeostat_server.query.error_correlation.correlation import Asked
from homeostat_server.query.error_correlation.factors import Factor
from homeostat_server.query.error_correlation.findings import Cause, Findings, Place, explain
from homeostat_server.query.error_correlation.origins import Origin
from homeostat_server.query.error_correlation.ranking import CAUSES_MAX
from homeostat_server.query.times import format_time, parse_duration
from homeostat_server.query.window import Window, parse_window
from homeostat_server.store.ports import WatchedReader

CAUSES_USUAL: Final = 10
NAME_LENGTH_MAX: Final = 512

Baseline = Literal["before", "good"]


class CorrelationQuery(BaseModel):
    """Ask what broke in a window and why; a parameter that is not known is refused."""

    model_config = ConfigDict(extra="forbid")

    start: str | None = Field(None, description=f"{TIME_FORMS}; when it began", examples=[EXAMPLE_TIME])
    end: str | None = Field(None, description=f"{TIME_FORMS}, not included; default: now", examples=["1769846400"])
    window: str | None = Field(
        None, description="How long, back from the end, instead of `start`; default: 1h", examples=["15m"]
    )
    baseline: Baseline = Field(
        "before",
        description=(
            "What requests are compared with. `before`: those of another window, the one of the same length before it"
            " unless `baseline_start` says another. `good`: those of the same window that were not harmed."
        ),
    )
    baseline_start: str | None = Field(None, description=f"{TIME_FORMS}; default: one window before the start")
    baseline_end: str | None = Field(None, description=f"{TIME_FORMS}, not included; default: the start")
    mode: Literal["all", "errors", "slow"] = Field(
        "all", description="What harm is: requests that fail, requests that are slow, or both"
    )
    threshold: str | None = Field(
        None,
        description=(
            "From where on a request is slow; default: longer than 95 % of the good requests of the baseline that have"
            " the same root (service, span name and kind)"
        ),
        examples=["500ms"],
    )
    service: str | None = Field(
        None,
        max_length=NAME_LENGTH_MAX,
        description="Only requests that go through this service",
        examples=["checkout"],
    )
    operation: str | None = Field(
        None,
        max_length=NAME_LENGTH_MAX,
        description="Only requests with a span of this name, of the service if one is given",
        examples=["POST /orders"],
    )
    limit: int = Field(CAUSES_USUAL, ge=1, le=CAUSES_MAX, description="Causes in the answer")

    def asked(self, *, now_ns: int) -> Asked:
        """Return the question.

        Raises:
            InvalidRequest: a window or the threshold cannot be read.
        """
        window = parse_window(self.start, self.end, length=self.window, now_ns=now_ns)
        return Asked(
            window=window,
            baseline=self._baseline(window),
            mode=self.mode,
            slow_ns=None if self.threshold is None else parse_duration(self.threshold, name="threshold"),
            service=self.service,
            operation=self.operation,
        )

    def _baseline(self, window: Window) -> Window | None:
        if self.baseline == "good":
            if self.baseline_start is not None or self.baseline_end is not None:
                raise InvalidRequest(
                    "compare with the good requests of the window",
                    value=self.baseline_start or self.baseline_end,
                    hint="Leave out `baseline_start` and `baseline_end`, or ask for baseline=before.",
                )
            return None
        end = format_time(window.start_ns) if self.baseline_end is None else self.baseline_end
        length_ns = window.end_ns - window.start_ns
        found = parse_window(self.baseline_start, end, length=None, now_ns=0)
        return found if self.baseline_start is not None else Window(max(0, found.end_ns - length_ns), found.end_ns)


class PlaceAnswer(Answer):
    """Say where in the call tree something is."""

    service: str = Field(examples=["payments"])
    operation: str = Field(description="The span's name", examples=["POST /charges"])
    kind: str = Field(description="The span's kind", examples=["server"])


class ValueAnswer(Answer):
    """Say an attribute value."""

    key: str = Field(description="By its newest name", examples=["service.version"])
    value: str = Field(examples=["2.14.0"])
    scope: Literal["span", "resource"] = Field(
        description="`resource`: of the process. `span`: of the span, its service's entry span, or the request's root."
    )
    service: str | None = Field(description="Set where the value means something within one service only")


class PlaceEvidenceAnswer(Answer):
    """Say what the spans of the place are like; `_before` in the baseline."""

    calls_per_request: float = Field(examples=[1.02])
    calls_per_request_before: float = Field(examples=[1.0])
    self_p50_ms: float = Field(
        description="Half of them are on the critical path no longer than this", examples=[212.4]
    )
    self_p50_ms_before: float = Field(examples=[11.9])
    error_rate: float = Field(description="Share of them in which an error began", examples=[0.0])
    error_rate_before: float = Field(examples=[0.001])


class RetriesAnswer(Answer):
    """Say how often a caller asks for one answer."""

    caller: PlaceAnswer
    calls: float = Field(description="In the mean over callers that call at all", examples=[2.9])
    calls_before: float = Field(examples=[1.01])
    calls_most: int = Field(examples=[8])


class WaitsAnswer(Answer):
    """Say how spans wait for one another."""

    together: float = Field(description="Spans at work at once, as one of them sees it", examples=[7.3])
    together_before: float = Field(examples=[1.2])
    correlation: float = Field(
        description="Rank correlation of how many a span meets with how long it takes", examples=[0.93]
    )


class CauseAnswer(Answer):
    """Say a cause with its evidence."""

    rank: int = Field(examples=[1])
    kind: Literal["operation", "attribute", "retry_storm", "lock_convoy"]
    summary: str = Field(
        description="One sentence", examples=["service.version=2.14.0 of payments: 412 requests harmed, 3 expected"]
    )
    place: PlaceAnswer = Field(description="Where it shows most")
    attribute: ValueAnswer | None
    explained: float = Field(
        description="Share of all harm beyond the usual that goes with it, 0 to 1", examples=[0.94]
    )
    score: float = Field(description="What the list is ordered by; see docs/adr/0012", examples=[1.5])
    harmed: float = Field(
        description="Requests harmed by it, estimated; parts of requests count as parts", examples=[412]
    )
    expected: float = Field(description="How many would be without it", examples=[3.1])
    lift: float | None = Field(description="`harmed` by `expected`; null where nothing is expected", examples=[132.9])
    spans: float = Field(description="Spans that are concerned", examples=[1630])
    spans_before: float = Field(description="In the baseline", examples=[0])
    p_value: float = Field(description="Of so much harm by chance, one-sided", examples=[1e-40])
    q_value: float = Field(
        description="Corrected for all values that were tested (Benjamini-Hochberg)", examples=[1e-38]
    )
    first_seen: Moment
    trace_ids: list[str] = Field(description="The requests that it harmed most", examples=[[EXAMPLE_TRACE_ID]])
    evidence: PlaceEvidenceAnswer
    retries: RetriesAnswer | None = Field(description="Of a retry storm")
    waits: WaitsAnswer | None = Field(description="Of a lock convoy")
    same: list[ValueAnswer] = Field(description="Values that nobody can tell apart from it")
    implied: list[ValueAnswer] = Field(description="Values that it explains")


class SpreadAnswer(Answer):
    """Say one way by which errors spread."""

    services: list[str] = Field(description="Where it began first", examples=[["payments", "checkout", "gateway"]])
    errors: float = Field(examples=[398])


class OriginAnswer(Answer):
    """Say where errors of one sort begin: spans that fail without a child that does."""

    place: PlaceAnswer
    exception: str = Field(description="`exception.type` of its event, empty without", examples=["ConnectTimeout"])
    message: str = Field(description="Of the first: of its exception, else of its status", examples=["timed out"])
    errors: float = Field(examples=[471])
    errors_before: float = Field(description="In the baseline", examples=[2])
    requests_failed: float = Field(description="Requests that failed by them", examples=[398])
    first_seen: Moment
    last_seen: Moment
    paths: list[SpreadAnswer] = Field(description="How they spread upward, most frequent first")
    trace_ids: list[str] = Field(examples=[[EXAMPLE_TRACE_ID]])


class TotalsAnswer(Answer):
    """Say how requests fared."""

    requests: float = Field(examples=[18230])
    failing: float = Field(description="Their root has the status error", examples=[398])
    slow: float = Field(description="Slow and not failing", examples=[1120])


class SampledAnswer(Answer):
    """Say how much of what there is was read."""

    share: float = Field(description="Of all traces; 1: the answer is exact", examples=[0.25])
    traces: int = Field(examples=[9114])
    spans: int = Field(examples=[171306])
    margin: float = Field(
        description="Half the width of the 95 % interval of the share of harmed requests; 0 when exact",
        examples=[0.004],
    )


class ScannedAnswer(Answer):
    """Say what the question cost."""

    rows: int
    bytes: int


class CorrelationAnswer(Answer):
    """Say what broke and why."""

    window: WindowAnswer
    baseline: Baseline
    baseline_window: WindowAnswer
    mode: str
    requests: TotalsAnswer = Field(description="Of the window")
    requests_before: TotalsAnswer = Field(description="Of the baseline")
    sampled: SampledAnswer
    tested: int = Field(description="Attribute values that were compared", examples=[183])
    causes: list[CauseAnswer] = Field(
        description="The likeliest first; none where nothing is worse than in the baseline"
    )
    origins: list[OriginAnswer] = Field(description="Where errors begin, those that fail most requests first")
    scanned: ScannedAnswer


def error_correlation_router(reading: Reading) -> APIRouter:
    """Return the route that says what broke and why."""
    router = APIRouter(tags=["explaining"])
    caller = Depends(reading.caller)

    @router.get(
        "/api/v1/error-correlation",
        summary="Say what broke and why: ranked causes and where errors begin",
        response_model=CorrelationAnswer,
    )
    async def error_correlation(
        query: Annotated[CorrelationQuery, Query()], principal: Annotated[Principal, caller], request: Request
    ) -> Response:
        asked = query.asked(now_ns=reading.clock.now_ns())
        return await reading.answer("error_correlation", request, partial(_answer, principal, query, asked))

    return router


def _answer(principal: Principal, query: CorrelationQuery, asked: Asked, reader: WatchedReader) -> CorrelationAnswer:
    found = explain(reader, tenant=principal.tenant, asked=asked, causes_max=query.limit)
    return CorrelationAnswer.model_validate(
        {
            "window": window_answer(asked.window),
            "baseline": query.baseline,
            "baseline_window": window_answer(asked.baseline or asked.window),
            "mode": query.mode,
            **_numbers(found),
            "causes": [_cause(rank, cause) for rank, cause in enumerate(found.causes, 1)],
            "origins": [_origin(origin) for origin in found.origins],
            "scanned": reader.scanned,
        }
    )


def _numbers(found: Findings) -> dict[str, object]:
    return {
        "requests": found.now,
        "requests_before": found.before,
        "sampled": found.sampled,
        "tested": found.tested,
    }


def _cause(rank: int, cause: Cause) -> dict[str, object]:
    retries = cause.retries
    return {
        **{
            name: getattr(cause, name) for name in ("kind", "explained", "score", "harmed", "expected", "lift", "spans")
        },
        **{
            name: getattr(cause, name)
            for name in ("spans_before", "p_value", "q_value", "trace_ids", "evidence", "waits")
        },
        "rank": rank,
        "summary": summary(cause),
        "place": place_answer(cause.place),
        "attribute": None if cause.attribute is None else _value(cause.attribute),
        "first_seen": cause.first_ns,
        "retries": None if retries is None else {**asdict(retries), "caller": place_answer(retries.caller)},
        "same": [_value(each) for each in cause.same],
        "implied": [_value(each) for each in cause.implied],
    }


def summary(cause: Cause) -> str:
    """Return a cause as one sentence."""
    place = f"{cause.place.service} {cause.place.operation}"
    evidence = cause.evidence
    if cause.attribute is not None:
        of = f" of {cause.attribute.service}" if cause.attribute.service else ""
        what = f"{cause.attribute.key}={cause.attribute.value}{of}"
    elif cause.retries is not None:
        what = f"{cause.retries.caller.service} retries {place}: {cause.retries.calls:.1f} calls for one answer"
    elif cause.waits is not None:
        what = f"{place} waits for a lock: {cause.waits.together:.1f} at once, was {cause.waits.together_before:.1f}"
    elif evidence.error_rate > evidence.error_rate_before + 0.01:
        what = f"{place} fails: {evidence.error_rate:.1%}, was {evidence.error_rate_before:.1%}"
    else:
        what = f"{place} is slow: half take {evidence.self_p50_ms:.1f} ms, was {evidence.self_p50_ms_before:.1f}"
    return f"{what}; {cause.harmed:.0f} requests harmed, {cause.expected:.0f} expected"


def place_answer(place: Place) -> PlaceAnswer:
    """Return a place as it is shown."""
    kind = KINDS[place.kind] if 0 <= place.kind < len(KINDS) else str(place.kind)
    return PlaceAnswer(service=place.service, operation=place.operation, kind=kind)


def _value(factor: Factor) -> dict[str, object]:
    return {**asdict(factor), "service": factor.service or None}


def _origin(origin: Origin) -> dict[str, object]:
    key = origin.key
    return {
        **{
            name: getattr(origin, name)
            for name in ("message", "errors", "errors_before", "requests_failed", "trace_ids")
        },
        "place": place_answer(Place(service=key.service, operation=key.operation, kind=key.kind)),
        "exception": key.exception,
        "first_seen": origin.first_ns,
        "last_seen": origin.last_ns,
        "paths": origin.paths,
    }
