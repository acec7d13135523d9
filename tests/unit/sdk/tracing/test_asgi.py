import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, MutableMapping
from typing import Any

import httpx
import pytest
from fastapi import APIRouter, BackgroundTasks, FastAPI, HTTPException, WebSocket
from fastapi.responses import StreamingResponse
from opentelemetry import trace
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.trace import SpanKind, StatusCode
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles

from homeostat.propagation import PropagationConfig, Propagator, Trust
from homeostat.tracing.asgi import AsgiTracing
from homeostat.tracing.failures import FAILURES
from homeostat.tracing.routes import route_of
from tests.recorded_spans import Recorder, attributes_of, provider_with, sampling_provider

PARENT = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]


def http_scope(**more: object) -> Scope:
    """Return the scope of a request as a server makes it."""
    return {
        "type": "http",
        "method": "GET",
        "path": "/work",
        "query_string": b"",
        "headers": [(b"host", b"shop.example:8443"), (b"user-agent", b"agent/1")],
        "scheme": "https",
        "http_version": "2",
        "client": ("10.0.0.9", 5000),
        "server": ("127.0.0.1", 8000),
        **more,
    }


async def nothing() -> Message:
    """Return the whole of an empty request."""
    return {"type": "http.request", "body": b"", "more_body": False}


class Sent:
    """Take what an application sends."""

    def __init__(self) -> None:
        self.messages: list[Message] = []

    async def __call__(self, message: Message) -> None:
        """Take one message."""
        self.messages.append(message)


def answering(*messages: Message) -> Callable[..., Awaitable[None]]:
    """Return an application that sends these messages."""

    async def app(_scope: Scope, _receive: object, send: Callable[[Message], Awaitable[None]]) -> None:
        for message in messages:
            await send(message)

    return app


START = {"type": "http.response.start", "status": 200, "headers": []}
END = {"type": "http.response.body", "body": b"ok"}


async def request(app: Callable[..., Awaitable[None]], recorder: Recorder, **more: object) -> ReadableSpan:
    """Serve one request and return its span."""
    await AsgiTracing(app, tracer_provider=provider_with(recorder))(http_scope(**more), nothing, Sent())
    return recorder.only()


async def test_a_request_is_one_server_span() -> None:
    """It has the stable attributes of the conventions, and no others but whose work it is."""
    span = await request(answering(START, END), Recorder(), query_string=b"page=2&token=t")
    assert (span.name, span.kind, span.status.status_code) == ("GET", SpanKind.SERVER, StatusCode.UNSET)
    assert attributes_of(span) == {
        "http.request.method": "GET",
        "url.path": "/work",
        "url.query": "page=2&token=REDACTED",
        "url.scheme": "https",
        "network.protocol.version": "2",
        "server.address": "shop.example",
        "server.port": 8443,
        "client.address": "10.0.0.9",
        "user_agent.original": "agent/1",
        "http.response.status_code": 200,
    }
    assert (span.attributes or {})["correlation.id"]


async def test_a_request_continues_its_callers_trace() -> None:
    """The trace of the headers goes on, and is current in the application."""
    seen = []

    async def app(scope: Scope, receive: object, send: Callable[[Message], Awaitable[None]]) -> None:
        seen.append(trace.get_current_span().get_span_context().trace_id)
        await answering(START, END)(scope, receive, send)

    span = await request(app, Recorder(), headers=[(b"traceparent", PARENT.encode())])
    assert seen == [0x4BF92F3577B34DA6A3CE929D0E0E4736]
    assert span.parent is not None
    assert span.parent.span_id == 0x00F067AA0BA902B7
    assert not trace.get_current_span().get_span_context().is_valid


async def test_what_a_stranger_sends_is_not_believed() -> None:
    """The propagator that is given decides what of a caller's headers counts."""
    recorder = Recorder()
    app = AsgiTracing(
        answering(START, END),
        propagator=Propagator(PropagationConfig(http_trust=Trust.NOTHING)),
        tracer_provider=provider_with(recorder),
    )
    await app(http_scope(headers=[(b"traceparent", PARENT.encode())]), nothing, Sent())
    assert recorder.only().parent is None


async def test_a_method_that_nobody_knows_is_other() -> None:
    """The name of the span does not grow with what callers invent."""
    span = await request(answering(START, END), Recorder(), method="BREW")
    assert span.name == "HTTP"
    assert attributes_of(span)["http.request.method"] == "_OTHER"
    assert attributes_of(span)["http.request.method_original"] == "BREW"


