import asyncio
import socket
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing
from pathlib import Path
from typing import Any

import grpc
import httpx
import pytest

from homeostat.settings.kinds import Address
from homeostat_server.exceptions import AddressUnavailable
from homeostat_server.runtime.clock import SystemClock
from homeostat_server.security.tls import TlsIdentity, load_tls
from homeostat_server.server.listening import GrpcServer, HttpServer, bind
from tests.certificates import Certificate, issue

pytestmark = pytest.mark.timeout(60)

ANYWHERE = Address("127.0.0.1", 0)


class Slow:
    """Answer a request when the test says so, over HTTP and gRPC."""

    def __init__(self) -> None:
        """Let requests wait."""
        self.came = asyncio.Event()
        self.may_end = asyncio.Event()

    async def app(self, scope: Any, receive: Any, send: Any) -> None:  # noqa: ANN401 - as ASGI has it
        """Serve one HTTP request."""
        del scope, receive
        await self._wait()
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"done"})

    def grpc(self) -> grpc.aio.Server:
        """Return a server with one method, `/slow/Call`."""

        async def call(body: bytes, _context: object) -> bytes:
            await self._wait()
            return body

        handler: grpc.RpcMethodHandler[bytes, bytes] = grpc.unary_unary_rpc_method_handler(call)
        server = grpc.aio.server(options=[("grpc.so_reuseport", 0)])
        server.add_generic_rpc_handlers([grpc.method_handlers_generic_handler("slow", {"Call": handler})])
        return server

    async def _wait(self) -> None:
        self.came.set()
        await self.may_end.wait()


@pytest.fixture
async def slow() -> Slow:
    """Return what answers late."""
    return Slow()


@pytest.fixture
def certificate(tmp_path: Path) -> Certificate:
    """Return a certificate for localhost."""
    return issue(tmp_path)


@pytest.fixture
def identity(certificate: Certificate) -> TlsIdentity:
    """Return it as the servers take it."""
    loaded = load_tls(certificate.certificate, key=certificate.key, clock=SystemClock())
    assert loaded is not None
    return loaded


@asynccontextmanager
async def serving(slow: Slow, tls: TlsIdentity | None = None) -> AsyncIterator[tuple[HttpServer, Address]]:
    """Give an HTTP server that accepts, and its address; stop it when the test has not."""
    with closing(bind(ANYWHERE)) as bound:
        host, port = bound.getsockname()
        server = HttpServer(slow.app, bound=bound, tls=tls)
        await server.start()
        try:
            yield server, Address(host, port)
        finally:
            slow.may_end.set()
            await server.stop()


async def get(address: Address, *, scheme: str = "http", trust: ssl.SSLContext | None = None) -> str:
    """Return the answer to a request."""
    async with httpx.AsyncClient(verify=trust or False, trust_env=False) as client:
        return (await client.get(f"{scheme}://{address}/")).text


async def call(channel: grpc.aio.Channel) -> bytes:
    """Return the answer to a call."""
    method: grpc.aio.UnaryUnaryMultiCallable[bytes, bytes] = channel.unary_unary("/slow/Call")
    return await method(b"done")


async def test_http_finishes_what_is_under_way(slow: Slow) -> None:
    """A stop waits for the answer of a request that has come, and takes no other."""
    async with serving(slow) as (server, address):
        asking = asyncio.create_task(get(address))
        await slow.came.wait()
        stopping = asyncio.create_task(server.stop())
        await asyncio.sleep(0)
        assert not stopping.done()
        slow.may_end.set()
        assert await asking == "done"
        await stopping
        with pytest.raises(httpx.ConnectError):
            await get(address)


async def test_grpc_finishes_what_is_under_way(slow: Slow) -> None:
    """A stop waits for the answer of a call that has come, and takes no other."""
    server = GrpcServer(slow.grpc(), address=ANYWHERE, tls=None)
    await server.start()
    async with grpc.aio.insecure_channel(str(server.address)) as channel:
        calling = asyncio.create_task(call(channel))
        await slow.came.wait()
        stopping = asyncio.create_task(server.stop())
        await asyncio.sleep(0)
        assert not stopping.done()
        slow.may_end.set()
        assert await calling == b"done"
        await stopping
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await call(channel)
    assert caught.value.code() is grpc.StatusCode.UNAVAILABLE


async def test_a_server_that_never_started_can_be_stopped(slow: Slow) -> None:
    """A start that fails between building and starting stops it all the same."""
    with closing(bind(ANYWHERE)) as bound:
        await HttpServer(slow.app, bound=bound, tls=None).stop()


async def test_an_idle_connection_outlives_the_pause_between_exports(slow: Slow) -> None:
    """An SDK sends metrics every minute: a connection closed just then would cost it a request."""
    with bind(ANYWHERE) as bound:
        server = HttpServer(slow.app, bound=bound, tls=None)
        assert server._server.config.timeout_keep_alive > 60


async def test_http_speaks_tls(slow: Slow, certificate: Certificate, identity: TlsIdentity) -> None:
    """With a certificate the same port answers over TLS."""
    slow.may_end.set()
    trust = ssl.create_default_context(cafile=str(certificate.authority))
    async with serving(slow, identity) as (_, address):
        assert await get(address, scheme="https", trust=trust) == "done"


async def test_grpc_speaks_tls(slow: Slow, certificate: Certificate, identity: TlsIdentity) -> None:
    """With a certificate a channel has to be a secure one."""
    slow.may_end.set()
    server = GrpcServer(slow.grpc(), address=ANYWHERE, tls=identity)
    await server.start()
    trust = grpc.ssl_channel_credentials(certificate.authority.read_bytes())
    async with grpc.aio.secure_channel(f"localhost:{server.address.port}", trust) as channel:
        assert await call(channel) == b"done"
    await server.stop()


def test_a_taken_port_is_named() -> None:
    """The error has the address and the flag that changes it."""
    with closing(socket.create_server(("127.0.0.1", 0))) as other:
        address = Address("127.0.0.1", other.getsockname()[1])
        with pytest.raises(AddressUnavailable, match="--http") as caught:
            bind(address)
    assert caught.value.value == str(address)


def test_an_address_of_another_machine_is_named() -> None:
    """192.0.2.0/24 is documentation's: nobody has an address of it."""
    with pytest.raises(AddressUnavailable, match=r"192\.0\.2\.1"):
        bind(Address("192.0.2.1", 0))


async def test_a_port_taken_between_binding_and_listening_is_named(slow: Slow) -> None:
    """Two processes can bind one port, and only one of them can listen: the other says so as for any taken port."""
    with closing(bind(ANYWHERE)) as bound, closing(socket.socket()) as other:
        other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        other.bind(bound.getsockname())
        other.listen()
        with pytest.raises(AddressUnavailable, match="--http"):
            await HttpServer(slow.app, bound=bound, tls=None).start()


async def test_a_taken_port_is_named_by_grpc(slow: Slow) -> None:
    """The error has the address and the flag that changes it."""
    with closing(socket.create_server(("127.0.0.1", 0))) as other:
        address = Address("127.0.0.1", other.getsockname()[1])
        with pytest.raises(AddressUnavailable, match="--grpc"):
            GrpcServer(slow.grpc(), address=address, tls=None)
