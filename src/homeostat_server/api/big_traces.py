"""`GET /api/v1/traces/{trace_id}/summary`, `/rows` and `/flamegraph`: a trace of any size, in what a screen holds."""

import re
from dataclasses import asdict
from functools import partial
from typing import Annotated, Any, Final

from fastapi import APIRouter, Depends, Path, Query
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field
from starlette.requests import Request
from starlette.responses import Response

from homeostat_server.api.lists import EXAMPLE_TRACE_ID, Answer, Moment, ScannedAnswer
from homeostat_server.api.reading import Reading
from homeostat_server.exceptions import InvalidRequest
from homeostat_server.model.identity import Principal
from homeostat_server.model.tenant import Tenant
from homeostat_server.query.big_traces.flamegraph import FRAMES_MAX, flame_graph
from homeostat_server.query.big_traces.keeping import TraceTrees
from homeostat_server.query.big_traces.rows import DEPTH_MAX, ROWS_MAX, TOGGLED_MAX, View, visible_rows
from homeostat_server.query.big_traces.summary import summarize
from homeostat_server.query.search.filters import kind_name, status_name
from homeostat_server.query.traces.lookup import parse_trace_id
from homeostat_server.store.ports import WatchedReader

ROWS_USUAL: Final = 100
FRAMES_USUAL: Final = 1_000

_EXAMPLE_SPAN_ID: Final = "58cc4372a5670e02"
_SPAN_ID: Final = re.compile(r"[0-9a-fA-F]{16}")
_NS_PER_MS: Final = 1_000_000


def _milliseconds(value: object) -> object:
    return value / _NS_PER_MS if isinstance(value, int) else value


Milliseconds = Annotated[float, BeforeValidator(_milliseconds)]
"""A duration in an answer; made from nanoseconds."""

Kind = Annotated[str, BeforeValidator(lambda value: kind_name(value) if isinstance(value, int) else value)]
Status = Annotated[str, BeforeValidator(lambda value: status_name(value) if isinstance(value, int) else value)]


class SpanRowAnswer(Answer):
    """Say what a row shows of a span; the whole of it is in the trace."""

    span_id: str = Field(examples=[_EXAMPLE_SPAN_ID])
    parent_span_id: str | None = Field(description="null when the parent is not in the trace", examples=[None])
    depth: int = Field(description="Spans above it", examples=[0])
    service: str = Field(examples=["till"])
    operation: str = Field(examples=["POST /payments"])
    kind: Kind = Field(examples=["server"])
    status: Status = Field(examples=["error"])
    offset_ms: Milliseconds = Field(
        validation_alias="offset_ns", description="From the trace's first start to its own", examples=[0.0]
    )
    duration_ms: Milliseconds = Field(validation_alias="duration_ns", examples=[730.0])
    self_ms: Milliseconds = Field(
        validation_alias="self_ns", description="Without the time in which a child of it ran", examples=[630.0]
    )
    children: int = Field(description="Spans that it called", examples=[1])
    descendants: int = Field(description="Spans below it", examples=[1])
    errors: int = Field(description="Spans below it, or itself, that failed", examples=[1])
    is_open: bool = Field(description="Its children are rows too")
    is_orphan: bool = Field(description="It says a parent that is not in the trace")


class ServicePartAnswer(Answer):
    """Say what part a service has in a trace."""

    service: str = Field(examples=["till"])
    spans: int = Field(examples=[2])
    errors: int = Field(examples=[1])
    self_ms: Milliseconds = Field(
        validation_alias="self_ns", description="Time of its spans in which none of what they called ran"
    )


class TraceShapeAnswer(Answer):
    """Say what a trace is like, whatever its size."""

    trace_id: str = Field(examples=[EXAMPLE_TRACE_ID])
    start: Moment
    duration_ms: Milliseconds = Field(
        validation_alias="duration_ns", description="From the first start to the last end", examples=[730.0]
    )
    spans: int = Field(examples=[2])
    errors: int = Field(description="Spans with the status error", examples=[1])
    depth: int = Field(description="Levels of the tree", examples=[2])
    roots: int = Field(description="Spans whose parent is not in the trace", examples=[1])
    orphans: int = Field(description="Of these, the ones that say a parent", examples=[0])
    repeated: int = Field(description="Spans that were sent again; each counts once", examples=[0])
    root: SpanRowAnswer = Field(description="The first without a parent, else the first whose parent is missing")
    first_level: list[SpanRowAnswer] = Field(description="What the root called, by start, at most 100")
    services: list[ServicePartAnswer] = Field(description="The one with most time first, at most 100")
    scanned: ScannedAnswer


class RowsQuery(BaseModel):
    """Ask for rows of a trace's tree; a parameter that is not known is refused."""

    model_config = ConfigDict(extra="forbid")

    offset: int = Field(0, ge=0, le=DEPTH_MAX, description="Rows before the window")
    limit: int = Field(ROWS_USUAL, ge=1, le=ROWS_MAX, description="Rows in the window")
    depth: int = Field(
        DEPTH_MAX, ge=0, le=DEPTH_MAX, description="Spans less deep than this show their children; default: all"
    )
    open: list[str] = Field(
        default_factory=list,
        max_length=TOGGLED_MAX,
        description="Ids of spans that show their children, however deep they are",
        examples=[[_EXAMPLE_SPAN_ID]],
    )
    closed: list[str] = Field(
        default_factory=list, max_length=TOGGLED_MAX, description="Ids of spans that do not", examples=[[]]
    )
    root: str | None = Field(
        None, description="Id of a span: only it and what is below it", examples=[_EXAMPLE_SPAN_ID]
    )
    show: str | None = Field(
        None,
        description="Id of a span that is to be seen: all above it are open, and the window is where it is",
        examples=[_EXAMPLE_SPAN_ID],
    )

    def view(self) -> View:
        """Return which spans show what they called.

        Raises:
            InvalidRequest: an id is none.
        """
        return View(
            depth=self.depth,
            opened=[_span_id(text) for text in self.open],
            closed=[_span_id(text) for text in self.closed],
            root=None if self.root is None else _span_id(self.root),
            show=None if self.show is None else _span_id(self.show),
        )


