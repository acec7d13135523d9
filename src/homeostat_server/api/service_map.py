"""`GET /api/v1/service-map`. What nodes, edges and figures mean is said in docs/traces/service_map.md."""

from dataclasses import asdict
from typing import Annotated, Any, Final, Literal

from fastapi import APIRouter, Depends, Query
from pydantic import Field
from starlette.requests import Request
from starlette.responses import Response

from homeostat_server.api.lists import Answer, ScannedAnswer, WindowAnswer, window_answer
from homeostat_server.api.reading import Reading
from homeostat_server.api.summed_windows import WINDOW_NOTE, SummedQuery
from homeostat_server.model.identity import Principal
from homeostat_server.query.service_map.asking import MapRequest, service_map
from homeostat_server.query.service_map.drawing import EdgeName, Node, NodeName, ServiceMap
from homeostat_server.query.service_map.focus import DEPTH_MAX, Change, ComparedMap
from homeostat_server.query.summaries.keeping import KeptSummaries
from homeostat_server.query.summaries.window import Summaries
from homeostat_server.store.ports import WatchedReader
from homeostat_server.store.watched import Scanned

PERCENTILE: Final = "in milliseconds, within 0.5 % of the true value"

NodeKind = Literal["service", "database", "cache", "messaging", "external"]
Came = Annotated[
    Literal["", "new", "gone"], Field(description="`new`: it was not there before. `gone`: it is not there any more.")
]


class ServiceMapQuery(SummedQuery):
    """Ask for the service map of a window."""

    depth: int = Field(
        1, ge=1, le=DEPTH_MAX, description="With `service`: how many calls away from it, up and down, nodes may be"
    )


class CallFigures(Answer):
    """Say what calls were like; of what was sampled each counts for as many as it stands for."""

    calls: float = Field(examples=[8135.0])
    errors: float = Field(description="Calls that failed, at either end", examples=[117.0])
    rate: float = Field(description="Calls a second, over the whole window", examples=[2.26])
    error_rate: float = Field(description="Errors by calls, 0 to 1", examples=[0.0144])
    p50_ms: float = Field(description=f"Median duration, {PERCENTILE}", examples=[6.83])
    p95_ms: float = Field(description=f"95th percentile of durations, {PERCENTILE}", examples=[44.48])
    p99_ms: float = Field(description=f"99th percentile of durations, {PERCENTILE}", examples=[77.87])


class ChangeAnswer(Answer):
    """Say what it was like in the window to compare with."""

    before: CallFigures
    came: Came


class NodeNameAnswer(Answer):
    """Name a node."""

    kind: NodeKind
    name: str = Field(
        description="A service's name, or what callers say of who they call",
        examples=["postgresql://db.internal/orders"],
    )


class NodeAnswer(NodeNameAnswer, CallFigures):
    """Describe a node."""

    calls_are: Literal["entry", "all", "incoming"] = Field(
        description=(
            "`entry`: the figures are of spans of the kinds SERVER and CONSUMER. `all`: of all spans, since the service"
            " has none of these kinds. `incoming`: of the calls into a node that sends no telemetry itself."
        )
    )
    change: ChangeAnswer | None = Field(None, description="With `compare`")


class EdgeAnswer(CallFigures):
    """Describe the calls from one node to another."""

    caller: NodeNameAnswer
    callee: NodeNameAnswer
    is_async: bool = Field(description="The caller does not wait for it: a message")
    change: ChangeAnswer | None = Field(None, description="With `compare`")


class BasisAnswer(Answer):
    """Say what a map stands on."""

    spans: int = Field(description="Spans that began in the window", examples=[25358])
    child_spans: int = Field(description="Spans of these that name a parent", examples=[24011])
    parents_seen: float = Field(
        description="Share of these whose parent is there, 0 to 1: where it is low, edges are missing", examples=[0.998]
    )
    repeated: int = Field(description="Spans that came again and were counted once")
    rings: int = Field(description="Spans whose parents went round in a ring, which was cut there")
    left_out: int = Field(description="Spans of traces that are too large to be summed up")
    moved: dict[str, float] = Field(
        description="Services whose clocks were corrected, and how many of their spans show it",
        examples=[{"billing": 12.0}],
    )
    edges_left_out: int = Field(description="Edges beyond the busiest")


class ServiceMapAnswer(Answer):
    """Give a service map."""

    window: WindowAnswer = Field(description=WINDOW_NOTE)
    compared_with: WindowAnswer | None = None
    nodes: list[NodeAnswer]
    edges: list[EdgeAnswer]
    basis: BasisAnswer
    scanned: ScannedAnswer


def service_map_router(reading: Reading, kept: KeptSummaries) -> APIRouter:
    """Return the route of the service map."""
    router = APIRouter(tags=["service map"])
    caller = Depends(reading.caller)

    @router.get(
        "/api/v1/service-map", summary="Draw who calls whom, how often and how well", response_model=ServiceMapAnswer
    )
    async def drawn(
        query: Annotated[ServiceMapQuery, Query()], principal: Annotated[Principal, caller], request: Request
    ) -> Response:
        now_ns = reading.clock.now_ns()
        tenant = principal.tenant
        return await reading.answer(
            "service_map",
            request,
            lambda reader: _answer(reader, Summaries(reader, tenant, kept, now_ns), query, now_ns=now_ns),
        )

    return router


def _answer(reader: WatchedReader, summaries: Summaries, query: ServiceMapQuery, *, now_ns: int) -> ServiceMapAnswer:
    window = query.asked_window(now_ns=now_ns)
    asked = MapRequest(window=window, other=query.other_window(window), service=query.service, depth=query.depth)
    found = service_map(summaries, asked)
    if isinstance(found, ServiceMap):
        return _shown(found, None, reader.scanned)
    return _shown(found.now, found, reader.scanned)


def _shown(drawn: ServiceMap, compared: ComparedMap | None, scanned: Scanned) -> ServiceMapAnswer:
    nodes = [_node(node, None if compared is None else compared.nodes[node.name]) for node in drawn.nodes]
    edges = [
        {
            **_edge(edge.name),
            **asdict(edge.figures),
            "change": _change(None if compared is None else compared.edges[edge.name]),
        }
        for edge in drawn.edges
    ]
    return ServiceMapAnswer.model_validate(
        {
            "window": window_answer(drawn.window),
            "compared_with": None if compared is None else window_answer(compared.before.window),
            "nodes": nodes,
            "edges": edges,
            "basis": asdict(drawn.basis),
            "scanned": scanned,
        }
    )


def _node(node: Node, change: Change | None) -> dict[str, Any]:
    return {
        **_name(node.name),
        **asdict(node.figures),
        "calls_are": node.calls_are,
        "change": _change(change),
    }


def _edge(name: EdgeName) -> dict[str, Any]:
    return {"caller": _name(name.caller), "callee": _name(name.callee), "is_async": name.is_async}


def _name(name: NodeName) -> dict[str, str]:
    return {"kind": name.kind, "name": name.name}


def _change(change: Change | None) -> dict[str, Any] | None:
    return None if change is None else {"before": asdict(change.before), "came": change.came}
