"""One SERVER span for each HTTP request and each WebSocket connection of an ASGI application.

Specification: ASGI 3.0, "HTTP & WebSocket". The middleware changes no message, delays none, and lets every exception
through. A span ends with the last message of the response, not with the background work after it.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, MutableMapping
from time import time_ns
from typing import Any, Final

from opentelemetry.context import Context, attach
from opentelemetry.trace import INVALID_SPAN, Span, SpanKind, TracerProvider
from opentelemetry.util.types import AnyValue

from homeostat.propagation import Propagator
from homeostat.propagation.scopes import current_context, leave
from homeostat.tracing.active import SPAN
from homeostat.tracing.errors import ERROR_TYPE, record_error
from homeostat.tracing.failures import FAILURES
from homeostat.tracing.http_semantics import (
    CANCELLED,
    CLIENT_ADDRESS,
    CLIENT_DISCONNECTED,
    NO_RESPONSE,
    OTHER_METHOD,
    OTHER_METHOD_NAME,
    PROTOCOL_NAME,
    PROTOCOL_VERSION,
    REQUEST_METHOD,
    REQUEST_METHOD_ORIGINAL,
    SERVER_ADDRESS,
    SERVER_PORT,
    TEXT_CHARACTERS_MAX,
    URL_PATH,
    URL_QUERY,
    URL_SCHEME,
    USER_AGENT,
    Hosts,
    end_request,
    excluding,
    known_methods,
)
from homeostat.tracing.latent import LatentSpan
from homeostat.tracing.own import OwnTracers
from homeostat.tracing.queries import visible_query
from homeostat.tracing.routes import route_of

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
AsgiApplication = Callable[[Scope, Receive, Send], Awaitable[None]]

SCOPE: Final = "homeostat.asgi"
"""Name of the instrumentation scope."""
MARK: Final = "homeostat.traced"
"""In the ASGI scope: an application around or inside this one makes no second span."""
_FASTAPI_MARK: Final = "fastapi.telemetry"
"""FastAPI from 0.16x makes spans of its own for a scope that does not have this key."""

CLOSE_CODE: Final = "websocket.close_code"
MESSAGES_RECEIVED: Final = "websocket.messages.received"
MESSAGES_SENT: Final = "websocket.messages.sent"

_SWITCHING_PROTOCOLS: Final = 101
_FORBIDDEN: Final = 403
_SERVER_ERROR: Final = 500
_INTERNAL_CLOSE: Final = 1011


class AsgiTracing:
    """Wrap an ASGI application.

    Args:
        app: the application; a framework's or any other.
        propagator: reads what arrives with a request.
        excluded_paths: paths without spans; a `*` at the end stands for any rest.
        tracer_provider: whose tracer makes the spans; the global one, looked up at each request, if left out.
        route: tells the template of the path from the scope after the call; that of Starlette, FastAPI and others if
            left out.
    """

    def __init__(
        self,
        app: AsgiApplication,
        *,
        propagator: Propagator | None = None,
        excluded_paths: Iterable[str] = (),
        tracer_provider: TracerProvider | None = None,
        route: Callable[[Scope], str | None] = route_of,
    ) -> None:
        self.app = app
        self._propagator = propagator or Propagator()
        self._excluded = excluding(excluded_paths)
        self._tracers = OwnTracers(SCOPE, tracer_provider)
        self._route = route
        self._methods = known_methods()
        self._hosts = Hosts()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one scope; only requests and connections are looked at."""
        kind = scope["type"]
        if kind == "http":
            exchange: _Exchange | None = self._began(_Request, scope, receive, send)
        elif kind == "websocket":
            exchange = self._began(_Connection, scope, receive, send)
        else:
            exchange = None
        if exchange is None:
            await self.app(scope, receive, send)
            return
        entered = exchange.entered
        previous = current_context()
        token = attach(entered)
        failure: BaseException | None = None
        try:
            await self.app(scope, exchange.receive, exchange.send)
        except BaseException as error:
            failure = error
            raise
        finally:
            leave(entered, previous=previous, token=token)
            exchange.finish(failure)
            del failure

    def _began(self, kind: "type[_Exchange]", scope: Scope, receive: Receive, send: Send) -> "_Exchange | None":
        """Begin a span, unless there is one already, none is wanted, or something is wrong."""
        try:
            path = scope["path"]
            if MARK in scope or (self._excluded is not None and self._excluded.fullmatch(path)):
                return None
            scope[MARK] = True
            scope.setdefault(_FASTAPI_MARK, None)
            method = self._methods.get(scope.get("method", "GET"), OTHER_METHOD)
            context = self._propagator.extract_asgi(scope["headers"], current_context())
            title = method if method is not OTHER_METHOD else OTHER_METHOD_NAME
            span = self._tracers.current().begin(
                title,
                context,
                SpanKind.SERVER,
                {REQUEST_METHOD: method, URL_PATH: path},
                None,
                lambda: self._attributes(scope, method, path),
            )
            return kind(span, Context({**context, SPAN: span}), scope, receive, send, title, self._route)
        except Exception as error:
            FAILURES.caught("beginning a request's span", error)
            return None

    def _attributes(self, scope: Scope, method: str, path: str) -> dict[str, AnyValue]:
        attributes: dict[str, AnyValue] = {
            REQUEST_METHOD: method,
            URL_PATH: path if len(path) <= TEXT_CHARACTERS_MAX else path[:TEXT_CHARACTERS_MAX],
            URL_SCHEME: scope.get("scheme", "http"),
            PROTOCOL_VERSION: scope.get("http_version", "1.1"),
        }
        if method is OTHER_METHOD:
            attributes[REQUEST_METHOD_ORIGINAL] = scope["method"][:TEXT_CHARACTERS_MAX]
        if scope["type"] == "websocket":
            attributes[PROTOCOL_NAME] = "websocket"
        query = scope.get("query_string")
        if query:
            attributes[URL_QUERY] = visible_query(query.decode("latin-1"))
        self._add_peers(attributes, scope)
        return attributes

    def _add_peers(self, attributes: dict[str, AnyValue], scope: Scope) -> None:
        server = None
        for name, value in scope["headers"]:
            if name == b"host":
                server = self._hosts.parsed(value)
            elif name == b"user-agent":
                attributes[USER_AGENT] = value[:TEXT_CHARACTERS_MAX].decode("latin-1")
        server = server or scope.get("server")
        if server is not None:
            attributes[SERVER_ADDRESS] = server[0]
            if server[1] is not None:
                attributes[SERVER_PORT] = server[1]
        client = scope.get("client")
        if client is not None and client[0]:
            attributes[CLIENT_ADDRESS] = client[0]


