"""The ASGI and WSGI middlewares as this process has set them up. Loaded when the first application is hooked."""

from typing import Any

from homeostat.start.assembly import Assembly


def wrap_asgi(app: Any, parts: Assembly) -> Any:  # noqa: ANN401 - any ASGI application
    """Return an ASGI application with a span a request."""
    from homeostat.tracing.asgi import AsgiTracing  # noqa: PLC0415 - a worker of a queue never needs it

    return AsgiTracing(app, propagator=parts.propagator, excluded_paths=parts.settings.excluded_paths)


def wrap_wsgi(app: Any, parts: Assembly) -> Any:  # noqa: ANN401 - any WSGI application
    """Return a WSGI application with a span a request."""
    from homeostat.tracing.wsgi import WsgiTracing  # noqa: PLC0415 - the same

    return WsgiTracing(app, propagator=parts.propagator, excluded_paths=parts.settings.excluded_paths)
