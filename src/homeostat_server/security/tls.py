"""TLS from files on disk, for the HTTP and the gRPC server. It knows no settings and listens nowhere.

Everything that can be wrong with the files is found before anything listens, and named.
"""

import ssl
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import grpc
from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from homeostat_server.exceptions import TlsUnusable
from homeostat_server.runtime.clock import Clock

_NS_PER_S: Final = 1_000_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class TlsIdentity:
    """Hold what the servers show to clients and, with `client_ca_pem`, whose certificates they demand from them."""

    certificate_file: Path
    key_file: Path
    certificate_pem: bytes = field(repr=False)
    key_pem: bytes = field(repr=False)
    client_ca_pem: bytes | None = field(default=None, repr=False)
    expires_at: datetime

    def http_context(self) -> ssl.SSLContext:
        """Return the context for the HTTP server: TLS 1.2 or newer.

        Raises:
            TlsUnusable: OpenSSL refuses the files for a reason of its own (a key that is too short, an old signature).
        """
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        context.set_alpn_protocols(["http/1.1"])
        try:
            # No password is asked for: the key was read without one a moment ago.
            context.load_cert_chain(self.certificate_file, self.key_file, password="")
            if self.client_ca_pem is not None:
                context.load_verify_locations(cadata=self.client_ca_pem.decode("ascii"))
                context.verify_mode = ssl.CERT_REQUIRED
        except (OSError, ValueError) as error:
            raise TlsUnusable("set up TLS", value=f"{self.certificate_file}: {error}") from error
        return context

    def grpc_credentials(self) -> grpc.ServerCredentials:
        """Return the credentials for the gRPC server; gRPC itself takes nothing older than TLS 1.2."""
        return grpc.ssl_server_credentials(
            [(self.key_pem, self.certificate_pem)],
            root_certificates=self.client_ca_pem,
            require_client_auth=self.client_ca_pem is not None,
        )


def load_tls(
    certificate: Path | None, *, key: Path | None, client_ca: Path | None = None, clock: Clock
) -> TlsIdentity | None:
    """Return what the files hold, None when TLS is not asked for.

    Args:
        certificate: PEM file, the server's certificate first, then the chain.
        key: PEM file with its private key, without a password.
        client_ca: PEM file with authorities; clients must show a certificate of one of them.
        clock: says whether certificates are valid now.

    Raises:
        TlsUnusable: a file is missing, cannot be read, is no PEM of its kind, needs a password, is not valid at this
            time, or the key belongs to another certificate.
    """
    if certificate is None and key is None and client_ca is None:
        return None
    if certificate is None or key is None:
        hint = "Give tls_certificate and tls_key together; tls_client_ca needs both."
        raise TlsUnusable("use TLS without a certificate and its key", hint=hint)
    now = datetime.fromtimestamp(clock.now_ns() // _NS_PER_S, tz=UTC)
    certificate_pem, key_pem = _read(certificate, "TLS certificate"), _read(key, "TLS key")
    own = _certificates(certificate_pem, file=certificate, kind="TLS certificate")[0]
    _refuse_invalid_now(own, file=certificate, now=now)
    _refuse_other_key(own, key_pem, certificate_file=certificate, key=key)
    return TlsIdentity(
        certificate_file=certificate,
        key_file=key,
        certificate_pem=certificate_pem,
        key_pem=key_pem,
        client_ca_pem=None if client_ca is None else _client_ca(client_ca, now=now),
        expires_at=own.not_valid_after_utc,
    )


def _read(file: Path, kind: str) -> bytes:
    try:
        return file.read_bytes()
    except OSError as error:
        hint = "Check the path and that this user may read it."
        raise TlsUnusable(f"read the {kind}", value=f"{file}: {error.strerror}", hint=hint) from error


def _certificates(pem: bytes, *, file: Path, kind: str) -> list[x509.Certificate]:
    try:
        return x509.load_pem_x509_certificates(pem)
    except ValueError as error:
        hint = "The file must hold certificates in PEM form (-----BEGIN CERTIFICATE-----)."
        raise TlsUnusable(f"find a certificate in the {kind} file", value=str(file), hint=hint) from error


def _refuse_invalid_now(certificate: x509.Certificate, *, file: Path, now: datetime) -> None:
    first, last = certificate.not_valid_before_utc, certificate.not_valid_after_utc
    if now > last:
        raise TlsUnusable("use an expired certificate", value=f"{file}: valid until {_shown(last)}", hint="Renew it.")
    if now < first:
        hint = "Check this machine's clock."
        raise TlsUnusable("use a certificate before its time", value=f"{file}: valid from {_shown(first)}", hint=hint)


def _refuse_other_key(certificate: x509.Certificate, key_pem: bytes, *, certificate_file: Path, key: Path) -> None:
    try:
        public = serialization.load_pem_private_key(key_pem, password=None).public_key()
    except TypeError as error:
        hint = "Remove it: openssl pkey -in KEY -out KEY.plain; keep the file readable for this user only."
        raise TlsUnusable("use a TLS key that needs a password", value=str(key), hint=hint) from error
    except (ValueError, UnsupportedAlgorithm) as error:
        kind = "-----BEGIN PRIVATE KEY-----"  # pragma: allowlist secret
        hint = f"The file must hold one private key in PEM form ({kind})."
        raise TlsUnusable("find a private key in the TLS key file", value=str(key), hint=hint) from error
    form = (Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    if public.public_bytes(*form) != certificate.public_key().public_bytes(*form):
        hint = "In the certificate file the server's own certificate comes first, then the chain."
        raise TlsUnusable("use this key with this certificate", value=f"{key}, {certificate_file}", hint=hint)


def _client_ca(file: Path, *, now: datetime) -> bytes:
    """Return the authorities; expired ones are tolerated beside a valid one, as a rotation leaves them."""
    pem = _read(file, "TLS client authority")
    last = max(one.not_valid_after_utc for one in _certificates(pem, file=file, kind="TLS client authority"))
    if now > last:
        shown = f"{file}: valid until {_shown(last)}"
        raise TlsUnusable("use an expired client authority", value=shown, hint="Renew it.")
    return pem


def _shown(moment: datetime) -> str:
    return moment.isoformat(timespec="minutes")