async def test_known_methods_can_be_set(monkeypatch: pytest.MonkeyPatch) -> None:
    """OpenTelemetry's variable says which methods keep their names."""
    monkeypatch.setenv("OTEL_INSTRUMENTATION_HTTP_KNOWN_METHODS", "BREW, GET")
    assert (await request(answering(START, END), Recorder(), method="BREW")).name == "BREW"


@pytest.mark.parametrize(
    ("headers", "server", "expected"),
    [
        ([(b"host", b"shop.example")], ("127.0.0.1", 80), ("shop.example", None)),
        ([(b"host", b"[::1]:8080")], None, ("::1", 8080)),
        ([(b"host", b"a b/c")], ("127.0.0.1", 80), ("127.0.0.1", 80)),
        ([], ("/run/app.sock", None), ("/run/app.sock", None)),
        ([], None, (None, None)),
    ],
)
async def test_the_server_is_what_the_caller_called(
    headers: list[tuple[bytes, bytes]], server: object, expected: tuple[object, object]
) -> None:
    """The `Host` header says which server was meant; one that is none is not believed."""
    span = await request(answering(START, END), Recorder(), headers=headers, server=server, client=None)
    said = attributes_of(span)
    assert (said.get("server.address"), said.get("server.port")) == expected
    assert "client.address" not in said


async def test_many_hosts_are_not_remembered() -> None:
    """A caller that invents hosts does not fill the memory."""
    app = AsgiTracing(answering(START, END), tracer_provider=provider_with(Recorder()))
    for number in range(1_000):
        await app(http_scope(headers=[(b"host", f"h{number}".encode())]), nothing, Sent())
    assert len(app._hosts._known) == 256


@pytest.mark.parametrize(("path", "traced"), [("/health", False), ("/static/a.css", False), ("/healthy", True)])
async def test_excluded_paths_have_no_spans(path: str, traced: bool) -> None:  # noqa: FBT001 - a parameter of the test
    """A path is left out exactly, or by its beginning with a `*`."""
    recorder, sent = Recorder(), Sent()
    app = AsgiTracing(
        answering(START, END), excluded_paths=["/health", "/static/*", ""], tracer_provider=provider_with(recorder)
    )
    await app(http_scope(path=path), nothing, sent)
    assert (bool(recorder.ended), sent.messages) == (traced, [START, END])


async def test_an_application_around_another_makes_one_span() -> None:
    """Two middlewares in one request are one span, and FastAPI's own tracing is told that there is one."""
    recorder, scope = Recorder(), http_scope()
    provider = provider_with(recorder)
    inner = AsgiTracing(answering(START, END), tracer_provider=provider)
    await AsgiTracing(inner, tracer_provider=provider)(scope, nothing, Sent())
    assert len(recorder.ended) == 1
    assert scope["fastapi.telemetry"] is None


async def test_other_scopes_pass_through() -> None:
    """The start and stop of an application are not looked at."""
    recorder, sent = Recorder(), Sent()
    app = AsgiTracing(answering({"type": "lifespan.startup.complete"}), tracer_provider=provider_with(recorder))
    await app({"type": "lifespan"}, nothing, sent)
    assert sent.messages == [{"type": "lifespan.startup.complete"}]
    assert recorder.ended == []


async def test_a_span_ends_with_the_last_piece_of_the_body() -> None:
    """Of a streamed response the last message counts, not the first, and not what the application does afterwards."""
    recorder = Recorder()
    open_after = []

    async def app(_scope: Scope, _receive: object, send: Callable[[Message], Awaitable[None]]) -> None:
        await send(START)
        await send({"type": "http.response.body", "body": b"a", "more_body": True})
        open_after.append(len(recorder.ended))
        await send({"type": "http.response.body", "body": b"b"})
        open_after.append(len(recorder.ended))

    await request(app, recorder)
    assert open_after == [0, 1]


async def test_a_response_with_trailers_ends_with_them() -> None:
    """Where trailers are announced, they are the last message."""
    recorder = Recorder()
    messages = (
        {**START, "trailers": True},
        END,
        {"type": "http.response.trailers", "headers": [], "more_trailers": True},
        {"type": "http.response.trailers", "headers": []},
    )
    assert attributes_of(await request(answering(*messages), recorder))["http.response.status_code"] == 200
    assert "error.type" not in attributes_of(recorder.only())


