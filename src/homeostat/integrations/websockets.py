"""WebSockets of the library `websockets`, asynchronous and threaded, client and server.

Per connection: the client's handshake has a span and carries what travels in its headers, and the server's handler
runs inside a span that continues it. Per message, programs use envelopes (`enveloped`, `opened`, `processing`): a
WebSocket's messages have no headers. Servers that speak ASGI have their spans from the middleware.
"""

import asyncio
import sys
from collections.abc import Awaitable, Callable
from http import HTTPStatus
from typing import Any, Final

from opentelemetry.trace import SpanKind
from opentelemetry.util.types import AnyValue

from homeostat.integrations.messaging import Messaging, Processing
from homeostat.integrations.patching import Patches
from homeostat.tracing.failures import FAILURES

LIBRARY: Final = "websockets"

_PATCHES: Final = Patches()
_HANDLING: Final = "_homeostat_handling"
_INTERNAL_ERROR: Final = 1011


def install(messaging: Messaging) -> None:
    """Carry contexts in all handshakes from now on."""
    if not _PATCHES.start(messaging):
        return
    import websockets.asyncio.client
    import websockets.asyncio.server
    import websockets.client
    import websockets.sync.client
    import websockets.sync.server

    _PATCHES.replace(websockets.client.ClientProtocol, "connect", _connect)
    _PATCHES.replace(websockets.asyncio.client.ClientConnection, "handshake", _shake_hands)
    _PATCHES.replace(websockets.sync.client.ClientConnection, "handshake", _shake_hands_threaded)
    _PATCHES.replace(websockets.asyncio.server.ServerConnection, "handshake", _accept)
    _PATCHES.replace(websockets.asyncio.server.ServerConnection, "close", _close)
    _PATCHES.replace(websockets.sync.server.ServerConnection, "handshake", _accept_threaded)
    _PATCHES.replace(websockets.sync.server.ServerConnection, "close", _close_threaded)


def uninstall() -> None:
    """Leave the library as it was; connections that are open keep their spans."""
    _PATCHES.restore()


def _connect(messaging: Messaging, original: Callable[[Any], Any], protocol: Any) -> Any:
    request = original(protocol)
    for name, value in messaging.propagator.headers().items():
        request.headers[name] = value
    return request


async def _shake_hands(
    messaging: Messaging, original: Callable[..., Awaitable[Any]], connection: Any, *arguments: Any, **named: Any
) -> Any:
    with messaging.exchange("GET", SpanKind.CLIENT, attributes=_target(connection.protocol)):
        return await original(connection, *arguments, **named)


def _shake_hands_threaded(
    messaging: Messaging, original: Callable[..., Any], connection: Any, *arguments: Any, **named: Any
) -> Any:
    with messaging.exchange("GET", SpanKind.CLIENT, attributes=_target(connection.protocol)):
        return original(connection, *arguments, **named)


async def _accept(
    messaging: Messaging, original: Callable[..., Awaitable[Any]], connection: Any, *arguments: Any, **named: Any
) -> Any:
    answer = await original(connection, *arguments, **named)
    task = asyncio.current_task()
    handling = _begun(messaging, connection)
    if handling is not None and task is not None:
        # The task is the connection's own, and ends with its handler.
        task.add_done_callback(lambda _task: _end(connection))
    return answer


def _accept_threaded(
    messaging: Messaging, original: Callable[..., Any], connection: Any, *arguments: Any, **named: Any
) -> Any:
    answer = original(connection, *arguments, **named)
    _begun(messaging, connection)
    return answer


async def _close(
    messaging: Messaging,
    original: Callable[..., Awaitable[Any]],
    connection: Any,
    code: int = 1000,
    *arguments: Any,
    **named: Any,
) -> Any:
    if code == _INTERNAL_ERROR:
        _end(connection, error=sys.exception())
    return await original(connection, code, *arguments, **named)


def _close_threaded(
    messaging: Messaging, original: Callable[..., Any], connection: Any, code: int = 1000, *arguments: Any, **named: Any
) -> Any:
    # The library closes a connection in its thread when the handler has returned or failed.
    _end(connection, error=sys.exception() if code == _INTERNAL_ERROR else None)
    return original(connection, code, *arguments, **named)


def _begun(messaging: Messaging, connection: Any) -> Processing | None:
    """Begin the span of a connection in its own task or thread, which has nothing else to return to."""
    try:
        handling = _handling(messaging, connection)
    except Exception as failure:
        FAILURES.caught("reading a handshake", failure)
        return None
    if handling is not None:
        setattr(connection, _HANDLING, handling)
        handling.__enter__()
    return handling


def _handling(messaging: Messaging, connection: Any) -> Processing | None:
    request, response = connection.request, connection.response
    if request is None or response is None or response.status_code != HTTPStatus.SWITCHING_PROTOCOLS:
        return None
    context = messaging.propagator.extract_http(request.headers.raw_items())
    attributes: dict[str, AnyValue] = {
        "http.request.method": "GET",
        "http.response.status_code": int(response.status_code),
        "network.protocol.name": "websocket",
        "url.path": request.path.partition("?")[0],
        "url.scheme": "wss" if _is_secure(connection) else "ws",
    }
    return messaging.exchange("GET", SpanKind.SERVER, attributes=attributes, context=context)


def _end(connection: Any, *, error: BaseException | None = None) -> None:
    handling: Processing | None = getattr(connection, _HANDLING, None)
    if handling is not None:
        setattr(connection, _HANDLING, None)
        handling.__exit__(type(error) if error is not None else None, error, None)


def _is_secure(connection: Any) -> bool:
    transport = getattr(connection, "transport", None)
    if transport is not None:
        return transport.get_extra_info("sslcontext") is not None
    # The threaded one has a socket, which is the standard library's wrapper where it is encrypted.
    return hasattr(connection.socket, "cipher")


def _target(protocol: Any) -> dict[str, AnyValue]:
    attributes: dict[str, AnyValue] = {"http.request.method": "GET", "network.protocol.name": "websocket"}
    uri = getattr(protocol, "uri", None)
    if uri is not None:
        attributes["server.address"] = uri.host
        attributes["server.port"] = uri.port
        attributes["url.scheme"] = "wss" if uri.secure else "ws"
    return attributes