class RowsAnswer(Answer):
    """Give a window of the rows that can be seen, each span before what it called, siblings by start."""

    total: int = Field(description="Rows that can be seen", examples=[2])
    offset: int = Field(description="Rows before the window", examples=[0])
    shown: int | None = Field(description="Where the span is that was to be shown", examples=[None])
    rows: list[SpanRowAnswer]
    scanned: ScannedAnswer


class FlameGraphQuery(BaseModel):
    """Ask for a flame graph; a parameter that is not known is refused."""

    model_config = ConfigDict(extra="forbid")

    limit: int = Field(FRAMES_USUAL, ge=1, le=FRAMES_MAX, description="Frames at most; those with most time are given")


class FrameAnswer(Answer):
    """Say what the spans of one path were like, together."""

    number: int = Field(examples=[0])
    parent: int | None = Field(description="Number of the frame above; null at the bottom", examples=[None])
    depth: int = Field(examples=[0])
    service: str = Field(examples=["till"])
    operation: str = Field(examples=["POST /payments"])
    spans: int = Field(examples=[1])
    errors: int = Field(examples=[1])
    total_ms: Milliseconds = Field(validation_alias="total_ns", description="Sum of durations", examples=[730.0])
    self_ms: Milliseconds = Field(
        validation_alias="self_ns", description="Of that, in which none of what they called ran", examples=[630.0]
    )


class FlameGraphAnswer(Answer):
    """Give the frames of a flame graph, level by level; spans of one path are one frame."""

    frames: list[FrameAnswer]
    frames_left_out: int = Field(description="Frames with less time, and those deeper than 200 levels", examples=[0])
    spans_left_out: int = Field(description="Spans in no frame that is given", examples=[0])
    scanned: ScannedAnswer


TraceId = Annotated[str, Path(description="32 hexadecimal digits", examples=[EXAMPLE_TRACE_ID])]
NOT_FOUND: Final[dict[int | str, dict[str, Any]]] = {404: {"description": "There is no such trace."}}


def big_traces_router(reading: Reading) -> APIRouter:
    """Return the routes about one trace in windows."""
    router = APIRouter(tags=["traces"], responses=NOT_FOUND)
    caller = Depends(reading.caller)
    trees = TraceTrees()

    @router.get(
        "/api/v1/traces/{trace_id}/summary", summary="Say what a trace is like", response_model=TraceShapeAnswer
    )
    async def summary(trace_id: TraceId, principal: Annotated[Principal, caller], request: Request) -> Response:
        ask = partial(_summary, trees, principal.tenant, parse_trace_id(trace_id))
        return await reading.answer("trace_summary", request, ask)

    @router.get("/api/v1/traces/{trace_id}/rows", summary="Give a window of a trace's tree", response_model=RowsAnswer)
    async def rows(
        trace_id: TraceId,
        query: Annotated[RowsQuery, Query()],
        principal: Annotated[Principal, caller],
        request: Request,
    ) -> Response:
        def ask(reader: WatchedReader) -> RowsAnswer:
            tree = trees.tree(reader, tenant=principal.tenant, trace_id=parse_trace_id(trace_id))
            found = visible_rows(tree, query.view(), offset=query.offset, rows_max=query.limit)
            return RowsAnswer.model_validate({**asdict(found), "scanned": reader.scanned})

        return await reading.answer("trace_rows", request, ask)

    @router.get(
        "/api/v1/traces/{trace_id}/flamegraph", summary="Give a trace's flame graph", response_model=FlameGraphAnswer
    )
    async def flamegraph(
        trace_id: TraceId,
        query: Annotated[FlameGraphQuery, Query()],
        principal: Annotated[Principal, caller],
        request: Request,
    ) -> Response:
        def ask(reader: WatchedReader) -> FlameGraphAnswer:
            tree = trees.tree(reader, tenant=principal.tenant, trace_id=parse_trace_id(trace_id))
            found = flame_graph(tree, frames_max=query.limit)
            return FlameGraphAnswer.model_validate({**asdict(found), "scanned": reader.scanned})

        return await reading.answer("trace_flamegraph", request, ask)

    return router


def _summary(trees: TraceTrees, tenant: Tenant, trace_id: str, reader: WatchedReader) -> TraceShapeAnswer:
    found = asdict(summarize(trees.tree(reader, tenant=tenant, trace_id=trace_id)))
    start = {"trace_id": trace_id, "start": found["start_ns"]}
    return TraceShapeAnswer.model_validate({**found, **start, "scanned": reader.scanned})


def _span_id(text: str) -> bytes:
    if not _SPAN_ID.fullmatch(text):
        raise InvalidRequest("use a span id", value=text, hint="A span id is 16 hexadecimal digits.")
    return bytes.fromhex(text)
