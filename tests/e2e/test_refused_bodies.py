import gzip
import json
import socket
import zlib
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing

import grpc
import pytest
import zstandard
from google.rpc import status_pb2

from homeostat_server.model.signal import Signal
from tests import otlp
from tests.e2e.tenants import JSON, at_once, call
from tests.running import PROTOBUF, Answer, Platform, running
from tests.waiting import until

pytestmark = pytest.mark.e2e

BODY_BYTES_MAX = 1 << 20
BOMB_BYTES = 512 << 20
BODY_TIMEOUT_S = 30.0  # what a sender has for its whole body
GOOD = otlp.logs(otlp.record()).SerializeToString()


@pytest.fixture(scope="module")
def platform(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Platform]:
    """Return a process that takes small bodies only, shared by all tests here."""
    data = tmp_path_factory.mktemp("refused") / "data"
    with running(data, ingest_body_bytes_max=BODY_BYTES_MAX) as process:
        yield process
        assert "Traceback" not in process.log()


def status_of(answer: Answer) -> tuple[int, str]:
    """Return code and message of the google.rpc.Status in an answer, in whichever format it is."""
    if answer.headers["content-type"] == "application/json":
        document = json.loads(answer.body)
        return document["code"], document["message"]
    assert answer.headers["content-type"] == "application/x-protobuf"
    status = status_pb2.Status.FromString(answer.body)
    return status.code, status.message


@pytest.mark.parametrize("headers", [PROTOBUF, JSON], ids=["protobuf", "json"])
@pytest.mark.parametrize("signal", list(Signal))
def test_a_body_that_cannot_be_parsed_is_a_400(platform: Platform, signal: Signal, headers: dict[str, str]) -> None:
    """The answer is a google.rpc.Status in the sender's own content type, with the reason and no retry."""
    for rubbish in (b"\xff", b"{", b"\x0a\xff\xff\xff\xff\x7f", b'{"resourceLogs": 1, "resourceSpans": 1} }'):
        answer = platform.post(signal, rubbish, headers)
        code, message = status_of(answer)
        assert (answer.status, code) == (400, grpc.StatusCode.INVALID_ARGUMENT.value[0])
        assert answer.headers["content-type"] == headers["Content-Type"]
        assert "decode the body" in message
        assert "retry-after" not in answer.headers


@pytest.mark.parametrize("headers", [PROTOBUF, JSON], ids=["protobuf", "json"])
def test_a_body_over_the_bound_is_a_413(platform: Platform, headers: dict[str, str]) -> None:
    """It says how large a body may be, whether its length was announced or not."""
    answer = platform.post("logs", bytes(BODY_BYTES_MAX + 1), headers)
    code, message = status_of(answer)
    assert (answer.status, code) == (413, grpc.StatusCode.RESOURCE_EXHAUSTED.value[0])
    assert answer.headers["content-type"] == headers["Content-Type"]
    assert f"A body may have {BODY_BYTES_MAX} bytes after decompression" in message


def test_a_message_over_the_bound_is_refused_by_grpc(platform: Platform) -> None:
    """What gRPC itself answers carries no time to retry, so exporters drop it; the next message is taken."""
    answer = call(platform, Signal.LOGS, bytes(BODY_BYTES_MAX + 1))
    assert answer.code is grpc.StatusCode.RESOURCE_EXHAUSTED
    assert "grpc-retry-pushback-ms" not in answer.trailing
    assert call(platform, Signal.LOGS, b"\xff").code is grpc.StatusCode.INVALID_ARGUMENT
    assert call(platform, Signal.LOGS, GOOD).code is grpc.StatusCode.OK


@pytest.mark.parametrize("content_type", ["text/plain", "", "application/x-protobuf-not", "application/grpc"])
def test_another_content_type_is_a_415(platform: Platform, content_type: str) -> None:
    """Whoever speaks neither is told in JSON what is spoken."""
    answer = platform.post("traces", GOOD, {"Content-Type": content_type})
    assert (answer.status, answer.headers["content-type"]) == (415, "application/json")
    assert "OTLP is application/x-protobuf or application/json" in status_of(answer)[1]


@pytest.mark.parametrize("headers", [PROTOBUF, JSON], ids=["protobuf", "json"])
def test_an_unknown_content_coding_is_a_415(platform: Platform, headers: dict[str, str]) -> None:
    """The codings that are understood are named, in the sender's content type."""
    answer = platform.post("traces", GOOD, {**headers, "Content-Encoding": "br"})
    assert (answer.status, answer.headers["content-type"]) == (415, headers["Content-Type"])
    assert "deflate, gzip, identity, zstd" in status_of(answer)[1]


