"""Requests over real sockets: what servers do with the messages of a span's request."""

import asyncio
import socket
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from typing import Any
from wsgiref.simple_server import WSGIRequestHandler, make_server

import httpx
import pytest
import uvicorn
from fastapi import FastAPI, WebSocket
from fastapi.responses import StreamingResponse
from websockets.sync.client import connect

from homeostat.tracing.asgi import AsgiTracing
from homeostat.tracing.wsgi import WsgiTracing
from tests.recorded_spans import Recorder, attributes_of, provider_with
from tests.waiting import until

pytestmark = pytest.mark.e2e


def shop() -> FastAPI:
    """Return an application that streams without end, fails and talks."""
    app = FastAPI()

    @app.get("/endless")
    async def endless() -> StreamingResponse:
        async def pieces() -> AsyncIterator[bytes]:
            while True:
                yield b"x" * 1024
                await asyncio.sleep(0)

        return StreamingResponse(pieces())

    @app.get("/orders/{number}")
    async def order(number: int) -> int:
        return 10 // number

    @app.websocket("/chat")
    async def chat(websocket: WebSocket) -> None:
        await websocket.accept()
        async for text in websocket.iter_text():
            await websocket.send_text(text)

    return app


@contextmanager
def served(recorder: Recorder) -> Iterator[str]:
    """Serve the application by uvicorn on a free port."""
    app = AsgiTracing(shop(), tracer_provider=provider_with(recorder))
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        server = uvicorn.Server(uvicorn.Config(app, log_config=None, lifespan="off"))
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]})
        thread.start()
        try:
            until(lambda: server.started, what="uvicorn")
            yield f"127.0.0.1:{listening.getsockname()[1]}"
        finally:
            server.should_exit = True
            thread.join()


def test_uvicorn_serves_spans() -> None:
    """A request, a failure, a connection, and a caller who hangs up are four spans that say so."""
    recorder = Recorder()
    with served(recorder) as place:
        with httpx.Client(base_url=f"http://{place}", trust_env=False) as client:
            assert client.get("/orders/5?page=1").status_code == 200
            assert client.get("/orders/0", headers={"Connection": "close"}).status_code == 500
            with client.stream("GET", "/endless") as response:
                next(response.iter_bytes())
        with connect(f"ws://{place}/chat", proxy=None) as talking:
            talking.send("hi")
            assert talking.recv() == "hi"
        until(lambda: len(recorder.ended) == 4, what="four spans")
    said = {(span.name, attributes_of(span).get("error.type")): attributes_of(span) for span in recorder.ended}
    assert set(said) == {
        ("GET /orders/{number}", None),
        ("GET /orders/{number}", "ZeroDivisionError"),
        ("GET /endless", "client_disconnected"),
        ("GET /chat", None),
    }
    host, port = place.split(":")
    assert said["GET /orders/{number}", None]["server.address"] == host
    assert said["GET /orders/{number}", None]["server.port"] == int(port)
    assert said["GET /orders/{number}", "ZeroDivisionError"]["http.response.status_code"] == 500
    assert said["GET /endless", "client_disconnected"]["http.response.status_code"] == 200
    assert said["GET /chat", None]["websocket.messages.received"] == 1


class Quiet(WSGIRequestHandler):
    """Serve without a log."""

    def log_message(self, *_: object) -> None:
        """Say nothing."""


def test_wsgiref_serves_spans() -> None:
    """A list and a generator over a real WSGI server are spans that end with the response."""
    recorder = Recorder()

    def app(environ: dict[str, Any], start_response: Any) -> Any:  # noqa: ANN401 - a WSGI application
        start_response("200 OK", [("Content-Type", "text/plain")])
        return iter([b"a", b"b"]) if environ["PATH_INFO"] == "/pieces" else [b"ab"]

    traced: Any = WsgiTracing(app, tracer_provider=provider_with(recorder))
    with make_server("127.0.0.1", 0, traced, handler_class=Quiet) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        for path in ("/whole", "/pieces"):
            assert httpx.get(f"http://127.0.0.1:{server.server_port}{path}", trust_env=False).text == "ab"
        until(lambda: len(recorder.ended) == 2, what="two spans")
        server.shutdown()
        thread.join()
    assert [attributes_of(span)["url.path"] for span in recorder.ended] == ["/whole", "/pieces"]
    assert all("error.type" not in attributes_of(span) for span in recorder.ended)
