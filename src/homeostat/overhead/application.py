"""The application whose requests are counted, and the caller that makes them. It knows nothing of telemetry.

Requests are made inside the process, as a server would hand them over: what a socket costs is the same for everybody
and would only hide what is asked.
"""

import asyncio
import importlib
from collections.abc import Awaitable, Callable, MutableMapping
from importlib.util import find_spec
from typing import Any, Final

Message = MutableMapping[str, Any]
Application = Callable[[MutableMapping[str, Any], Any, Any], Awaitable[None]]

PATH: Final = "/orders/4711"
ROUTE: Final = "/orders/{number}"

_BODY: Final = b'{"number":4711,"open":true}'
_HEADERS: Final = (
    (b"host", b"127.0.0.1:8000"),
    (b"user-agent", b"Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"),
    (b"accept", b"application/json"),
    (b"accept-language", b"en-US,en;q=0.5"),
    (b"accept-encoding", b"gzip, deflate, br"),
    (b"connection", b"keep-alive"),
)
"""What a browser sends that is no part of a trace, so that the process itself decides on sampling."""

BURST: Final = 256
"""Requests in a row. Then there is a pause, so that what is recorded can leave: spans that are dropped cost nothing,
and would make the figure too good."""
PAUSE_S: Final = 0.02


def framework() -> str:
    """Return the framework that the application is made of: FastAPI where it is installed, else none."""
    return "fastapi" if find_spec("fastapi") is not None else "asgi"


def application() -> Application:
    """Return a new application with one route."""
    if framework() != "fastapi":
        return _bare
    app: Any = importlib.import_module("fastapi").FastAPI()

    @app.get(ROUTE)  # type: ignore[untyped-decorator]  # imported only where it is installed
    async def order(number: int) -> dict[str, object]:
        return {"number": number, "open": True}

    made: Application = app
    return made


async def _bare(scope: MutableMapping[str, Any], _receive: object, send: Callable[[Message], Awaitable[None]]) -> None:
    assert scope["type"] == "http"
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"application/json")]})
    await send({"type": "http.response.body", "body": _BODY})


def scope() -> MutableMapping[str, Any]:
    """Return a new request as a server hands it over."""
    return {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.3"},
        "http_version": "1.1",
        "method": "GET",
        "scheme": "http",
        "path": PATH,
        "raw_path": PATH.encode(),
        "query_string": b"",
        "root_path": "",
        "headers": list(_HEADERS),
        "client": ("127.0.0.1", 51234),
        "server": ("127.0.0.1", 8000),
        "state": {},
    }


async def _receive() -> Message:
    return {"type": "http.request", "body": b"", "more_body": False}


async def _send(_message: Message) -> None:
    pass


async def drive(app: Application, *, requests: int, burst: int = BURST, pause_s: float = PAUSE_S) -> None:
    """Make requests as fast as they are answered, with a pause after each burst.

    Args:
        app: an ASGI application.
        requests: how many.
        burst: how many in a row.
        pause_s: after each burst, in seconds; it takes no CPU time.
    """
    for number in range(1, requests + 1):
        await app(scope(), _receive, _send)
        if number % burst == 0:
            await asyncio.sleep(pause_s)


async def pace(app: Application, *, requests_per_s: float, duration_s: float) -> None:
    """Make requests at a steady rate.

    Args:
        app: an ASGI application.
        requests_per_s: how many a second.
        duration_s: for how long, in seconds.
    """
    clock = asyncio.get_running_loop().time
    began_s = clock()
    for number in range(int(requests_per_s * duration_s)):
        await app(scope(), _receive, _send)
        await asyncio.sleep(max(0.0, began_s + (number + 1) / requests_per_s - clock()))
