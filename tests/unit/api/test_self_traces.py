from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
from fastapi import APIRouter
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import SpanKind, StatusCode, format_span_id, format_trace_id

from homeostat_server.api.app import create_app
from homeostat_server.api.self_traces import SelfTraces
from homeostat_server.exceptions import InvalidRequest, StoreUnavailable

router = APIRouter()
TRACE_ID, SPAN_ID = "ab" * 16, "cd" * 8
TRACEPARENT = {"traceparent": f"00-{TRACE_ID}-{SPAN_ID}-01"}


@router.get("/api/v1/items/{number}")
async def item(number: int) -> int:
    """Answer well."""
    return number


@router.get("/api/v1/wrong")
async def wrong() -> None:
    """Refuse what is asked."""
    raise InvalidRequest("read a parameter")


@router.get("/api/v1/away")
async def away() -> None:
    """Fail as the store does when it is away."""
    raise StoreUnavailable("read")


@router.get("/health/liveness")
async def probe() -> str:
    """Answer a probe."""
    return "ok"


@pytest.fixture
def spans() -> InMemorySpanExporter:
    """Return where spans end."""
    return InMemorySpanExporter()


@pytest.fixture
def traced(spans: InMemorySpanExporter) -> SelfTraces:
    """Return an application under test."""
    provider = TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(SimpleSpanProcessor(spans))
    app = create_app(version="0", guard=lambda _: None, ingest=APIRouter(), routers=[router])
    return SelfTraces(app, tracer=provider.get_tracer("test"))


@pytest.fixture
async def client(traced: SelfTraces) -> AsyncIterator[httpx.AsyncClient]:
    """Return a client of it."""
    async with httpx.AsyncClient(transport=httpx.ASGITransport(traced), base_url="http://test") as made:
        yield made


def only(spans: InMemorySpanExporter) -> ReadableSpan:
    """Return the one span there is."""
    [span] = spans.get_finished_spans()
    return span


async def test_a_request_is_a_server_span(client: httpx.AsyncClient, spans: InMemorySpanExporter) -> None:
    """It is named by its route, not by its path, so that operations stay few."""
    await client.get("/api/v1/items/7")
    span = only(spans)
    assert (span.name, span.kind, span.parent) == ("GET /api/v1/items/{number}", SpanKind.SERVER, None)
    assert dict(span.attributes or {}) == {
        "http.request.method": "GET",
        "url.path": "/api/v1/items/7",
        "url.scheme": "http",
        "http.response.status_code": 200,
        "http.route": "/api/v1/items/{number}",
    }
    assert span.status.status_code is StatusCode.UNSET


async def test_a_caller_that_is_traced_is_the_parent(client: httpx.AsyncClient, spans: InMemorySpanExporter) -> None:
    """The span joins the caller's trace."""
    await client.get("/api/v1/items/7", headers=TRACEPARENT)
    parent = only(spans).parent
    assert parent is not None
    assert (format_trace_id(parent.trace_id), format_span_id(parent.span_id)) == (TRACE_ID, SPAN_ID)


@pytest.mark.parametrize(
    ("path", "status", "is_error"),
    [("/api/v1/wrong", 400, False), ("/nowhere", 404, False), ("/api/v1/away", 503, True)],
)
async def test_only_our_own_failures_are_errors(
    client: httpx.AsyncClient, spans: InMemorySpanExporter, path: str, status: int, *, is_error: bool
) -> None:
    """What the caller got wrong leaves the status unset, as the semantic conventions say for servers."""
    await client.get(path)
    attributes = only(spans).attributes or {}
    assert attributes["http.response.status_code"] == status
    assert (only(spans).status.status_code is StatusCode.ERROR) == is_error
    assert attributes.get("error.type") == (str(status) if is_error else None)


async def test_a_path_without_a_route_names_nothing(client: httpx.AsyncClient, spans: InMemorySpanExporter) -> None:
    """A scan for random paths would otherwise make an operation of each."""
    await client.get("/nowhere/at/all")
    assert only(spans).name == "GET"


@pytest.mark.parametrize("headers", [{}, TRACEPARENT])
async def test_a_failed_caller_is_told_this_trace(
    client: httpx.AsyncClient, spans: InMemorySpanExporter, headers: dict[str, str]
) -> None:
    """The problem's trace id finds the platform's own trace, also when the caller had none."""
    problem = (await client.get("/api/v1/away", headers=headers)).json()
    context = only(spans).context
    assert context is not None
    assert problem["trace_id"] == format_trace_id(context.trace_id)


@pytest.mark.parametrize("path", ["/health/liveness", "/metrics"])
async def test_probes_and_scrapes_are_not_traced(
    client: httpx.AsyncClient, spans: InMemorySpanExporter, path: str
) -> None:
    """They come by the second and say nothing."""
    await client.get(path)
    assert spans.get_finished_spans() == ()


async def test_what_is_no_request_passes_through(spans: InMemorySpanExporter) -> None:
    """A lifespan is handed on as it came."""
    seen: list[str] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:  # noqa: ANN401 - as ASGI has it
        del receive, send
        seen.append(scope["type"])

    async def nothing(*_: Any) -> Any:  # noqa: ANN401 - as ASGI has it
        raise AssertionError

    await SelfTraces(app, tracer=TracerProvider(shutdown_on_exit=False).get_tracer("test"))(
        {"type": "lifespan"}, nothing, nothing
    )
    assert (seen, spans.get_finished_spans()) == (["lifespan"], ())
