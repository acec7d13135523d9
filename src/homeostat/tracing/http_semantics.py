"""What a request's span says: the stable HTTP conventions, the same for ASGI and WSGI.

Source: OpenTelemetry semantic conventions 1.43, "HTTP server". It does not know either interface.
"""

import os
import re
from collections.abc import Iterable
from typing import Final

from opentelemetry.trace import Span, StatusCode

from homeostat.tracing.errors import ERROR_TYPE

REQUEST_METHOD: Final = "http.request.method"
REQUEST_METHOD_ORIGINAL: Final = "http.request.method_original"
RESPONSE_STATUS_CODE: Final = "http.response.status_code"
ROUTE: Final = "http.route"
URL_PATH: Final = "url.path"
URL_QUERY: Final = "url.query"
URL_SCHEME: Final = "url.scheme"
URL_FULL: Final = "url.full"
SERVER_ADDRESS: Final = "server.address"
SERVER_PORT: Final = "server.port"
CLIENT_ADDRESS: Final = "client.address"
USER_AGENT: Final = "user_agent.original"
PROTOCOL_NAME: Final = "network.protocol.name"
PROTOCOL_VERSION: Final = "network.protocol.version"

OTHER_METHOD: Final = "_OTHER"
OTHER_METHOD_NAME: Final = "HTTP"
"""What stands in a span's name for a method that nobody knows."""

CLIENT_DISCONNECTED: Final = "client_disconnected"
"""`error.type` of a request whose caller went away; no failure of the server, so the status stays unset."""
CANCELLED: Final = "cancelled"
"""`error.type` of a request that was cancelled here."""
NO_RESPONSE: Final = "no_response"
"""`error.type` of a request that the application never answered."""

KNOWN_METHODS_VARIABLE: Final = "OTEL_INSTRUMENTATION_HTTP_KNOWN_METHODS"
_USUAL_METHODS: Final = ("CONNECT", "DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT", "QUERY", "TRACE")

HOSTS_REMEMBERED: Final = 256
"""A server has few names; whoever sends others may not fill the memory."""
TEXT_CHARACTERS_MAX: Final = 1_024
"""Of what a caller chooses: path, user agent."""

_HOST: Final = re.compile(r"(?P<address>\[[0-9A-Fa-f:.]{2,45}\]|[^:\[\]/?#@\s]{1,255})(?::(?P<port>[0-9]{1,5}))?")


def known_methods() -> dict[str, str]:
    """Return the methods that keep their names; `OTEL_INSTRUMENTATION_HTTP_KNOWN_METHODS` replaces the usual ones."""
    listed = os.environ.get(KNOWN_METHODS_VARIABLE, "")
    methods = [method.strip() for method in listed.split(",") if method.strip()] or _USUAL_METHODS
    return {method: method for method in methods}


def excluding(paths: Iterable[str]) -> re.Pattern[str] | None:
    """Return what matches excluded paths: exact ones, or any that begin so where there is a `*` at the end."""
    patterns = [re.escape(path[:-1]) + ".*" if path.endswith("*") else re.escape(path) for path in paths if path]
    return re.compile("|".join(patterns), re.DOTALL) if patterns else None


class Hosts:
    """Remember what `Host` headers say."""

    def __init__(self) -> None:
        self._known: dict[str | bytes, tuple[str, int | None] | None] = {}

    def parsed(self, header: str | bytes) -> tuple[str, int | None] | None:
        """Return address and port of a `Host` header; None where it is none."""
        if header in self._known:
            return self._known[header]
        found = _HOST.fullmatch(header.decode("latin-1") if isinstance(header, bytes) else header)
        parsed = None
        if found is not None:
            parsed = found["address"].strip("[]"), int(found["port"]) if found["port"] else None
        if len(self._known) < HOSTS_REMEMBERED:
            self._known[header] = parsed
        return parsed


def end_request(span: Span, *, method: str, route: str | None, status: int | None) -> None:
    """Say on a span what is known when its request is answered: name, route, status.

    Args:
        span: of the request.
        method: as in the span's name.
        route: template of the path, as the framework matched it.
        status: of the response. From 500 on the server failed; what the caller did wrong is no failure of the server.
    """
    if route is not None:
        span.set_attribute(ROUTE, route)
        span.update_name(f"{method} {route}")
    if status is not None:
        span.set_attribute(RESPONSE_STATUS_CODE, status)
        if status >= 500:  # HTTP's own border
            span.set_attribute(ERROR_TYPE, str(status))
            span.set_status(StatusCode.ERROR)
