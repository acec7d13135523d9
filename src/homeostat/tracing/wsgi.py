"""One SERVER span for each request of a WSGI application.

Specification: PEP 3333. The middleware changes nothing of the response and lets every exception through. A span ends
with the last piece of the body: at once for a list, a tuple or a file, with the iteration for everything else.
"""

from collections.abc import Callable, Iterable, Iterator
from contextvars import Token
from time import time_ns
from types import TracebackType
from typing import Any, Final

from opentelemetry.context import Context, attach
from opentelemetry.trace import Span, SpanKind, TracerProvider
from opentelemetry.util.types import AnyValue

from homeostat.propagation import Propagator
from homeostat.propagation.scopes import current_context, leave
from homeostat.tracing.active import SPAN
from homeostat.tracing.errors import ERROR_TYPE, record_error
from homeostat.tracing.failures import FAILURES
from homeostat.tracing.http_semantics import (
    CLIENT_ADDRESS,
    CLIENT_DISCONNECTED,
    OTHER_METHOD,
    OTHER_METHOD_NAME,
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
from homeostat.tracing.own import OwnTracers
from homeostat.tracing.queries import visible_query

Environ = dict[str, Any]
WsgiApplication = Callable[[Environ, Any], Iterable[bytes]]
RouteOf = Callable[[Environ], str | None]

SCOPE: Final = "homeostat.wsgi"
"""Name of the instrumentation scope."""
MARK: Final = "homeostat.traced"
"""In the environment: an application around or inside this one makes no second span."""
ROUTE_KEY: Final = "homeostat.route"
"""Where a framework's hook may leave the template of the path."""
_WERKZEUG_REQUEST: Final = "werkzeug.request"

_SERVER_ERROR: Final = 500
_WHOLE: Final = (list, tuple)


def route_of(environ: Environ) -> str | None:
    """Return the template of the matched path: what a hook left, or what Werkzeug (Flask) matched."""
    left = environ.get(ROUTE_KEY)
    if isinstance(left, str):
        return left
    rule = getattr(getattr(environ.get(_WERKZEUG_REQUEST), "url_rule", None), "rule", None)
    if not isinstance(rule, str):
        return None
    return f"{environ.get('SCRIPT_NAME', '')}{rule}"


class WsgiTracing:
    """Wrap a WSGI application.

    Args:
        app: the application; a framework's or any other.
        propagator: reads what arrives with a request.
        excluded_paths: paths without spans; a `*` at the end stands for any rest.
        tracer_provider: whose tracer makes the spans; the global one, looked up at each request, if left out.
        route: tells the template of the path from the environment after the call.
    """

    def __init__(
        self,
        app: WsgiApplication,
        *,
        propagator: Propagator | None = None,
        excluded_paths: Iterable[str] = (),
        tracer_provider: TracerProvider | None = None,
        route: RouteOf = route_of,
    ) -> None:
        self.app = app
        self._propagator = propagator or Propagator()
        self._excluded = excluding(excluded_paths)
        self._tracers = OwnTracers(SCOPE, tracer_provider)
        self._route = route
        self._methods = known_methods()
        self._hosts = Hosts()

    def __call__(self, environ: Environ, start_response: Any) -> Iterable[bytes]:  # noqa: ANN401  # PEP 3333's callable
        """Serve one request."""
        exchange = self._began(environ, start_response)
        if exchange is None:
            return self.app(environ, start_response)
        exchange.enter()
        try:
            body = self.app(environ, exchange.start_response)
        except BaseException as error:
            exchange.leave()
            exchange.finish(error)
            raise
        exchange.leave()
        if _is_whole(body, environ):
            exchange.finish(None)
            return body
        return _Body(body, exchange)

    def _began(self, environ: Environ, start_response: Any) -> "_Exchange | None":  # noqa: ANN401  # the same
        """Begin a span, unless there is one already, none is wanted, or something is wrong."""
        try:
            path = f"{environ.get('SCRIPT_NAME', '')}{environ.get('PATH_INFO', '')}" or "/"
            if MARK in environ or (self._excluded is not None and self._excluded.fullmatch(path)):
                return None
            environ[MARK] = True
            method = self._methods.get(environ["REQUEST_METHOD"], OTHER_METHOD)
            title = method if method is not OTHER_METHOD else OTHER_METHOD_NAME
            context = self._propagator.extract_wsgi(environ, current_context())
            span = self._tracers.current().begin(
                title,
                context,
                SpanKind.SERVER,
                {REQUEST_METHOD: method, URL_PATH: path},
                None,
                lambda: self._attributes(environ, method, path),
            )
            return _Exchange(span, context, environ, start_response, title, self._route)
        except Exception as error:
            FAILURES.caught("beginning a request's span", error)
            return None

    def _attributes(self, environ: Environ, method: str, path: str) -> dict[str, AnyValue]:
        # PEP 3333 hands bytes over as Latin-1; paths are UTF-8.
        visible = path if path.isascii() else path.encode("latin-1", "replace").decode("utf-8", "replace")
        attributes: dict[str, AnyValue] = {
            REQUEST_METHOD: method,
            URL_PATH: visible[:TEXT_CHARACTERS_MAX],
            URL_SCHEME: environ.get("wsgi.url_scheme", "http"),
            PROTOCOL_VERSION: environ.get("SERVER_PROTOCOL", "HTTP/1.1").rpartition("/")[2],
        }
        if method is OTHER_METHOD:
            attributes[REQUEST_METHOD_ORIGINAL] = environ["REQUEST_METHOD"][:TEXT_CHARACTERS_MAX]
        query = environ.get("QUERY_STRING")
        if query:
            attributes[URL_QUERY] = visible_query(query)
        agent = environ.get("HTTP_USER_AGENT")
        if agent:
            attributes[USER_AGENT] = agent[:TEXT_CHARACTERS_MAX]
        host = self._hosts.parsed(environ.get("HTTP_HOST", "")) or _named(environ)
        if host is not None:
            attributes[SERVER_ADDRESS] = host[0]
            if host[1] is not None:
                attributes[SERVER_PORT] = host[1]
        client = environ.get("REMOTE_ADDR")
        if client:
            attributes[CLIENT_ADDRESS] = client
        return attributes


class _Exchange:
    """What is known of one request while it lasts."""

    __slots__ = (
        "_context",
        "_entered",
        "_environ",
        "_matched",
        "_method",
        "_previous",
        "_route",
        "_span",
        "_start_response",
        "_status",
        "_token",
        "is_over",
    )

    def __init__(  # noqa: PLR0917  # by position, because names cost time for each request
        self,
        span: Span,
        context: Context,
        environ: Environ,
        start_response: Any,  # noqa: ANN401  # PEP 3333's callable
        method: str,
        route: RouteOf,
    ) -> None:
        self._span = span
        self._context = context
        self._environ = environ
        self._start_response = start_response
        self._method = method
        self._route = route
        self._status: int | None = None
        self._matched: str | None = None
        self._entered = self._previous = context
        self._token: Token[Context] | None = None
        self.is_over = False

    def start_response(
        self,
        status: str,
        headers: list[tuple[str, str]],
        failure: tuple[type[BaseException], BaseException, TracebackType] | None = None,
    ) -> Any:  # noqa: ANN401  # PEP 3333's `write`
        """Note the status, and the route while the framework still knows it, and hand the call on."""
        self._matched = self._route_now()
        self._status = int(status[:3]) if status[:3].isdigit() else None
        if failure is None:
            return self._start_response(status, headers)
        return self._start_response(status, headers, failure)

    def _route_now(self) -> str | None:
        with FAILURES.contained("telling the route of a request"):
            return self._route(self._environ)
        return None

    def enter(self) -> None:
        """Make the span current while code of the application runs."""
        self._previous = current_context()
        self._entered = Context({**self._context, SPAN: self._span})
        self._token = attach(self._entered)

    def leave(self) -> None:
        """Return to what was current before."""
        leave(self._entered, previous=self._previous, token=self._token)

    def finish(self, failure: BaseException | None, *, complete: bool = True) -> None:
        """Say how it went, and end the span; only the first call counts."""
        if self.is_over:
            return
        self.is_over = True
        span = self._span
        try:
            if isinstance(failure, Exception) and self._status is None:
                self._status = _SERVER_ERROR  # what every server answers then
            end_request(span, method=self._method, route=self._matched or self._route_now(), status=self._status)
            if isinstance(failure, Exception):
                record_error(failure, span=span)
            elif not complete:
                span.set_attribute(ERROR_TYPE, CLIENT_DISCONNECTED)
        except Exception as error:
            FAILURES.caught("ending a request's span", error)
        finally:
            span.end(time_ns())


class _Body:
    """A body that is still being made: its span is current while a piece of it is."""

    def __init__(self, pieces: Iterable[bytes], exchange: _Exchange) -> None:
        self._pieces = pieces
        self._exchange = exchange
        self._iterator: Iterator[bytes] | None = None

    def __iter__(self) -> Iterator[bytes]:
        """Return itself: a body is read once."""
        return self

    def __next__(self) -> bytes:
        """Return the next piece; the last one, and an exception, end the span."""
        exchange = self._exchange
        exchange.enter()
        try:
            if self._iterator is None:
                self._iterator = iter(self._pieces)
            return next(self._iterator)
        except StopIteration:
            exchange.finish(None)
            raise
        except BaseException as error:
            exchange.finish(error)
            raise
        finally:
            exchange.leave()

    def close(self) -> None:
        """Close what makes the body; if it was not read to its end, the caller went away."""
        exchange = self._exchange
        close = getattr(self._pieces, "close", None)
        exchange.enter()
        try:
            if close is not None:
                close()
        finally:
            exchange.leave()
            exchange.finish(None, complete=False)


def _is_whole(body: Iterable[bytes], environ: Environ) -> bool:
    """Tell whether a body is there already, or is a file that the server sends better than we would iterate it."""
    if isinstance(body, _WHOLE):
        return True
    wrapper = environ.get("wsgi.file_wrapper")
    return isinstance(wrapper, type) and isinstance(body, wrapper)


def _named(environ: Environ) -> tuple[str, int | None] | None:
    name, port = environ.get("SERVER_NAME"), environ.get("SERVER_PORT", "")
    return (name, int(port) if port.isdigit() else None) if name else None
