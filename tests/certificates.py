"""Certificates of an authority of a test's own, as files. It starts nothing."""

from dataclasses import dataclass
from pathlib import Path

import trustme


@dataclass(frozen=True, slots=True, kw_only=True)
class Certificate:
    """Name the files of a server's certificate for localhost, and of the authority that vouches for it."""

    certificate: Path
    key: Path
    authority: Path

    def settings(self) -> dict[str, str]:
        """Return the settings that turn TLS on with it."""
        return {"tls_certificate": str(self.certificate), "tls_key": str(self.key)}


def issue(folder: Path) -> Certificate:
    """Write a certificate for localhost into a folder: `cert.pem`, `key.pem`, and `ca.pem`."""
    authority = trustme.CA()
    leaf = authority.issue_cert("localhost", "127.0.0.1")
    made = Certificate(certificate=folder / "cert.pem", key=folder / "key.pem", authority=folder / "ca.pem")
    made.certificate.write_bytes(b"".join(blob.bytes() for blob in leaf.cert_chain_pems))
    leaf.private_key_pem.write_to_path(str(made.key))
    authority.cert_pem.write_to_path(str(made.authority))
    return made
