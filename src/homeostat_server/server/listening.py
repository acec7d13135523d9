"""Sockets and servers: HTTP by uvicorn, OTLP by gRPC, on one event loop. It knows no route and no setting."""

import asyncio
import contextlib
import socket
from collections.abc import Awaitable, Callable, Iterator
from typing import TYPE_CHECKING, Final, TypeAlias

import grpc
import uvicorn

from homeostat.settings.kinds import Address
from homeostat_server.exceptions import AddressUnavailable

if TYPE_CHECKING:
    from homeostat_server.security.tls import TlsIdentity

ASGIApplication: TypeAlias = Callable[..., Awaitable[None]]

BACKLOG: Final = 2048
KEEP_ALIVE_S: Final = 75
"""How long an idle connection stays open. Senders pause between exports, SDKs 5 s for spans, 60 s for metrics; closed
at the moment the next one begins, a connection costs the sender its request or a retry."""

STOP_GRACE_S: Final = 5.0
"""For requests under way; a body that is not here by then is sent again by its exporter."""


def bind(address: Address) -> socket.socket:
    """Return a socket bound to an address.

    Raises:
        AddressUnavailable: the port is taken, the host is not this machine's, or binding is not allowed.
    """
    try:
        family = socket.getaddrinfo(address.host, address.port, type=socket.SOCK_STREAM)[0][0]
        return _bound(family, address)
    except OSError as error:
        raise _unavailable(address, error.strerror or str(error), "--http") from error


def _bound(family: int, address: Address) -> socket.socket:
    bound = socket.socket(family, socket.SOCK_STREAM)
    try:
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        bound.bind((address.host, address.port))
    except OSError:
        bound.close()
        raise
    return bound


def _unavailable(address: Address, reason: str, flag: str) -> AddressUnavailable:
    return AddressUnavailable(
        "listen", value=str(address), hint=f"{reason}: stop what listens there, or choose another with {flag}."
    )


class _Uvicorn(uvicorn.Server):
    """Leave signals to the process, which stops more than HTTP, and say when connections are accepted."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.began = asyncio.Event()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self.began.set()

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


class HttpServer:
    """Serve an ASGI application on a bound socket."""

    def __init__(self, app: ASGIApplication, *, bound: socket.socket, tls: "TlsIdentity | None") -> None:
        """Prepare; nothing is accepted before `start`."""
        config = uvicorn.Config(
            app,
            interface="asgi3",
            http="httptools",
            ws="none",
            lifespan="off",
            log_config=None,
            access_log=False,
            server_header=False,
            backlog=BACKLOG,
            timeout_keep_alive=KEEP_ALIVE_S,
            timeout_graceful_shutdown=int(STOP_GRACE_S),
            ssl_context_factory=None if tls is None else lambda *_: tls.http_context(),
        )
        self._server = _Uvicorn(config)
        self._bound = bound
        self._serving: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Accept connections from here on.

        Raises:
            AddressUnavailable: somebody who bound the same address listened first.
        """
        host, port = self._bound.getsockname()[:2]
        self._serving = asyncio.create_task(self._server.serve(sockets=[self._bound]), name="http")
        began = asyncio.create_task(self._server.began.wait())
        await asyncio.wait({self._serving, began}, return_when=asyncio.FIRST_COMPLETED)
        began.cancel()
        if self._serving.done():
            try:
                await self._serving
            except OSError as error:
                raise _unavailable(Address(host, port), error.strerror or str(error), "--http") from error

    async def stop(self) -> None:
        """Finish what is under way, then close."""
        self._server.should_exit = True
        if self._serving is not None:
            await self._serving


class GrpcServer:
    """Serve gRPC on an address."""

    def __init__(self, server: grpc.aio.Server, *, address: Address, tls: "TlsIdentity | None") -> None:
        """Bind the address.

        Raises:
            AddressUnavailable: it is taken or not this machine's.
        """
        self._server = server
        try:
            if tls is None:
                port = server.add_insecure_port(str(address))
            else:
                port = server.add_secure_port(str(address), tls.grpc_credentials())
        except RuntimeError as error:
            raise _unavailable(address, "The port cannot be bound", "--grpc") from error
        self.address = Address(address.host, port)

    async def start(self) -> None:
        """Accept connections from here on."""
        await self._server.start()

    async def stop(self) -> None:
        """Finish what is under way, then close."""
        await self._server.stop(STOP_GRACE_S)
