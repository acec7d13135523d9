"""`GET /api/v1/bottlenecks`. What paths and patterns are is said in docs/traces/bottlenecks.md."""

from typing import Annotated, Final, Literal

from fastapi import APIRouter, Depends, Query
from pydantic import Field
from starlette.requests import Request
from starlette.responses import Response

from homeostat_server.api.lists import EXAMPLE_TRACE_ID, Answer, ScannedAnswer, WindowAnswer, window_answer
from homeostat_server.api.reading import Reading
from homeostat_server.api.summed_windows import PREVIOUS, WINDOW_NOTE, SummedQuery
from homeostat_server.model.identity import Principal
from homeostat_server.query.bottlenecks.asking import LIMIT_MAX, BottlenecksRequest, bottlenecks
from homeostat_server.query.summaries.buckets import before
from homeostat_server.query.summaries.keeping import KeptSummaries
from homeostat_server.query.summaries.window import Summaries
from homeostat_server.query.window import Window
from homeostat_server.store.ports import WatchedReader

LIMIT_USUAL: Final = 20


class BottlenecksQuery(SummedQuery):
    """Ask where the time of a window goes."""

    compare: str | None = Field(
        PREVIOUS,
        description=(
            f"`{PREVIOUS}`: with the window of the same length before. A moment: with the window of the same length"
            " that begins then. `none`: with nothing."
        ),
        examples=[PREVIOUS],
    )
    limit: int = Field(LIMIT_USUAL, ge=1, le=LIMIT_MAX, description="Operations, and patterns, in the answer")

    def trend_window(self, window: Window) -> Window | None:
        """Return the window to compare with; before 1970 there is none.

        Raises:
            InvalidRequest: it cannot be read.
        """
        if self.compare == "none":
            return None
        return before(window) if self.compare in {None, PREVIOUS} else self.other_window(window)


class PathsAnswer(Answer):
    """Say how many critical paths there are and what they add up to."""

    requests: float = Field(description="Paths that begin with a span without a parent", examples=[8135.0])
    requests_ms: float = Field(description="Their durations together")
    background: float = Field(description="Paths that begin with a span that its parent did not wait for")
    background_ms: float = Field(description="Their durations together")


class TimeAnswer(Answer):
    """Say what part an operation has in critical paths."""

    self_ms: float = Field(description="Its own time on critical paths, of all of them together")
    share: float = Field(description="Of the time of all critical paths, 0 to 1", examples=[0.31])
    on_path: float = Field(description="Spans of it that were on a path")
    spans: float = Field(description="All spans of it")
    mean_ms: float = Field(description="Own time of one span on a path")
    per_request_ms: float = Field(description="Own time by all paths there are: it does not grow with traffic")


class BottleneckAnswer(Answer):
    """Say how much time goes to an operation."""

    service: str = Field(examples=["checkout"])
    operation: str = Field(
        description="The span's name; empty for those of a service that take too little to be told apart",
        examples=["SELECT orders"],
    )
    now: TimeAnswer
    before: TimeAnswer
    example: str = Field(description="Trace in which it held up a request for longest", examples=[EXAMPLE_TRACE_ID])
    example_ms: float = Field(description="For how long")


class CalleeAnswer(Answer):
    """Say what was called."""

    service: str = Field(description="Who did the work, or called out when that is not known", examples=["inventory"])
    operation: str = Field(examples=["GET /stock/{id}"])
    peer: str = Field(description="Who was called, when it sends no telemetry itself; else empty")


class PatternAnswer(Answer):
    """Say which calls are waited for without need."""

    name: Literal["n_plus_one", "sequential", "saturation"]
    service: str = Field(description="Whose operation makes the calls", examples=["checkout"])
    operation: str = Field(examples=["GET /cart"])
    callees: list[CalleeAnswer] = Field(description="What is called; of sequential calls each")
    found: float = Field(description="Spans of the operation that show it", examples=[118.0])
    share: float = Field(description="Of all spans of the operation, 0 to 1", examples=[0.92])
    calls: float = Field(description="Calls of one such span, on average", examples=[14.2])
    spent_ms: float = Field(description="How long they take, on average")
    wasted_ms: float = Field(description="By how much one such span would be shorter, on average")
    total_wasted_ms: float = Field(description="The same of all of them; patterns are ranked by it")
    places: int | None = Field(description="How many calls run at once, for saturation")
    example: str = Field(description="Trace that would gain most", examples=[EXAMPLE_TRACE_ID])
    example_wasted_ms: float = Field(description="How much it would gain")


class BottlenecksAnswer(Answer):
    """Give the bottlenecks of a window."""

    window: WindowAnswer = Field(description=WINDOW_NOTE)
    compared_with: WindowAnswer | None
    paths: PathsAnswer
    paths_before: PathsAnswer | None
    operations: list[BottleneckAnswer] = Field(description="By own time on critical paths, most first")
    patterns: list[PatternAnswer] = Field(description="By wasted time, most first")
    spans: int = Field(description="Spans that began in the window")
    left_out: int = Field(description="Spans of traces that are too large to be summed up")
    scanned: ScannedAnswer


def bottlenecks_router(reading: Reading, kept: KeptSummaries) -> APIRouter:
    """Return the route of bottlenecks."""
    router = APIRouter(tags=["bottlenecks"])
    caller = Depends(reading.caller)

    @router.get("/api/v1/bottlenecks", summary="Rank what holds requests up", response_model=BottlenecksAnswer)
    async def ranked(
        query: Annotated[BottlenecksQuery, Query()], principal: Annotated[Principal, caller], request: Request
    ) -> Response:
        now_ns, tenant = reading.clock.now_ns(), principal.tenant
        return await reading.answer(
            "bottlenecks",
            request,
            lambda reader: _answer(reader, Summaries(reader, tenant, kept, now_ns), query, now_ns=now_ns),
        )

    return router


def _answer(reader: WatchedReader, summaries: Summaries, query: BottlenecksQuery, *, now_ns: int) -> BottlenecksAnswer:
    window = query.asked_window(now_ns=now_ns)
    other = query.trend_window(window)
    found = bottlenecks(
        summaries, BottlenecksRequest(window=window, other=other, service=query.service, limit=query.limit)
    )
    return BottlenecksAnswer.model_validate(
        {
            "window": window_answer(window),
            "compared_with": None if other is None else window_answer(other),
            "paths": found.paths,
            "paths_before": found.before,
            "operations": found.operations,
            "patterns": found.patterns,
            "spans": found.spans,
            "left_out": found.left_out,
            "scanned": reader.scanned,
        }
    )
