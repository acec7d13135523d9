"""Puts our middleware outermost into web applications, whatever framework made them. It imports no framework.

FastAPI and Starlette applications, Flask applications, and bare ASGI or WSGI callables are told apart by what they
offer. An application is hooked once; marks that contrib's packages leave and look for are honoured, so that a request
has one span whoever else is there.
"""

import inspect
from collections.abc import Callable
from typing import Any, Final

MARK: Final = "_homeostat_is_hooked"

CONTRIB_MARK: Final = "_is_instrumented_by_opentelemetry"
"""What contrib's FastAPI, Starlette and Flask packages set on an application, and look for before they hook it."""

Wrap = Callable[[Any], Any]
"""Takes an ASGI or WSGI application and returns it with a span a request."""


class Applications:
    """Hook applications, one by one or all that a framework's classes will make.

    Args:
        wrap_asgi: puts the ASGI middleware around an application.
        wrap_wsgi: puts the WSGI middleware around one.
    """

    def __init__(self, *, wrap_asgi: Wrap, wrap_wsgi: Wrap) -> None:
        self._wrap_asgi = wrap_asgi
        self._wrap_wsgi = wrap_wsgi
        self._hooked: list[str] = []
        self._foreign: list[str] = []

    @property
    def hooked(self) -> tuple[str, ...]:
        """Return the kinds of the applications that were hooked, in order."""
        return tuple(self._hooked)

    @property
    def foreign(self) -> tuple[str, ...]:
        """Return the kinds of applications that contrib's packages had hooked before us, and that were left alone."""
        return tuple(self._foreign)

    def hook(self, app: object) -> bool:
        """Hook an application in place; say whether it has our middleware now.

        False means that it cannot be hooked in place (a bare callable: wrap it instead) or belongs to contrib.
        """
        kind = kind_of(app)
        if kind == "":
            return False
        if getattr(app, MARK, False):
            return True
        if getattr(app, CONTRIB_MARK, False):
            self._foreign.append(kind)
            return False
        _mark(app)
        if kind == "Flask":
            self._hook_flask(app)
        else:
            self._hook_starlette(app)
        self._hooked.append(kind)
        return True

    def wrap(self, app: Any) -> Any:
        """Return an application with our middleware: the same one where it can be hooked in place."""
        if self.hook(app):
            return app
        if getattr(app, CONTRIB_MARK, False):
            return app
        return self._wrap_asgi(app) if is_asgi(app) else self._wrap_wsgi(app)

    def hook_class(self, framework: type[Any]) -> None:
        """Hook each application that a framework's class, or a class derived from it, makes from now on."""
        original = framework.__init__
        if getattr(original, MARK, False):
            return

        def __init__(app: Any, *arguments: Any, **named: Any) -> None:  # noqa: N807 - it takes the place of one
            original(app, *arguments, **named)
            self.hook(app)

        setattr(__init__, MARK, True)
        framework.__init__ = __init__

    def _hook_starlette(self, app: Any) -> None:
        """Wrap the whole stack when it is built, so that error handlers and other middlewares are inside of ours."""
        _turn_native_tracing_off(app)
        if getattr(app, "middleware_stack", None) is not None:
            app.middleware_stack = self._wrap_asgi(app.middleware_stack)
        build = app.build_middleware_stack
        app.build_middleware_stack = lambda: self._wrap_asgi(build())

    def _hook_flask(self, app: Any) -> None:
        app.wsgi_app = self._wrap_wsgi(app.wsgi_app)
        app.before_request(_tell_flask_route)


def kind_of(app: object) -> str:
    """Return "FastAPI", "Starlette" or "Flask", or nothing for what is none of them."""
    names = {f"{base.__module__.partition('.')[0]}.{base.__name__}" for base in type(app).__mro__}
    for kind, name in (("FastAPI", "fastapi.FastAPI"), ("Starlette", "starlette.Starlette"), ("Flask", "flask.Flask")):
        if name in names:
            return kind
    return ""


def is_asgi(app: object) -> bool:
    """Say whether a callable speaks ASGI: it is, or its `__call__` is, a coroutine function."""
    return inspect.iscoroutinefunction(app) or inspect.iscoroutinefunction(type(app).__call__)


def _mark(app: Any) -> None:
    setattr(app, MARK, True)
    # Contrib's packages then leave the application alone and say so in their log.
    setattr(app, CONTRIB_MARK, True)


def _turn_native_tracing_off(app: Any) -> None:
    """Turn off the spans that newer versions of FastAPI make themselves: ours are there already."""
    config = getattr(getattr(app, "_native_telemetry", None), "config", None)
    if isinstance(config, dict):
        config["tracing"] = False


def _tell_flask_route() -> None:
    """Leave the matched rule where the middleware finds it; Flask knows it only inside the request."""
    import flask

    rule = flask.request.url_rule
    if rule is not None:
        flask.request.environ["homeostat.route"] = rule.rule
