"""One server span for each HTTP request, when the platform traces itself. It does not know where spans go."""

from typing import Final

from opentelemetry import context
from opentelemetry.semconv.attributes.error_attributes import ERROR_TYPE
from opentelemetry.semconv.attributes.http_attributes import (
    HTTP_REQUEST_METHOD,
    HTTP_RESPONSE_STATUS_CODE,
    HTTP_ROUTE,
)
from opentelemetry.semconv.attributes.url_attributes import URL_PATH, URL_SCHEME
from opentelemetry.trace import Span, SpanKind, StatusCode, Tracer
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator
from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

UNTRACED_PREFIXES: Final = ("/health", "/metrics")
"""Probes and scrapes come by the second and say nothing."""

_PROPAGATOR: Final = TraceContextTextMapPropagator()


class SelfTraces:
    """Surround an application with a span a request, a child of the caller's when it sent `traceparent`."""

    def __init__(self, app: ASGIApp, *, tracer: Tracer) -> None:
        """Make spans with this tracer."""
        self._app = app
        self._tracer = tracer

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http" or scope["path"].startswith(UNTRACED_PREFIXES):
            await self._app(scope, receive, send)
            return
        parent = _PROPAGATOR.extract(dict(Headers(scope=scope)), context=context.Context())
        with self._tracer.start_as_current_span(scope["method"], context=parent, kind=SpanKind.SERVER) as span:
            span.set_attributes(
                {HTTP_REQUEST_METHOD: scope["method"], URL_PATH: scope["path"], URL_SCHEME: scope["scheme"]}
            )
            await self._app(scope, receive, _answering(span, send))
            _name_by_route(span, scope)


def _answering(span: Span, send: Send) -> Send:
    async def answer(message: Message) -> None:
        if message["type"] == "http.response.start":
            status = message["status"]
            span.set_attribute(HTTP_RESPONSE_STATUS_CODE, status)
            if status >= 500:
                span.set_attribute(ERROR_TYPE, str(status))
                span.set_status(StatusCode.ERROR)
        await send(message)

    return answer


def _name_by_route(span: Span, scope: Scope) -> None:
    route = getattr(scope.get("route"), "path", None)
    if route is not None:
        span.set_attribute(HTTP_ROUTE, route)
        span.update_name(f"{scope['method']} {route}")
