"""OTLP over HTTP/1.1 with the standard library, one connection kept open. It knows no retry and no other request.

`http.client` and what it needs are imported with the first request, not with the SDK.
"""

import os
import time
import zlib
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Final
from urllib.parse import SplitResult, urlsplit

from homeostat.buffer import Record
from homeostat.export.config import ExportConfig
from homeostat.export.outcomes import Outcome, Verdict, cut, outcome_of_http
from homeostat.process.imports import LATE_IMPORTS

if TYPE_CHECKING:
    import ssl
    from http.client import HTTPConnection

_ANSWER_BYTES_MAX: Final = 64 << 10
_GZIP: Final = 31  # zlib's word for a gzip wrapper around a window of 32 KiB
_GZIP_LEVEL: Final = 1  # three times faster than the usual 6 for a tenth more bytes
_NEEDED: Final = ("http.client", "email.utils", "encodings.idna")
"""What a request, its answer and the look-up of a host import, some of it deep inside."""

_PROXY_VARIABLES: Final = ("http_proxy", "https_proxy", "all_proxy")


class HttpTransport:
    """Send requests with POST; implements `Transport`.

    Args:
        config: where to, with which headers and certificates.
        user_agent: who says to be sending.
        proxies: proxies by scheme, and under `no` the hosts without; without it those of the environment.
        wall_s: the time of day, for dates in answers.
    """

    def __init__(
        self,
        config: ExportConfig,
        *,
        user_agent: str,
        proxies: Mapping[str, str] | None = None,
        wall_s: Callable[[], float] = time.time,
    ) -> None:
        """Connect to nothing yet."""
        self._config = config
        self._proxies = proxies
        self._wall_s = wall_s
        self._headers = {
            "Content-Type": "application/x-protobuf",
            "User-Agent": user_agent,
            **({"Content-Encoding": "gzip"} if config.compression == "gzip" else {}),
            **config.headers,
        }
        self._urls: dict[str, SplitResult] = {}
        self._connections: dict[tuple[str, str], HTTPConnection] = {}
        self._tls: ssl.SSLContext | None = None
        self._is_loaded = False

    def send(self, record: Record, *, timeout_s: float) -> Outcome:
        """Deliver a request."""
        if not self._is_loaded:
            LATE_IMPORTS.load(*_NEEDED)
            self._is_loaded = True
        from http.client import HTTPException  # noqa: PLC0415 - costs an import that a program may never need

        url = self._urls.get(record.signal)
        if url is None:
            url = self._urls[record.signal] = self._config.url(record.signal)
        body = _gzipped(record.body) if self._config.compression == "gzip" else record.body
        try:
            return self._sent(url, body, timeout_s)
        except TimeoutError:
            reason, message = "timeout", ""
        except (OSError, HTTPException, ValueError) as error:  # ValueError: a header that HTTP does not allow
            reason, message = "unreachable", cut(f"{type(error).__name__}: {error}")
        self._drop(url)
        return Outcome(verdict=Verdict.NOT_NOW, reason=reason, message=message)

    def close(self) -> None:
        """End the connections."""
        for connection in self._connections.values():
            connection.close()
        self._connections.clear()

    def before_fork(self) -> None:
        """Keep the connections: the child forgets its copies."""

    def abandon(self) -> None:
        """Close the copies of the parent's sockets; nothing is said on them, so the parent's go on."""
        self.close()

    def _sent(self, url: SplitResult, body: bytes, timeout_s: float) -> Outcome:
        key = (url.scheme, url.netloc)
        if key in self._connections:
            try:
                return self._exchanged(self._connections[key], url, body, timeout_s)
            except TimeoutError:
                raise
            except OSError:
                # The server may end an idle connection just as it is used again, with TLS in several ways; that says
                # nothing about its health.
                self._drop(url)
        connection = self._connections[key] = self._connection(url, timeout_s)
        return self._exchanged(connection, url, body, timeout_s)

    def _exchanged(self, connection: "HTTPConnection", url: SplitResult, body: bytes, timeout_s: float) -> Outcome:
        connection.timeout = timeout_s
        if connection.sock is not None:
            connection.sock.settimeout(timeout_s)
        target = url.path + (f"?{url.query}" if url.query else "")
        if url.scheme == "http" and self._proxy(url) is not None:
            target = f"http://{url.netloc}{target}"
        connection.request("POST", target or "/", body, self._headers)
        with connection.getresponse() as response:
            content = response.read(_ANSWER_BYTES_MAX)
            is_whole = response.isclosed()
            outcome = outcome_of_http(
                response.status, content, retry_after=response.getheader("Retry-After"), wall_s=self._wall_s
            )
        if not is_whole:
            self._drop(url)
        return outcome

    def _connection(self, url: SplitResult, timeout_s: float) -> "HTTPConnection":
        from http.client import HTTPConnection, HTTPSConnection  # noqa: PLC0415 - as above

        proxy = self._proxy(url)
        host, port = (proxy.hostname, proxy.port) if proxy is not None else (url.hostname, url.port)
        assert host is not None  # checked when the configuration was made
        if url.scheme == "http":
            return HTTPConnection(host, port, timeout=timeout_s)
        connection = HTTPSConnection(host, port, timeout=timeout_s, context=self._tls_context())
        if proxy is not None:
            connection.set_tunnel(url.hostname or "", url.port)
        return connection

    def _drop(self, url: SplitResult) -> None:
        connection = self._connections.pop((url.scheme, url.netloc), None)
        if connection is not None:
            connection.close()

    def _tls_context(self) -> "ssl.SSLContext":
        if self._tls is None:
            import ssl  # noqa: PLC0415 - as above

            context = ssl.create_default_context(cafile=self._config.certificate)
            if self._config.client_certificate is not None:
                context.load_cert_chain(self._config.client_certificate, self._config.client_key)
            self._tls = context
        return self._tls

    def _proxy(self, url: SplitResult) -> SplitResult | None:
        """Return the proxy that a URL is asked through."""
        if self._proxies is None:
            self._proxies = _proxies_of_environment()
        proxy = self._proxies.get(url.scheme) or self._proxies.get("all")
        if not proxy:
            return None
        LATE_IMPORTS.load("urllib.request")
        import urllib.request as proxies  # noqa: PLC0415 - as above, and few have a proxy

        if proxies.proxy_bypass_environment(url.hostname or "", dict(self._proxies)):  # type: ignore[attr-defined]  # typeshed has one argument
            return None
        return urlsplit(proxy if "://" in proxy else f"http://{proxy}")


def _proxies_of_environment() -> Mapping[str, str]:
    if not any(name.lower() in _PROXY_VARIABLES for name in os.environ):
        return {}
    LATE_IMPORTS.load("urllib.request")
    import urllib.request as proxies  # noqa: PLC0415 - as above

    return proxies.getproxies_environment()


def _gzipped(body: bytes) -> bytes:
    packer = zlib.compressobj(_GZIP_LEVEL, zlib.DEFLATED, _GZIP)
    return packer.compress(body) + packer.flush()