class _Exchange:
    """What is known of one request or connection while it lasts."""

    __slots__ = (
        "_method",
        "_receive",
        "_route",
        "_scope",
        "_send",
        "_span",
        "disconnected",
        "end_time",
        "entered",
        "status",
        "trailers",
    )

    def __init__(  # noqa: PLR0917  # by position, because names cost time for each request
        self,
        span: Span,
        entered: Context,
        scope: Scope,
        receive: Receive,
        send: Send,
        method: str,
        route: Callable[[Scope], str | None],
    ) -> None:
        self._span = span
        self.entered = entered
        self._scope = scope
        self._receive = receive
        self._send = send
        self._method = method
        self._route = route
        self.status: int | None = None
        self.end_time: int | None = None
        self.disconnected = False
        self.trailers = False

    async def receive(self) -> Message:
        """Pass a message to the application."""
        message = await self._receive()
        if message["type"] == "http.disconnect":
            self.disconnected = True
        return message

    def send(self, message: Message) -> Awaitable[None]:
        """Pass a message to the server. It is no coroutine of its own, which would cost more than all the rest."""
        raise NotImplementedError

    def finish(self, failure: BaseException | None) -> None:
        """Say how it went, and end the span."""
        span = self._span
        if span is INVALID_SPAN:
            return
        self._span = INVALID_SPAN  # the span may be long over before the scope is
        try:
            self._conclude(span, failure)
        except Exception as error:
            FAILURES.caught("ending a request's span", error)
        finally:
            span.end(self.end_time)

    def _conclude(self, span: Span, failure: BaseException | None) -> None:
        if isinstance(failure, Exception) and self.status is None:
            self.status = _SERVER_ERROR  # what every server answers then
        end_request(span, method=self._method, route=self._route(self._scope), status=self.status)
        if isinstance(failure, Exception):
            record_error(failure, span=span)
        elif isinstance(failure, asyncio.CancelledError):
            span.set_attribute(ERROR_TYPE, CLIENT_DISCONNECTED if self.disconnected else CANCELLED)
        elif failure is None and self.end_time is None:
            self._unfinished(span)

    def _unfinished(self, span: Span) -> None:
        """Say that the application returned, and not everything was sent."""
        answered = self.disconnected or self.status is not None
        if answered:
            span.set_attribute(ERROR_TYPE, CLIENT_DISCONNECTED)
        else:
            record_error(NO_RESPONSE, span=span)


