"""`GET /api/v1/compare`: two traces, or two sets of traces. What differs is decided in `query`."""

from functools import partial
from typing import Annotated, Any, Final

from fastapi import APIRouter, Depends, Query
from pydantic import BaseModel, ConfigDict, Field
from starlette.requests import Request
from starlette.responses import Response

from homeostat_server.api.error_correlation import PlaceAnswer, ScannedAnswer, place_answer
from homeostat_server.api.lists import EXAMPLE_TIME, EXAMPLE_TRACE_ID, TIME_FORMS, Answer, WindowAnswer, window_answer
from homeostat_server.api.reading import Reading
from homeostat_server.exceptions import InvalidRequest
from homeostat_server.model.identity import Principal
from homeostat_server.query.comparison.comparing import Compared, compare_sets, compare_traces
from homeostat_server.query.comparison.differences import Difference
from homeostat_server.query.comparison.sides import TRACES_MAX, TraceSet
from homeostat_server.query.comparison.written import CONDITIONS_MAX, FORMS, parse_filter
from homeostat_server.query.error_correlation.findings import Place
from homeostat_server.query.search.filters import SpanFilter
from homeostat_server.query.times import parse_time
from homeostat_server.query.traces.lookup import parse_trace_id
from homeostat_server.query.window import Window, parse_window
from homeostat_server.store.ports import WatchedReader

DIFFERENCES_USUAL: Final = 50
DIFFERENCES_MAX: Final = 1_000


class CompareQuery(BaseModel):
    """Ask what is different; a parameter that is not known is refused."""

    model_config = ConfigDict(extra="forbid")

    left_trace: str | None = Field(
        None, description="Id of a trace, to compare two traces", examples=[EXAMPLE_TRACE_ID]
    )
    right_trace: str | None = Field(None, description="Id of the other trace", examples=[EXAMPLE_TRACE_ID])
    start: str | None = Field(None, description=f"{TIME_FORMS}; of the right side", examples=[EXAMPLE_TIME])
    end: str | None = Field(None, description=f"{TIME_FORMS}, not included; default: now")
    window: str | None = Field(
        None, description="How long, back from the end, instead of `start`; default: 1h", examples=["15m"]
    )
    left_start: str | None = Field(None, description=f"{TIME_FORMS}; default: the time of the right side")
    left_end: str | None = Field(None, description=f"{TIME_FORMS}, not included; default: `start`")
    left: list[str] = Field(
        default_factory=list,
        max_length=CONDITIONS_MAX,
        description=(
            "Conditions that one span of a trace of the left side fulfils, all of them, any number of times: "
            f"{FORMS}. In the same time, a side without conditions has all traces that are not on the other."
        ),
        examples=[["resource.service.version=2.1.0"]],
    )
    right: list[str] = Field(
        default_factory=list,
        max_length=CONDITIONS_MAX,
        description="The same of the right side",
        examples=[["resource.service.version=2.2.0"]],
    )
    limit: int = Field(DIFFERENCES_USUAL, ge=1, le=DIFFERENCES_MAX, description="Paths in the answer")

    def traces(self) -> tuple[str, str] | None:
        """Return the ids of the two traces that are compared, None when sets are.

        Raises:
            InvalidRequest: one of them is missing or no id, or something else is given beside them.
        """
        if self.left_trace is None and self.right_trace is None:
            return None
        if self.left_trace is None or self.right_trace is None:
            raise InvalidRequest("compare two traces", hint="Give both `left_trace` and `right_trace`.")
        others = self.model_fields_set - {"left_trace", "right_trace", "limit"}
        if others:
            raise InvalidRequest(
                "compare two traces", value=", ".join(sorted(others)), hint="Leave out what is of sets."
            )
        return parse_trace_id(self.left_trace), parse_trace_id(self.right_trace)

    def sets(self, *, now_ns: int) -> tuple[TraceSet, TraceSet]:
        """Return the two sets that are compared.

        Raises:
            InvalidRequest: a window or a condition cannot be read, or both sides are the same.
        """
        right_window = parse_window(self.start, self.end, length=self.window, now_ns=now_ns)
        left_window = self._left_window(right_window)
        left, right = parse_filter(self.left), parse_filter(self.right)
        if left_window != right_window:
            return TraceSet(window=left_window, chosen=left), TraceSet(window=right_window, chosen=right)
        nothing = SpanFilter()
        if left == right:
            raise InvalidRequest(
                "compare two sets of traces",
                hint="Both are the same: give `left`, `right` or another time for the left.",
            )
        if left == nothing:
            return TraceSet(window=left_window, chosen=right, others=True), TraceSet(window=right_window, chosen=right)
        if right == nothing:
            return TraceSet(window=left_window, chosen=left), TraceSet(window=right_window, chosen=left, others=True)
        return TraceSet(window=left_window, chosen=left), TraceSet(window=right_window, chosen=right)

    def _left_window(self, right: Window) -> Window:
        if self.left_start is None and self.left_end is None:
            return right
        end_ns = right.start_ns if self.left_end is None else parse_time(self.left_end, name="left_end")
        if self.left_start is None:
            return Window(max(0, end_ns - (right.end_ns - right.start_ns)), end_ns)
        return Window(parse_time(self.left_start, name="left_start"), end_ns)


