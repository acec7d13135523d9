"""The library `websockets` against itself over a real socket, and messages in envelopes."""

import asyncio
import json
import threading
from collections.abc import Iterator
from http import HTTPStatus
from types import SimpleNamespace

import pytest
import websockets.asyncio.client
import websockets.asyncio.server
import websockets.sync.client
import websockets.sync.server
from opentelemetry.trace import SpanKind, StatusCode
from websockets.http11 import Response

from homeostat.integrations import websockets as integration
from homeostat.integrations.handling import processing
from homeostat.propagation import Correlation, current, enveloped, opened
from homeostat.tracing.failures import FAILURES
from tests.messages import Observed, Seen, context_of, in_request, observing, see
from tests.waiting import until


@pytest.fixture
def observed() -> Iterator[Observed]:
    """Install the integration."""
    with observing(integration) as found:
        yield found


def check_connection(observed: Observed, seen: Seen) -> None:
    """See that the handler ran inside the span of the connection, which continues the client's."""
    until(lambda: len(observed.spans(SpanKind.SERVER)) == 2, what="the end of the connection")
    [client] = observed.spans(SpanKind.CLIENT)
    [server] = [span for span in observed.spans(SpanKind.SERVER) if span.name == "GET"]
    [request] = [span for span in observed.spans(SpanKind.SERVER) if span.name == "request"]
    assert client.parent is not None
    assert client.parent.span_id == context_of(request).span_id
    assert server.parent is not None
    assert server.parent.span_id == context_of(client).span_id
    assert seen.span.span_id == context_of(server).span_id
    assert seen.values._replace(message_id=None) == Correlation("c-1", "m-1", None, "acme", "u-1")
    attributes = server.attributes or {}
    assert attributes["url.path"] == "/orders"
    assert attributes["url.scheme"] == "ws"
    assert (client.attributes or {})["server.address"] == "127.0.0.1"


async def test_a_handler_runs_inside_the_span_of_its_connection(observed: Observed) -> None:
    """The asynchronous server and client; each connection has its own."""

    async def handle(connection: websockets.asyncio.server.ServerConnection) -> None:
        observed.seen.append(see(await connection.recv()))
        await connection.close()
        assert current().tenant == "acme"

    async with websockets.asyncio.server.serve(handle, "127.0.0.1", 0) as server:
        [(_, port)] = [found.getsockname() for found in server.sockets]
        with in_request(observed):
            address = f"ws://127.0.0.1:{port}/orders?a=1"
            async with websockets.asyncio.client.connect(address, additional_headers={"mine": "1"}) as client:
                await client.send("hello")
                await client.wait_closed()
        await asyncio.to_thread(check_connection, observed, observed.seen[0])


def test_threads_have_the_same(observed: Observed) -> None:
    """The threaded server and client."""

    def handle(connection: websockets.sync.server.ServerConnection) -> None:
        observed.seen.append(see(connection.recv()))

    with websockets.sync.server.serve(handle, "127.0.0.1", 0) as server:
        serving = threading.Thread(target=server.serve_forever)
        serving.start()
        port = server.socket.getsockname()[1]
        with in_request(observed), websockets.sync.client.connect(f"ws://127.0.0.1:{port}/orders") as client:
            client.send("hello")
            until(lambda: observed.seen)
        check_connection(observed, observed.seen[0])
        server.shutdown()
        serving.join()


async def test_a_handler_that_fails_marks_its_span(observed: Observed) -> None:
    """And the client sees what it always saw."""

    async def handle(connection: websockets.asyncio.server.ServerConnection) -> None:
        raise ValueError("mine")

    async with websockets.asyncio.server.serve(handle, "127.0.0.1", 0) as server:
        [(_, port)] = [found.getsockname() for found in server.sockets]
        async with websockets.asyncio.client.connect(f"ws://127.0.0.1:{port}/") as client:
            await client.wait_closed()
            assert client.close_code == 1011
        await asyncio.to_thread(until, lambda: observed.spans(SpanKind.SERVER))
    [span] = observed.spans(SpanKind.SERVER)
    assert span.status.status_code is StatusCode.ERROR
    assert (span.attributes or {})["error.type"] == "ValueError"


async def test_a_handshake_that_is_refused_has_no_connection(observed: Observed) -> None:
    """The client's span says that it failed."""

    def refuse(connection: websockets.asyncio.server.ServerConnection, _request: object) -> Response:
        return connection.respond(HTTPStatus.FORBIDDEN, "no")

    async def handle(_connection: websockets.asyncio.server.ServerConnection) -> None:
        """Never run."""

    async with websockets.asyncio.server.serve(handle, "127.0.0.1", 0, process_request=refuse) as server:
        [(_, port)] = [found.getsockname() for found in server.sockets]
        with pytest.raises(websockets.InvalidStatus):
            await websockets.asyncio.client.connect(f"ws://127.0.0.1:{port}/")
    assert observed.spans(SpanKind.SERVER) == []
    assert observed.spans(SpanKind.CLIENT)[0].status.status_code is StatusCode.ERROR


def test_a_handshake_that_cannot_be_read_is_a_connection_all_the_same(observed: Observed) -> None:
    """Whatever a later version of the library has changed."""
    assert integration._begun(observed.messaging, object()) is None
    FAILURES.clear()


def test_connections_over_tls_are_told() -> None:
    """By the transport of the asynchronous one, by the socket of the threaded one."""

    def information(name: str) -> object:
        return {"sslcontext": object()}.get(name)

    secure = SimpleNamespace(transport=SimpleNamespace(get_extra_info=information))
    assert integration._is_secure(secure)
    assert integration._is_secure(SimpleNamespace(socket=SimpleNamespace(cipher=str)))
    assert not integration._is_secure(SimpleNamespace(socket=object()))
    assert "server.address" not in integration._target(object())


def test_a_message_in_an_envelope_is_handled_where_the_program_says(observed: Observed) -> None:
    """In the context of whoever sent it, though the connection is another's."""
    with in_request(observed) as request:
        text = json.dumps(enveloped({"order": 7}))
    message = opened(json.loads(text))
    with processing(message, destination="/orders"):
        seen = see(message.payload)
    assert seen.payload == {"order": 7}
    assert seen.span.trace_id == request.trace_id
    assert seen.values._replace(message_id=None) == Correlation("c-1", "m-1", None, "acme", "u-1")


@pytest.mark.parametrize(
    "document",
    [
        None,
        "text",
        [1],
        {},
        {"payload": 1},
        {"homeostat": {}, "payload": 1, "more": 2},
        {"homeostat": "x", "payload": 1},
    ],
)
def test_what_is_no_envelope_is_the_payload(document: object) -> None:
    """A program may begin to use envelopes on one side."""
    assert opened(document) == (document, {})


def test_headers_that_are_no_text_are_left_out() -> None:
    """Whoever wrote them."""
    document = {"homeostat": {"a": "b", "c": 1}, "payload": None}
    assert opened(document) == (None, {"a": "b"})
