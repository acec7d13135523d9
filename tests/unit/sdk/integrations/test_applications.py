import asyncio
from collections.abc import Iterable
from typing import Any
from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

import httpx
import pytest
from fastapi import FastAPI
from flask import Flask
from opentelemetry.instrumentation.fastapi import FastAPIInstrumentor
from starlette.applications import Starlette
from starlette.types import ASGIApp, Receive, Scope, Send

from homeostat.integrations.applications import Applications, is_asgi, kind_of


class Wrapped:
    """Stand for the ASGI middleware: an application in another, which counts."""

    def __init__(self, app: ASGIApp) -> None:
        """Take the application."""
        self.app = app
        self.calls = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass on."""
        self.calls += 1
        await self.app(scope, receive, send)


class WrappedWsgi:
    """Stand for the WSGI middleware."""

    def __init__(self, app: WSGIApplication) -> None:
        """Take the application."""
        self.app = app
        self.calls = 0

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Pass on."""
        self.calls += 1
        self.environ = environ
        return self.app(environ, start_response)


@pytest.fixture
def applications() -> Applications:
    """Give hooks that wrap with what counts."""
    return Applications(wrap_asgi=Wrapped, wrap_wsgi=WrappedWsgi)


def get(app: ASGIApp) -> int:
    """Ask an ASGI application once and return the status."""

    async def ask() -> int:
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://test") as client:
            return (await client.get("/")).status_code

    return asyncio.run(ask())


@pytest.mark.parametrize("make", [FastAPI, Starlette])
def test_an_asgi_application_is_hooked_once_around_everything(applications: Applications, make: type[Any]) -> None:
    """Outside of its error handlers, before or after its first request, and a second time has no effect."""
    app = make()
    assert applications.hook(app)
    assert applications.hook(app)
    assert get(app) == 404
    assert isinstance(app.middleware_stack, Wrapped)
    assert app.middleware_stack.calls == 1
    assert not isinstance(app.middleware_stack.app, Wrapped)
    assert applications.hooked == (make.__name__,)


def test_an_application_that_runs_already_is_hooked(applications: Applications) -> None:
    """Its stack is built by then."""
    app = Starlette()
    get(app)
    assert applications.wrap(app) is app
    get(app)
    assert isinstance(app.middleware_stack, Wrapped)
    assert app.middleware_stack.calls == 1


def test_native_tracing_of_fastapi_is_turned_off(applications: Applications) -> None:
    """It would be a second span."""
    app = FastAPI()
    applications.hook(app)
    native = getattr(app, "_native_telemetry", None)
    assert native is None or native.config["tracing"] is False


def test_a_flask_application_is_hooked_and_tells_its_route(applications: Applications) -> None:
    """The middleware outside finds the rule in the environment of the request."""
    app = Flask("test")
    app.add_url_rule("/orders/<int:object>", view_func=str, endpoint="orders")
    assert applications.hook(app)
    outside: Any = app.wsgi_app
    assert app.test_client().get("/orders/3").text == "3"
    assert outside.environ["homeostat.route"] == "/orders/<int:object>"
    assert app.test_client().get("/nowhere").status_code == 404
    assert "homeostat.route" not in outside.environ
    assert outside.calls == 2


def test_an_application_of_contrib_is_left_to_it(applications: Applications) -> None:
    """Whoever was first makes the spans; what comes second is told."""
    app = FastAPI()
    FastAPIInstrumentor.instrument_app(app)
    assert applications.wrap(app) is app
    assert (applications.hooked, applications.foreign) == ((), ("FastAPI",))


def test_contrib_leaves_ours_alone(applications: Applications) -> None:
    """Its own mark is on it."""
    app = FastAPI()
    applications.hook(app)
    FastAPIInstrumentor.instrument_app(app)
    assert get(app) == 404
    assert type(app.middleware_stack) is Wrapped


async def bare_asgi(scope: object, receive: object, send: object) -> None:
    """Do nothing."""


def bare_wsgi(environ: object, start_response: object) -> list[bytes]:
    """Do nothing."""
    return []


class AsgiClass:
    """An application as an object."""

    async def __call__(self, scope: object, receive: object, send: object) -> None:
        """Do nothing."""


@pytest.mark.parametrize(
    ("app", "kind"), [(bare_asgi, Wrapped), (AsgiClass(), Wrapped), (bare_wsgi, WrappedWsgi)], ids=["f", "o", "w"]
)
def test_other_applications_are_wrapped(applications: Applications, app: object, kind: type[Any]) -> None:
    """They have nothing to be hooked by."""
    assert kind_of(app) == ""
    assert not applications.hook(app)
    assert type(applications.wrap(app)) is kind
    assert is_asgi(app) == (kind is Wrapped)


def test_what_a_class_makes_is_hooked(applications: Applications) -> None:
    """Also what classes that are derived from it make; hooking a class twice has no effect."""

    class Framework(Starlette):
        """Stand for a framework, so that the real one stays as it is."""

    class Derived(Framework):
        """Stand for a program's own."""

    applications.hook_class(Framework)
    applications.hook_class(Framework)
    app = Derived(debug=True)
    get(app)
    assert app.debug
    assert isinstance(app.middleware_stack, Wrapped)
    assert applications.hooked == ("Starlette",)
