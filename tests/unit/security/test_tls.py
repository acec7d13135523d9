import os
import socket
import ssl
import threading
from collections.abc import Callable
from concurrent import futures
from datetime import UTC, datetime
from pathlib import Path

import grpc
import pytest
import trustme
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    PrivateFormat,
    load_pem_private_key,
)

from homeostat_server.exceptions import TlsUnusable
from homeostat_server.runtime.clock import SystemClock
from homeostat_server.runtime.testing import ManualClock
from homeostat_server.security.tls import TlsIdentity, load_tls

_TIMEOUT_S = 20


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    """Return an authority of this module's own."""
    return trustme.CA()


@pytest.fixture
def certificate(authority: trustme.CA, tmp_path: Path) -> Path:
    """Return a certificate chain of `localhost`."""
    return _written(authority.issue_cert("localhost", "127.0.0.1"), tmp_path)


@pytest.fixture
def key(certificate: Path) -> Path:
    """Return the key of the certificate."""
    return certificate.with_suffix(".key")


@pytest.fixture
def client_ca(authority: trustme.CA, tmp_path: Path) -> Path:
    """Return the authority whose clients are let in."""
    file = tmp_path / "clients.pem"
    authority.cert_pem.write_to_path(str(file))
    return file


def _written(leaf: trustme.LeafCert, folder: Path, name: str = "server") -> Path:
    certificate = folder / f"{name}.pem"
    certificate.write_bytes(b"".join(blob.bytes() for blob in leaf.cert_chain_pems))
    leaf.private_key_pem.write_to_path(str(folder / f"{name}.key"))
    return certificate


def _load(certificate: Path, key: Path, client_ca: Path | None = None) -> TlsIdentity:
    identity = load_tls(certificate, key=key, client_ca=client_ca, clock=SystemClock())
    assert identity is not None
    return identity


def _clock_at(*moment: int) -> ManualClock:
    return ManualClock(now_ns=int(datetime(*moment, tzinfo=UTC).timestamp()) * 1_000_000_000)  # type: ignore[misc, arg-type]


def _trusting(authority: trustme.CA) -> ssl.SSLContext:
    context = ssl.create_default_context()
    authority.configure_trust(context)
    return context


def _talk(identity: TlsIdentity, client: ssl.SSLContext) -> str | None:
    """Shake hands over a socket pair and echo a byte; return the TLS version."""
    ours, theirs = socket.socketpair()
    ours.settimeout(_TIMEOUT_S)
    theirs.settimeout(_TIMEOUT_S)

    def serve() -> None:
        try:
            with identity.http_context().wrap_socket(theirs, server_side=True) as end:
                end.sendall(end.recv(1))
        except (ssl.SSLError, OSError):
            theirs.close()

    server = threading.Thread(target=serve)
    server.start()
    try:
        with client.wrap_socket(ours, server_hostname="localhost") as end:
            end.sendall(b"x")
            # With TLS 1.3 a refused client certificate is only noticed here.
            assert end.recv(1) == b"x"
            return end.version()
    finally:
        ours.close()
        server.join(_TIMEOUT_S)


def test_without_files_there_is_no_tls() -> None:
    """TLS is off unless it is asked for."""
    assert load_tls(None, key=None, clock=SystemClock()) is None


def test_half_of_the_files_is_an_error(certificate: Path, key: Path, client_ca: Path) -> None:
    """A certificate, its key: both or none; client certificates need both."""
    for given in ((certificate, None, None), (None, key, None), (None, None, client_ca)):
        with pytest.raises(TlsUnusable, match="together"):
            load_tls(given[0], key=given[1], client_ca=given[2], clock=SystemClock())


def test_a_client_is_served_over_tls(authority: trustme.CA, certificate: Path, key: Path) -> None:
    """The files make a server that a client which trusts the authority talks to."""
    assert _talk(_load(certificate, key), _trusting(authority)) == "TLSv1.3"


def test_tls_1_2_is_the_oldest(authority: trustme.CA, certificate: Path, key: Path) -> None:
    """TLS 1.2 is spoken, older versions are not."""
    client = _trusting(authority)
    client.maximum_version = ssl.TLSVersion.TLSv1_2
    identity = _load(certificate, key)
    assert _talk(identity, client) == "TLSv1.2"
    assert identity.http_context().minimum_version == ssl.TLSVersion.TLSv1_2


def test_clients_must_show_a_certificate_when_asked(
    authority: trustme.CA, certificate: Path, key: Path, client_ca: Path
) -> None:
    """With a client authority, a client with its certificate is served; without one, or with another's, it is not."""
    identity = _load(certificate, key, client_ca)
    good, stranger = _trusting(authority), _trusting(authority)
    authority.issue_cert("client@example.org").configure_cert(good)
    trustme.CA().issue_cert("client@example.org").configure_cert(stranger)
    assert _talk(identity, good) == "TLSv1.3"
    for refused in (stranger, _trusting(authority)):
        with pytest.raises((ssl.SSLError, OSError)):
            _talk(identity, refused)


def _grpc_echo(identity: TlsIdentity, client: grpc.ChannelCredentials) -> bytes:
    handler = grpc.method_handlers_generic_handler(
        "echo.Echo", {"Say": grpc.unary_unary_rpc_method_handler(lambda request, _: request)}
    )
    server = grpc.server(futures.ThreadPoolExecutor(1))
    server.add_generic_rpc_handlers((handler,))
    port = server.add_secure_port("127.0.0.1:0", identity.grpc_credentials())
    server.start()
    try:
        with grpc.secure_channel(f"127.0.0.1:{port}", client) as channel:
            say: grpc.UnaryUnaryMultiCallable[bytes, bytes] = channel.unary_unary("/echo.Echo/Say")
            return say(b"hello", timeout=_TIMEOUT_S)
    finally:
        server.stop(None).wait(_TIMEOUT_S)