async def test_a_file_that_the_server_sends_is_a_whole_response() -> None:
    """`http.response.pathsend` ends a response."""
    span = await request(answering(START, {"type": "http.response.pathsend", "path": "/f"}), Recorder())
    assert "error.type" not in attributes_of(span)


async def test_an_exception_is_recorded_and_goes_on() -> None:
    """What leaves the application reaches the server as it is; the span says what it was and that it was a 500."""
    recorder = Recorder()

    async def app(*_: object) -> None:
        raise KeyError("k")

    with pytest.raises(KeyError):
        await request(app, recorder)
    span = recorder.only()
    assert attributes_of(span)["error.type"] == "KeyError"
    assert attributes_of(span)["http.response.status_code"] == 500
    assert (span.status.status_code, span.events[0].name) == (StatusCode.ERROR, "exception")


async def test_a_failed_response_is_an_error_without_an_exception() -> None:
    """A status from 500 on is the server's failure; the status says all there is."""
    span = await request(answering({**START, "status": 503}, END), Recorder())
    assert attributes_of(span)["error.type"] == "503"
    assert (span.status.status_code, span.status.description) == (StatusCode.ERROR, None)


async def test_a_refusal_is_no_error_of_the_server() -> None:
    """A status from 400 to 499 leaves the span's status alone."""
    span = await request(answering({**START, "status": 404}, END), Recorder())
    assert (span.status.status_code, "error.type" in attributes_of(span)) == (StatusCode.UNSET, False)


async def test_an_application_that_never_answers_failed() -> None:
    """Returning without a response is an error of its own kind."""
    span = await request(answering(), Recorder())
    assert attributes_of(span)["error.type"] == "no_response"
    assert span.status.status_code is StatusCode.ERROR


async def gone() -> Message:
    """Return what a server says when its caller went away."""
    return {"type": "http.disconnect"}


async def test_a_caller_that_went_away_is_told_apart() -> None:
    """A response that was not sent to its end because nobody listens is no error of the server."""
    recorder = Recorder()

    async def app(_scope: Scope, receive: Callable[[], Awaitable[Message]], send: object) -> None:
        await receive()

    await AsgiTracing(app, tracer_provider=provider_with(recorder))(http_scope(), gone, Sent())
    assert attributes_of(recorder.only())["error.type"] == "client_disconnected"
    assert recorder.only().status.status_code is StatusCode.UNSET


async def test_a_response_that_stops_in_the_middle_is_told() -> None:
    """An application that began to answer and returned had nobody to answer any more."""
    span = await request(answering(START, {**END, "more_body": True}), Recorder())
    assert attributes_of(span)["error.type"] == "client_disconnected"


@pytest.mark.parametrize(("receive", "kind"), [(nothing, "cancelled"), (gone, "client_disconnected")])
async def test_a_request_that_is_cancelled_ends(receive: Callable[[], Awaitable[Message]], kind: str) -> None:
    """A task that is cancelled ends its span, by the caller's leaving or by the server's."""
    recorder, inside = Recorder(), asyncio.Event()

    async def app(_scope: Scope, receive: Callable[[], Awaitable[Message]], _send: object) -> None:
        await receive()
        inside.set()
        await asyncio.Event().wait()

    traced = AsgiTracing(app, tracer_provider=provider_with(recorder))
    task = asyncio.ensure_future(traced(http_scope(), receive, Sent()))
    await inside.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert attributes_of(recorder.only())["error.type"] == kind
    assert recorder.only().status.status_code is StatusCode.UNSET


async def test_a_broken_scope_is_the_applications_affair() -> None:
    """What the middleware cannot read it passes on, without a span."""
    recorder, sent = Recorder(), Sent()
    scope = {"type": "http", "path": "/", "headers": None}
    await AsgiTracing(answering(START, END), tracer_provider=provider_with(recorder))(scope, nothing, sent)
    assert sent.messages == [START, END]
    assert FAILURES.counts() == {"beginning a request's span": 1}


async def test_a_route_that_cannot_be_told_costs_the_route() -> None:
    """If the template of the path fails, the span ends all the same."""
    recorder = Recorder()

    def failing(_scope: Scope) -> str:
        raise RuntimeError("route")

    app = AsgiTracing(answering(START, END), tracer_provider=provider_with(recorder), route=failing)
    await app(http_scope(), nothing, Sent())
    assert recorder.only().name == "GET"
    assert FAILURES.counts() == {"ending a request's span": 1}


