import gzip
import socket
import ssl
import threading
from pathlib import Path
from typing import Any

import pytest
import trustme

from homeostat.buffer import Record
from homeostat.export import ExportConfig
from homeostat.export.http import HttpTransport
from homeostat.export.outcomes import Verdict
from tests.unit.sdk.export.servers import Script, free_port, listening, serving

RECORD = Record("traces", 3, b"request")


def transport(
    port: int,
    *,
    scheme: str = "http",
    proxies: dict[str, str] | None = None,
    **config: Any,  # noqa: ANN401 - fields of the configuration
) -> HttpTransport:
    """Return a transport to a port."""
    return HttpTransport(
        ExportConfig(endpoint=f"{scheme}://127.0.0.1:{port}", **config), user_agent="test/1", proxies=proxies or {}
    )


def test_a_request_is_what_otlp_says() -> None:
    """POST of protobuf to the signal's path, with the headers that were asked for."""
    script = Script()
    with serving(script) as port:
        sender = transport(port, headers={"Authorization": "Bearer key"})
        assert sender.send(RECORD, timeout_s=5).verdict is Verdict.TAKEN
        sender.send(Record("logs", 1, b""), timeout_s=5)
        sender.close()
    first, second = script.asked
    assert (first.path, first.body) == ("/v1/traces", b"request")
    assert first.headers["content-type"] == "application/x-protobuf"
    assert first.headers["authorization"] == "Bearer key"
    assert first.headers["user-agent"] == "test/1"
    assert (second.path, second.body) == ("/v1/logs", b"")


def test_one_connection_serves_many_requests() -> None:
    """It is kept open between them."""
    script = Script(body=b"")
    with serving(script) as port:
        sender = transport(port)
        for _ in range(5):
            sender.send(RECORD, timeout_s=5)
        assert len({asked.port for asked in script.asked}) == 1
        sender.close()


def test_a_connection_that_was_closed_meanwhile_is_no_failure() -> None:
    """Servers end idle connections; the request is sent again at once on a new one."""
    script = Script(closes=True)
    with serving(script) as port:
        sender = transport(port)
        assert [sender.send(RECORD, timeout_s=5).verdict for _ in range(3)] == [Verdict.TAKEN] * 3
        sender.close()


def test_compression_is_on_request() -> None:
    """The body is gzip, and says so."""
    script = Script()
    with serving(script) as port:
        sender = transport(port, compression="gzip")
        sender.send(Record("traces", 1, b"request" * 100), timeout_s=5)
        sender.close()
    assert script.asked[0].headers["content-encoding"] == "gzip"
    assert gzip.decompress(script.asked[0].body) == b"request" * 100


@pytest.mark.parametrize(("status", "verdict"), [(503, Verdict.NOT_NOW), (400, Verdict.REFUSED)])
def test_the_answer_decides(status: int, verdict: Verdict) -> None:
    """Status, Retry-After and text become an outcome."""
    script = Script(status=status, body=b"because", headers={"Retry-After": "7"})
    with serving(script) as port:
        sender = transport(port)
        outcome = sender.send(RECORD, timeout_s=5)
        sender.close()
    assert (outcome.verdict, outcome.retry_after_s, outcome.message) == (verdict, 7.0, "because")


def test_an_answer_of_monstrous_length_is_not_read() -> None:
    """The connection goes instead, and the next request has its own."""
    script = Script(body=b"x" * (1 << 20))
    with serving(script) as port:
        sender = transport(port)
        assert sender.send(RECORD, timeout_s=5).verdict is Verdict.TAKEN
        assert sender.send(RECORD, timeout_s=5).verdict is Verdict.TAKEN
        assert len({asked.port for asked in script.asked}) == 2
        sender.close()


def test_nobody_there_is_not_now() -> None:
    """A closed port is a failure that passes."""
    outcome = transport(free_port()).send(RECORD, timeout_s=5)
    assert (outcome.verdict, outcome.reason) == (Verdict.NOT_NOW, "unreachable")
    assert "refused" in outcome.message


def test_a_server_that_says_nothing_has_its_time() -> None:
    """No answer within the time-out is a failure that passes."""
    held = threading.Event()

    def hold(_: socket.socket) -> None:
        held.wait(30)

    with listening(hold) as port:
        outcome = transport(port).send(RECORD, timeout_s=0.1)
        held.set()
    assert (outcome.verdict, outcome.reason) == (Verdict.NOT_NOW, "timeout")


def test_a_server_that_speaks_another_language_is_not_now() -> None:
    """It may be a mistake of a moment, such as a port that moved."""

    def mumble(connection: socket.socket) -> None:
        connection.recv(65536)
        connection.sendall(b"SSH-2.0-OpenSSH\r\n")

    with listening(mumble) as port:
        outcome = transport(port).send(RECORD, timeout_s=5)
    assert (outcome.verdict, outcome.reason) == (Verdict.NOT_NOW, "unreachable")