BOMBS: dict[str, Callable[[bytes], bytes]] = {
    "gzip": lambda data: gzip.compress(data, 9),
    "deflate": lambda data: zlib.compress(data, 9),
    "zstd": zstandard.ZstdCompressor(level=19).compress,
}


@pytest.mark.parametrize("coding", list(BOMBS))
def test_a_zip_bomb_is_a_413_and_takes_no_memory(platform: Platform, coding: str) -> None:
    """Half a gigabyte of zeros, eight times at once: memory grows by the bound of each, not by what it promises."""
    bomb = BOMBS[coding](bytes(BOMB_BYTES))
    assert len(bomb) < BODY_BYTES_MAX
    before = resident_bytes(platform)
    answers = at_once(8, lambda _: platform.post("traces", bomb, {"Content-Encoding": coding}).status)
    assert answers == [413] * 8
    assert resident_bytes(platform) - before < 64 << 20
    assert platform.post("logs", GOOD).status == 200


def resident_bytes(platform: Platform) -> float:
    """Return the memory of the process."""
    return platform.metric("homeostat_process_resident_memory_bytes")


def send_head(platform: Platform, *, announced: int, rest: bytes = b"") -> socket.socket:
    """Begin a request that announces so many bytes, and send only `rest` of them."""
    connection = socket.create_connection(("127.0.0.1", platform.http_port))
    lines = ("POST /v1/logs HTTP/1.1", "Host: localhost", f"Content-Type: {PROTOBUF['Content-Type']}")
    head = "\r\n".join([*lines, f"Content-Length: {announced}", "", ""])
    connection.sendall(head.encode() + rest)
    return connection


def test_a_body_that_does_not_come_is_given_up(platform: Platform) -> None:
    """Two hundred senders that stop in the middle hold nobody up, little memory, and no place for longer than 30 s."""
    with ExitStack() as stack:
        slow = [stack.enter_context(closing(send_head(platform, announced=1000, rest=b"\x0a"))) for _ in range(200)]
        until(lambda: platform.metric("homeostat_ingest_inflight_requests") == 200)
        assert platform.metric("homeostat_ingest_inflight_bytes") == 200
        assert platform.post("logs", GOOD).status == 200
        for connection in slow:
            connection.settimeout(2 * BODY_TIMEOUT_S)
            assert connection.recv(12) == b"HTTP/1.1 400"
        until(lambda: platform.metric("homeostat_ingest_inflight_requests") == 0)


def test_an_announced_length_reserves_nothing(platform: Platform) -> None:
    """A length over the bound is refused before a byte of the body is read, and one of ten thousand digits as well."""
    for announced in (BODY_BYTES_MAX + 1, 10**17):
        with closing(send_head(platform, announced=announced)) as connection:
            connection.settimeout(10)
            assert connection.recv(12) == b"HTTP/1.1 413"


def test_connections_that_say_nothing_keep_nobody_out(platform: Platform) -> None:
    """Five hundred idle connections and half heads take no place of a request."""
    with ExitStack() as stack:
        for index in range(500):
            idle = stack.enter_context(closing(socket.create_connection(("127.0.0.1", platform.http_port))))
            idle.sendall(b"POST /v1/logs HTTP/1.1\r\nHost: loc"[: 34 * (index % 2)])
        assert platform.metric("homeostat_ingest_inflight_requests") == 0
        assert platform.post("logs", GOOD).status == 200


def test_rubbish_on_the_wire_is_refused_and_forgotten(platform: Platform) -> None:
    """What is no HTTP is answered with 400 or cut off; TLS, HTTP/2 and a second length among it."""
    wires = [
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(100),
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        b"GET / HTTP/9.9\r\n\r\n",
        b"POST /v1/logs HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab",
        b"POST /v1/logs HTTP/1.1\r\nContent-Length: -1\r\n\r\n",
        b"POST /v1/logs HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        b"\0" * 4096,
        b"A" * 200_000,
    ]
    for wire in wires:
        with closing(socket.create_connection(("127.0.0.1", platform.http_port), timeout=10)) as connection:
            assert said_on(connection, wire)[:12] in {b"", b"HTTP/1.1 400", b"HTTP/1.1 415"}, wire[:60]
    assert platform.post("logs", GOOD).status == 200
    assert platform.get("/health").json()["status"] == "ok"


def said_on(connection: socket.socket, wire: bytes) -> bytes:
    """Send bytes and return the first ones that come back; none when the connection is cut."""
    try:
        connection.sendall(wire)
        connection.shutdown(socket.SHUT_WR)
        return connection.recv(100)
    except (ConnectionError, TimeoutError):
        return b""