async def test_an_unsampled_request_that_fails_is_kept() -> None:
    """At 0 % the span of a failed request is there, with all its attributes and its real start; others are not."""
    recorder = Recorder()
    provider = sampling_provider(recorder, ratio=0.0)

    async def failing(*_: object) -> None:
        raise KeyError("k")

    await AsgiTracing(answering(START, END), tracer_provider=provider)(http_scope(), nothing, Sent())
    with pytest.raises(KeyError):
        await AsgiTracing(failing, tracer_provider=provider)(http_scope(), nothing, Sent())
    await AsgiTracing(answering({**START, "status": 500}, END), tracer_provider=provider)(http_scope(), nothing, Sent())
    assert [attributes_of(span)["error.type"] for span in recorder.ended] == ["KeyError", "500"]
    assert attributes_of(recorder.ended[0])["url.path"] == "/work"
    assert recorder.ended[0].events[0].name == "exception"


# ---- frameworks


def shop() -> FastAPI:
    """Return an application with all that has routes."""
    app = FastAPI()
    router = APIRouter()

    @app.get("/orders/{number}")
    async def order(number: int) -> int:
        return number

    @router.get("/items/{item}")
    async def item(item: str) -> str:
        return item

    add_troubles(app)
    app.include_router(router, prefix="/v1")

    async def hello(_: Request) -> PlainTextResponse:
        return PlainTextResponse("hello")

    app.mount("/sub/{tenant}", Starlette(routes=[Route("/hello/{name}", hello)]))
    app.mount("/files", StaticFiles(directory="."))
    return app


def add_troubles(app: FastAPI) -> None:
    """Add routes that fail, stream, or go on afterwards."""

    @app.get("/refused")
    async def refused() -> None:
        raise HTTPException(418)

    @app.get("/broken")
    def broken() -> None:
        raise ValueError("broken")

    @app.get("/stream")
    async def stream() -> StreamingResponse:
        async def pieces() -> AsyncIterator[bytes]:
            for piece in (b"a", b"b"):
                yield piece

        return StreamingResponse(pieces())

    @app.get("/later")
    async def later(tasks: BackgroundTasks) -> str:
        tasks.add_task(lambda: None)
        return "ok"


def chats() -> FastAPI:
    """Return an application with connections that end in all ways."""
    app = FastAPI()

    @app.websocket("/chat/{room}")
    async def chat(socket: WebSocket, room: str) -> None:
        await socket.accept()
        async for text in socket.iter_text():
            await socket.send_text(f"{room}:{text}")

    @app.websocket("/closed")
    async def closed(socket: WebSocket) -> None:
        await socket.close(1008)

    @app.websocket("/failing")
    async def failing(socket: WebSocket) -> None:
        await socket.accept()
        raise ValueError("failing")

    @app.websocket("/internal")
    async def internal(socket: WebSocket) -> None:
        await socket.accept()
        await socket.close(1011)

    return app


