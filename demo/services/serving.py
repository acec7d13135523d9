"""One service as a process: observed, on a socket that it was given, until it is told to stop.

`python -m demo.services.serving NAME DESCRIPTOR`. It knows nothing of what a service does.
"""

import logging
import os
import socket
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Final

import uvicorn
from fastapi import FastAPI

from demo.services import breaking, pricing, shop, stock
from demo.services.observed import observe, observe_app
from demo.services.roles import PRICING, ROLES, SHOP, STOCK

_STOP_S: Final = 3
"""A request takes less than a second here; what takes longer at a stop is cut off."""

_MAKERS: Final[dict[str, Callable[[], FastAPI]]] = {
    SHOP.name: shop.create_app,
    STOCK.name: stock.create_app,
    PRICING.name: pricing.create_app,
}


def main(name: str, descriptor: str) -> None:
    """Serve the service of this name on the socket with this file descriptor, which is bound."""
    role = next(role for role in ROLES if role.name == name)
    _show_warnings()
    send_rest = observe(role.protocol)
    app = _MAKERS[name]()
    app.router.lifespan_context = _ending_with(send_rest)
    _add_probe(app)
    if breaking.VARIABLE in os.environ:
        app.add_middleware(breaking.Breaking, name=name, at_request=int(os.environ[breaking.VARIABLE]))
    observe_app(app)
    config = uvicorn.Config(app, log_config=None, access_log=False, timeout_graceful_shutdown=_STOP_S)
    uvicorn.Server(config).run(sockets=[socket.socket(fileno=int(descriptor))])


def _show_warnings() -> None:
    # Whoever started this process shows its last lines when it ends by itself.
    handler = logging.StreamHandler()
    handler.setLevel(logging.WARNING)
    logging.getLogger().addHandler(handler)


def _ending_with(end: Callable[[], None]) -> Callable[[FastAPI], AbstractAsyncContextManager[None]]:
    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        yield
        end()

    return lifespan


def _add_probe(app: FastAPI) -> None:
    @app.get("/ready")
    async def ready() -> str:
        return "ready"


if __name__ == "__main__":
    main(*sys.argv[1:])