def test_grpc_speaks_tls_with_the_same_files(authority: trustme.CA, certificate: Path, key: Path) -> None:
    """The same files serve gRPC clients."""
    client = grpc.ssl_channel_credentials(authority.cert_pem.bytes())
    assert _grpc_echo(_load(certificate, key), client) == b"hello"


def test_grpc_demands_client_certificates_too(
    authority: trustme.CA, certificate: Path, key: Path, client_ca: Path
) -> None:
    """With a client authority a gRPC client without a certificate is refused, one with it is served."""
    identity, root = _load(certificate, key, client_ca), authority.cert_pem.bytes()
    leaf = authority.issue_cert("client@example.org")
    good = grpc.ssl_channel_credentials(root, leaf.private_key_pem.bytes(), leaf.cert_chain_pems[0].bytes())
    assert _grpc_echo(identity, good) == b"hello"
    with pytest.raises(grpc.RpcError):
        _grpc_echo(identity, grpc.ssl_channel_credentials(root))


def test_when_the_certificate_ends_is_known(authority: trustme.CA, tmp_path: Path) -> None:
    """The end is there for whoever warns before it comes."""
    end = datetime(2037, 5, 4, 3, 2, 1, tzinfo=UTC)
    certificate = _written(authority.issue_cert("localhost", not_after=end), tmp_path)
    assert _load(certificate, certificate.with_suffix(".key")).expires_at == end


def test_no_key_is_shown(certificate: Path, key: Path) -> None:
    """What is logged of it holds the paths, not the key."""
    assert "PRIVATE" not in repr(_load(certificate, key))


@pytest.mark.parametrize("missing", ["certificate", "key", "client_ca"])
def test_a_missing_file_is_named(certificate: Path, key: Path, client_ca: Path, missing: str) -> None:
    """The error names the file and the operating system's reason."""
    files = {"certificate": certificate, "key": key, "client_ca": client_ca, missing: Path("/nowhere/file.pem")}
    with pytest.raises(TlsUnusable, match=r"/nowhere/file\.pem: No such file"):
        _load(**files)


@pytest.mark.skipif(os.geteuid() == 0, reason="root reads every file")
def test_a_file_that_may_not_be_read_is_named(certificate: Path, key: Path) -> None:
    """A key of another user is named with the reason."""
    key.chmod(0)
    with pytest.raises(TlsUnusable, match="Permission denied"):
        _load(certificate, key)


@pytest.mark.parametrize("broken", ["certificate", "key", "client_ca"])
@pytest.mark.parametrize("content", [b"", b"\xff\x00 nothing", b"-----BEGIN CERTIFICATE-----\nAAAA\n"])
def test_a_file_of_something_else_is_named(
    certificate: Path, key: Path, client_ca: Path, *, broken: str, content: bytes
) -> None:
    """A file that holds no PEM of its kind is named, with what it should hold."""
    files = {"certificate": certificate, "key": key, "client_ca": client_ca}
    files[broken].write_bytes(content)
    with pytest.raises(TlsUnusable, match=f"{files[broken].name}.*-----BEGIN"):
        _load(**files)


def test_another_certificate_s_key_is_refused(authority: trustme.CA, certificate: Path, tmp_path: Path) -> None:
    """A key that does not belong to the certificate is found before anything listens."""
    other = _written(authority.issue_cert("localhost"), tmp_path, name="other").with_suffix(".key")
    with pytest.raises(TlsUnusable, match="use this key with this certificate"):
        _load(certificate, other)


def test_a_key_with_a_password_is_refused(certificate: Path, key: Path) -> None:
    """Nobody is there to type the password, so the error says how to remove it."""
    private = load_pem_private_key(key.read_bytes(), password=None)
    key.write_bytes(private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(b"secret")))
    with pytest.raises(TlsUnusable, match="needs a password"):
        _load(certificate, key)


@pytest.mark.parametrize(
    ("clock", "reason"), [(_clock_at(3500, 1, 1), "expired certificate"), (_clock_at(1999, 1, 1), "before its time")]
)
def test_a_certificate_out_of_its_time_is_refused(
    certificate: Path, key: Path, clock: ManualClock, reason: str
) -> None:
    """Neither an expired certificate nor one of the future is served, and the error gives the date."""
    with pytest.raises(TlsUnusable, match=rf"{reason}: .*server\.pem: valid (until|from) \d{{4}}-"):
        load_tls(certificate, key=key, clock=clock)


def test_an_expired_client_authority_is_refused(certificate: Path, key: Path, client_ca: Path, tmp_path: Path) -> None:
    """An authority that could let nobody in is an error at start; beside a valid one it is tolerated."""
    short = _written(trustme.CA().issue_cert("old", not_after=datetime(2021, 1, 1, tzinfo=UTC)), tmp_path, name="old")
    old = short.read_bytes().partition(b"-----END CERTIFICATE-----\n")
    expired = old[0] + old[1]
    short.write_bytes(expired)
    with pytest.raises(TlsUnusable, match="expired client authority"):
        _load(certificate, key, short)
    client_ca.write_bytes(expired + client_ca.read_bytes())
    assert _load(certificate, key, client_ca).client_ca_pem is not None


@pytest.mark.parametrize("change", [lambda key: key.unlink(), lambda key: key.write_bytes(b"")])
def test_files_that_change_after_the_check_are_named(
    certificate: Path, key: Path, change: Callable[[Path], object]
) -> None:
    """What OpenSSL itself refuses is still an error of the tree that names the file."""
    identity = _load(certificate, key)
    change(key)
    with pytest.raises(TlsUnusable, match=r"set up TLS: .*server\.pem"):
        identity.http_context()