async def get(recorder: Recorder, path: str) -> httpx.Response:
    """Ask an application through the middleware."""
    traced = AsgiTracing(shop(), tracer_provider=provider_with(recorder))
    transport = httpx.ASGITransport(app=traced, raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://shop") as client:
        return await client.get(path)


@pytest.mark.parametrize(
    ("path", "route"),
    [
        ("/orders/5", "/orders/{number}"),
        ("/v1/items/pen", "/v1/items/{item}"),
        ("/sub/acme/hello/eve", "/sub/{tenant}/hello/{name}"),
        ("/files/pyproject.toml", "/files/{path}"),
        ("/stream", "/stream"),
        ("/later", "/later"),
    ],
)
async def test_the_name_is_the_matched_route(path: str, route: str) -> None:
    """Routes of the application, of an included router, of a mount and of mounted files have their template."""
    recorder = Recorder()
    assert (await get(recorder, path)).status_code == 200
    assert recorder.only().name == f"GET {route}"
    assert attributes_of(recorder.only())["http.route"] == route


async def test_a_path_without_a_route_is_named_by_its_method() -> None:
    """What nobody serves must not make a name for each path that is tried."""
    recorder = Recorder()
    assert (await get(recorder, "/nothing/5")).status_code == 404
    assert recorder.only().name == "GET"


async def test_the_root_of_an_application_is_part_of_its_routes() -> None:
    """An application that lives below a path has it in its routes."""
    recorder = Recorder()
    app = AsgiTracing(shop(), tracer_provider=provider_with(recorder))
    await app(http_scope(path="/api/orders/5", root_path="/api"), nothing, Sent())
    assert recorder.only().name == "GET /api/orders/{number}"


async def test_fastapi_makes_no_second_span() -> None:
    """FastAPI's own tracing is silent under the middleware: one request, one span."""
    recorder = Recorder()
    await get(recorder, "/orders/5")
    assert recorder.names == ["GET /orders/{number}"]


@pytest.mark.parametrize(("path", "status"), [("/refused", 418), ("/broken", 500)])
async def test_frameworks_answers_to_exceptions_are_seen(path: str, status: int) -> None:
    """An exception that the framework answers is a status; one that it lets through is recorded as well."""
    recorder = Recorder()
    assert (await get(recorder, path)).status_code == status
    span = recorder.only()
    assert attributes_of(span)["http.response.status_code"] == status
    assert attributes_of(span).get("error.type") == ("ValueError" if status == 500 else None)
    assert len(span.events) == (status == 500)


async def connect(recorder: Recorder, path: str, *texts: str, code: int = 1000) -> None:
    """Connect as a browser does: say some texts and go."""
    said: list[Message] = [{"type": "websocket.receive", "text": text} for text in texts]
    gone: Message = {"type": "websocket.disconnect", "code": code}
    messages = iter([{"type": "websocket.connect"}, *said, gone])

    async def receive() -> Message:
        return next(messages)

    app = AsgiTracing(chats(), tracer_provider=provider_with(recorder))
    await app(http_scope(type="websocket", path=path, scheme="ws", root_path=""), receive, Sent())


async def test_a_connection_is_one_span() -> None:
    """A WebSocket connection says how it was accepted, how many messages went each way, and how it ended."""
    recorder = Recorder()
    await connect(recorder, "/chat/lobby", "hi", "ho", code=1001)
    span = recorder.only()
    assert (span.name, span.kind, span.status.status_code) == ("GET /chat/{room}", SpanKind.SERVER, StatusCode.UNSET)
    said = attributes_of(span)
    assert (said["http.response.status_code"], said["network.protocol.name"]) == (101, "websocket")
    assert (said["websocket.messages.received"], said["websocket.messages.sent"]) == (2, 2)
    assert said["websocket.close_code"] == 1001
    assert "error.type" not in said


async def test_a_connection_that_is_refused_is_a_403() -> None:
    """Closing before accepting is how ASGI refuses a handshake."""
    recorder = Recorder()
    await connect(recorder, "/closed")
    said = attributes_of(recorder.only())
    assert said["http.response.status_code"] == 403
    assert "websocket.messages.sent" not in said


async def test_a_connection_that_fails_says_so() -> None:
    """An exception of a handler is recorded; the handshake was good all the same."""
    recorder = Recorder()
    with pytest.raises(ValueError, match="failing"):
        await connect(recorder, "/failing")
    assert attributes_of(recorder.only())["error.type"] == "ValueError"
    assert attributes_of(recorder.only())["http.response.status_code"] == 101


async def test_a_connection_that_is_closed_for_an_internal_error_failed() -> None:
    """Close code 1011 is the server's word for its own failure."""
    recorder = Recorder()
    await connect(recorder, "/internal")
    assert attributes_of(recorder.only())["error.type"] == "1011"
    assert recorder.only().status.status_code is StatusCode.ERROR


async def test_a_handshake_may_be_answered_over_http() -> None:
    """The extension by which a server answers a handshake with a response of its own is understood."""
    recorder = Recorder()
    app = answering(
        {"type": "websocket.http.response.start", "status": 401, "headers": []},
        {"type": "websocket.http.response.body", "body": b"no"},
    )
    await AsgiTracing(app, tracer_provider=provider_with(recorder))(http_scope(type="websocket"), nothing, Sent())
    assert attributes_of(recorder.only())["http.response.status_code"] == 401


def test_templates_of_other_frameworks_are_found() -> None:
    """Litestar leaves a template in the scope; what is no template is none."""
    assert route_of({"path_template": "/a/{b}"}) == "/a/{b}"
    assert route_of({"path_template": 5}) is None
    assert route_of({"route": object()}) is None
    assert route_of({"route": Mount("/x", app=Starlette()), "root_path": "/x"}) == "/x/{path}"