def test_a_header_that_http_does_not_allow_raises_nothing() -> None:
    """It is told as what it is."""
    script = Script()
    with serving(script) as port:
        outcome = transport(port, headers={"X": "a\nb"}).send(RECORD, timeout_s=5)
    assert outcome.verdict is Verdict.NOT_NOW
    assert "Invalid header value" in outcome.message


class Authority:
    """Issue certificates for servers and clients, and write them down."""

    def __init__(self, folder: Path) -> None:
        """Begin with one of its own."""
        self._authority = trustme.CA()
        self._folder = folder
        self.file = folder / "ca.pem"
        self._authority.cert_pem.write_to_path(str(self.file))

    def server(self, *, asks_for_clients: bool) -> ssl.SSLContext:
        """Return what a server on localhost shows."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._authority.issue_cert("127.0.0.1").configure_cert(context)
        if asks_for_clients:
            context.verify_mode = ssl.CERT_REQUIRED
            self._authority.configure_trust(context)
        return context

    def client(self) -> tuple[Path, Path]:
        """Return files of a client's certificate and key."""
        issued = self._authority.issue_cert("client")
        certificate, key = self._folder / "client.pem", self._folder / "client.key"
        issued.cert_chain_pems[0].write_to_path(str(certificate))
        issued.private_key_pem.write_to_path(str(key))
        return certificate, key


def test_tls_trusts_whom_it_is_told_to(tmp_path: Path) -> None:
    """With the authority's file it delivers, without it it does not."""
    authority, script = Authority(tmp_path), Script()
    with serving(script, tls=authority.server(asks_for_clients=False)) as port:
        trusting = transport(port, scheme="https", certificate=authority.file)
        assert trusting.send(RECORD, timeout_s=5).verdict is Verdict.TAKEN
        trusting.close()
        outcome = transport(port, scheme="https").send(RECORD, timeout_s=5)
    assert outcome.verdict is Verdict.NOT_NOW
    assert "certificate verify failed" in outcome.message
    assert len(script.asked) == 1


def test_tls_shows_the_clients_certificate(tmp_path: Path) -> None:
    """A server that asks for one takes it."""
    authority, script = Authority(tmp_path), Script()
    certificate, key = authority.client()
    with serving(script, tls=authority.server(asks_for_clients=True)) as port:
        sender = transport(
            port, scheme="https", certificate=authority.file, client_certificate=certificate, client_key=key
        )
        assert sender.send(RECORD, timeout_s=5).verdict is Verdict.TAKEN
        sender.close()


def test_a_missing_certificate_raises_nothing(tmp_path: Path) -> None:
    """It may come; until then nothing is delivered."""
    outcome = transport(1, scheme="https", certificate=tmp_path / "none.pem").send(RECORD, timeout_s=5)
    assert (outcome.verdict, outcome.reason) == (Verdict.NOT_NOW, "unreachable")


def test_a_proxy_is_asked_with_the_whole_url() -> None:
    """As HTTP says it; hosts that need none go directly."""
    script = Script()
    with serving(script) as proxy:
        port = free_port()
        through = transport(port, proxies={"http": f"127.0.0.1:{proxy}"})
        assert through.send(RECORD, timeout_s=5).verdict is Verdict.TAKEN
        through.close()
        direct = transport(port, proxies={"http": f"http://127.0.0.1:{proxy}", "no": "127.0.0.1"})
        assert direct.send(RECORD, timeout_s=5).verdict is Verdict.NOT_NOW
    assert [asked.path for asked in script.asked] == [f"http://127.0.0.1:{port}/v1/traces"]


def test_a_proxy_makes_a_tunnel_for_tls() -> None:
    """It sees the host, not the request."""
    seen: list[bytes] = []

    def refuse(connection: socket.socket) -> None:
        seen.append(connection.recv(65536))
        connection.sendall(b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n")

    with listening(refuse) as proxy:
        sender = transport(4318, scheme="https", proxies={"all": f"http://127.0.0.1:{proxy}"})
        outcome = sender.send(RECORD, timeout_s=5)
    assert seen[0].startswith(b"CONNECT 127.0.0.1:4318 ")
    assert b"request" not in seen[0]
    assert "Tunnel connection failed" in outcome.message


def test_proxies_are_found_in_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """And only when nothing else was said."""
    script = Script()
    with serving(script) as proxy:
        monkeypatch.setenv("http_proxy", f"http://127.0.0.1:{proxy}")
        monkeypatch.delenv("no_proxy", raising=False)
        sender = HttpTransport(ExportConfig(endpoint="http://example.invalid"), user_agent="test")
        assert sender.send(RECORD, timeout_s=5).verdict is Verdict.TAKEN
        sender.close()
        monkeypatch.delenv("http_proxy")
        direct = HttpTransport(ExportConfig(endpoint=f"http://127.0.0.1:{proxy}"), user_agent="test")
        assert direct.send(RECORD, timeout_s=5).verdict is Verdict.TAKEN
        direct.before_fork()
        direct.abandon()
    assert [asked.path for asked in script.asked] == ["http://example.invalid/v1/traces", "/v1/traces"]