class _Request(_Exchange):
    """One HTTP request."""

    __slots__ = ()

    def send(self, message: Message) -> Awaitable[None]:
        kind = message["type"]
        if kind == "http.response.start":
            self.status = message["status"]
            self.trailers = message.get("trailers", False)
        elif kind == "http.response.body":
            if not message.get("more_body") and not self.trailers:
                self._answered()
        elif kind == "http.response.pathsend" or (
            kind == "http.response.trailers" and not message.get("more_trailers")
        ):
            self._answered()
        return self._send(message)

    def _answered(self) -> None:
        """End the span with the response. One that failed waits for the exception, which follows the response."""
        ended = self.end_time = time_ns()
        if self.status is None or self.status < _SERVER_ERROR:
            span = self._span
            if isinstance(span, LatentSpan) and span.forget(ended):
                self._span = INVALID_SPAN
            else:
                self.finish(None)


class _Connection(_Exchange):
    """One WebSocket connection."""

    __slots__ = ("close_code", "received", "sent")

    def __init__(self, *known: Any) -> None:  # noqa: ANN401  # what every exchange is made of
        super().__init__(*known)
        self.received = self.sent = 0
        self.close_code: int | None = None

    async def receive(self) -> Message:
        message = await self._receive()
        kind = message["type"]
        if kind == "websocket.receive":
            self.received += 1
        elif kind == "websocket.disconnect":
            self.close_code = message.get("code", 1005)
            self.end_time = time_ns()
        return message

    def send(self, message: Message) -> Awaitable[None]:
        kind = message["type"]
        if kind == "websocket.send":
            self.sent += 1
        elif kind == "websocket.accept":
            self.status = _SWITCHING_PROTOCOLS
        elif kind == "websocket.close":
            if self.status is None:
                self.status = _FORBIDDEN  # what ASGI lets a server answer to a handshake that is refused
            else:
                self.close_code = message.get("code", 1000)
            self.end_time = time_ns()
        elif kind == "websocket.http.response.start":
            self.status = message["status"]
            self.end_time = time_ns()
        return self._send(message)

    def _conclude(self, span: Span, failure: BaseException | None) -> None:
        super()._conclude(span, failure)
        if self.status == _SWITCHING_PROTOCOLS:
            span.set_attribute(MESSAGES_RECEIVED, self.received)
            span.set_attribute(MESSAGES_SENT, self.sent)
        if self.close_code is not None:
            span.set_attribute(CLOSE_CODE, self.close_code)
            if self.close_code == _INTERNAL_CLOSE and not isinstance(failure, Exception):
                record_error(str(_INTERNAL_CLOSE), span=span)