class SideAnswer(Answer):
    """Say what the traces of a side are like; durations are those of their roots."""

    trace_id: str | None = Field(None, description="Where one trace is compared with another")
    window: WindowAnswer | None = Field(None, description="Where sets are")
    others: bool = Field(False, description="The side has the traces that are not on the other one")
    read: int = Field(description=f"Traces that were read, {TRACES_MAX} of a set at most", examples=[2000])
    is_all: bool = Field(description="These are all; else they are a sample by their random ids")
    traces: float = Field(description="For how many they stand by their sampling weights", examples=[2000])
    spans_per_trace: float = Field(examples=[18.2])
    errors_per_trace: float = Field(examples=[0.4])
    mean_ms: float = Field(examples=[182.2])
    p50_ms: float = Field(examples=[121.5])
    p95_ms: float = Field(examples=[460.0])
    p99_ms: float = Field(examples=[810.0])


class PathFiguresAnswer(Answer):
    """Say what a path is like on one side."""

    calls: float = Field(description="Spans for one trace", examples=[1.0])
    present: float = Field(description="Share of the traces that have it", examples=[1.0])
    self_ms: float = Field(description="Own time on the critical path, for one trace in the mean", examples=[35.1])
    duration_ms: float = Field(description="How long one span takes in the mean", examples=[80.2])
    error_rate: float = Field(description="Share of the spans with the status error", examples=[0.01])


class AttributeDifferenceAnswer(Answer):
    """Say an attribute that differs."""

    key: str = Field(description="By its newest name", examples=["db.namespace"])
    left: str | None
    right: str | None


class DifferenceAnswer(Answer):
    """Say how a path of calls differs."""

    path: list[PlaceAnswer] = Field(description="From the root")
    only: str | None = Field(description="The side that alone has it, null when both have", examples=["right"])
    left: PathFiguresAnswer | None
    right: PathFiguresAnswer | None
    contribution_ms: float = Field(
        description="By how much it makes the mean trace of the right side longer", examples=[48.3]
    )
    share: float = Field(description="Of all that paths make longer and shorter, 0 to 1", examples=[0.71])
    p_value: float | None = Field(description="Of that by chance (Welch); null for two traces", examples=[1e-12])
    q_value: float | None = Field(description="Corrected for all paths (Benjamini-Hochberg)", examples=[1e-10])
    attributes: list[AttributeDifferenceAnswer] = Field(
        description="Those that differ, of two traces with one span each on the path"
    )


class CompareAnswer(Answer):
    """Say what is different."""

    left: SideAnswer
    right: SideAnswer
    difference_ms: float = Field(description="Mean of the right side less that of the left", examples=[68.2])
    paths: int = Field(description="Distinct paths of calls on both sides", examples=[61])
    differences: list[DifferenceAnswer] = Field(description="By the size of their contribution, the largest first")
    scanned: ScannedAnswer


def compare_router(reading: Reading) -> APIRouter:
    """Return the route that says what is different."""
    router = APIRouter(tags=["explaining"])
    caller = Depends(reading.caller)

    @router.get(
        "/api/v1/compare",
        summary="Compare two traces or two sets of traces: structure and timing, ranked",
        response_model=CompareAnswer,
    )
    async def compare(
        query: Annotated[CompareQuery, Query()], principal: Annotated[Principal, caller], request: Request
    ) -> Response:
        traces = query.traces()
        if traces is not None:
            return await reading.answer("compare", request, partial(_of_traces, principal, query, traces))
        sets = query.sets(now_ns=reading.clock.now_ns())
        return await reading.answer("compare", request, partial(_of_sets, principal, query, sets))

    return router


def _of_traces(
    principal: Principal, query: CompareQuery, traces: tuple[str, str], reader: WatchedReader
) -> CompareAnswer:
    left_id, right_id = traces
    found = compare_traces(
        reader, tenant=principal.tenant, left_id=left_id, right_id=right_id, differences_max=query.limit
    )
    return _answer(found, reader, left={"trace_id": left_id}, right={"trace_id": right_id})


def _of_sets(
    principal: Principal, query: CompareQuery, sets: tuple[TraceSet, TraceSet], reader: WatchedReader
) -> CompareAnswer:
    left, right = sets
    found = compare_sets(reader, tenant=principal.tenant, left=left, right=right, differences_max=query.limit)
    said: list[dict[str, Any]] = [{"window": window_answer(side.window), "others": side.others} for side in sets]
    return _answer(found, reader, left=said[0], right=said[1])


def _answer(found: Compared, reader: WatchedReader, *, left: dict[str, Any], right: dict[str, Any]) -> CompareAnswer:
    figures_left, figures_right = (
        {name: getattr(figures, name) for name in ("traces", "spans_per_trace", "errors_per_trace", "mean_ms")}
        | {name: getattr(figures, name) for name in ("p50_ms", "p95_ms", "p99_ms")}
        for figures in (found.left, found.right)
    )
    return CompareAnswer.model_validate(
        {
            "left": {**left, "read": found.left_read, "is_all": found.left_is_all, **figures_left},
            "right": {**right, "read": found.right_read, "is_all": found.right_is_all, **figures_right},
            "difference_ms": found.right.mean_ms - found.left.mean_ms,
            "paths": found.paths,
            "differences": [_difference(found, difference) for difference in found.differences],
            "scanned": reader.scanned,
        }
    )


def _difference(found: Compared, difference: Difference) -> dict[str, Any]:
    only = "right" if difference.left is None else "left" if difference.right is None else None
    return {
        **{name: getattr(difference, name) for name in ("left", "right", "contribution_ms", "share")},
        "path": [
            place_answer(Place(service=step.service, operation=step.operation, kind=step.kind))
            for step in difference.path
        ],
        "only": only,
        "p_value": difference.p_value,
        "q_value": difference.q_value,
        "attributes": found.attributes.get(difference.path, []),
    }
