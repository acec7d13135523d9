"""HTTP calls, for callers. Spans of requests that arrive are made by `tracing.asgi` and `tracing.wsgi`."""

from collections.abc import Mapping
from typing import Final
from urllib.parse import urlsplit

from opentelemetry.trace import Span, SpanKind, StatusCode
from opentelemetry.util.types import AnyValue

from homeostat.tracing.active import ActiveSpan
from homeostat.tracing.attributes import Declared, Family, Shape, Source, family_span
from homeostat.tracing.errors import ERROR_TYPE
from homeostat.tracing.failures import FAILURES
from homeostat.tracing.http_semantics import (
    OTHER_METHOD,
    OTHER_METHOD_NAME,
    REQUEST_METHOD,
    REQUEST_METHOD_ORIGINAL,
    RESPONSE_STATUS_CODE,
    SERVER_ADDRESS,
    SERVER_PORT,
    URL_FULL,
    known_methods,
)
from homeostat.tracing.queries import visible_url

_STABLE: Final = Source.STABLE
_PORTS: Final = {"http": 80, "https": 443}
_CLIENT_ERROR: Final = 400

HTTP: Final = Family(
    "http",
    "A request to an HTTP server, seen by the caller or by the server.",
    "the method, and the route's template where it is known: `GET /orders/{number}`",
    (
        Declared(REQUEST_METHOD, Shape.TEXT, "Method; `_OTHER` for one that is not known.", _STABLE),
        Declared(REQUEST_METHOD_ORIGINAL, Shape.TEXT, "Method as it was sent, where it is not known.", _STABLE),
        Declared(RESPONSE_STATUS_CODE, Shape.INTEGER, "Status of the response.", _STABLE),
        Declared("http.request.resend_count", Shape.INTEGER, "How often it was sent before.", _STABLE),
        Declared("http.route", Shape.TEXT, "Template of the path, as the framework matched it.", _STABLE),
        Declared("url.full", Shape.TEXT, "Address that was called, without what is secret in it.", _STABLE),
        Declared("url.template", Shape.TEXT, "Template of the path that was called.", Source.DEVELOPMENT),
        Declared("url.scheme", Shape.TEXT, "Scheme.", _STABLE),
        Declared("url.path", Shape.TEXT, "Path.", _STABLE),
        Declared("url.query", Shape.TEXT, "Query, with `REDACTED` for secret values.", _STABLE),
        Declared(SERVER_ADDRESS, Shape.TEXT, "Name or address of the server.", _STABLE),
        Declared(SERVER_PORT, Shape.INTEGER, "Port of the server.", _STABLE),
        Declared("client.address", Shape.TEXT, "Address of the caller.", _STABLE),
        Declared("user_agent.original", Shape.TEXT, "What the caller says it is.", _STABLE),
        Declared("network.protocol.name", Shape.TEXT, "Protocol, where it is not HTTP: `websocket`.", _STABLE),
        Declared("network.protocol.version", Shape.TEXT, "Version of the protocol.", _STABLE),
        Declared("websocket.close_code", Shape.INTEGER, "Code with which a connection ended."),
        Declared("websocket.messages.received", Shape.INTEGER, "Messages that arrived over a connection."),
        Declared("websocket.messages.sent", Shape.INTEGER, "Messages that left over a connection."),
    ),
)


def http_client_span(
    method: str,
    url: str,
    *,
    template: str | None = None,
    resend_count: int | None = None,
    attributes: Mapping[str, AnyValue] | None = None,
) -> ActiveSpan:
    """Return a span of a call over HTTP, for clients that are not instrumented.

    Args:
        method: of the request.
        url: absolute address; user, password and secret parameters are hidden.
        template: of the path, which then is in the span's name: `/orders/{number}`.
        resend_count: how often it was sent before.
        attributes: more of the family.
    """
    method, url = str(method), str(url)  # clients have classes of their own for both
    upper = method.upper()
    known = upper in known_methods()
    address, port = _server(url)
    title = upper if known else OTHER_METHOD_NAME
    return family_span(
        HTTP,
        title if template is None else f"{title} {template}",
        kind=SpanKind.CLIENT,
        values={
            REQUEST_METHOD: upper if known else OTHER_METHOD,
            REQUEST_METHOD_ORIGINAL: None if known else method,
            URL_FULL: visible_url(url),
            "url.template": template,
            "http.request.resend_count": resend_count,
            SERVER_ADDRESS: address,
            SERVER_PORT: port,
        },
        more=attributes,
    )


def record_http_response(span: Span, status: int) -> None:
    """Say on a caller's span how it was answered; from 400 on the call failed."""
    with FAILURES.contained("recording a response"):
        span.set_attribute(RESPONSE_STATUS_CODE, status)
        if status >= _CLIENT_ERROR:
            span.set_attribute(ERROR_TYPE, str(status))
            span.set_status(StatusCode.ERROR)


def _server(url: str) -> tuple[str | None, int | None]:
    try:
        parts = urlsplit(url)
        return parts.hostname, parts.port or _PORTS.get(parts.scheme)
    except ValueError:
        return None, None
