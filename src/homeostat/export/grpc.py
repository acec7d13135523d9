"""OTLP over gRPC, with the bytes as they are: no generated class is needed. It knows no retry.

`grpc` is imported with the first request. Its threads do not survive a fork, so the channel is closed before each and
opened again when it is needed.
"""

from typing import TYPE_CHECKING, Any, Final
from urllib.parse import SplitResult

from homeostat.buffer import Record
from homeostat.exceptions import ExtraMissing
from homeostat.export.config import ExportConfig
from homeostat.export.outcomes import Outcome, Verdict, cut, taken
from homeostat.export.wire import Malformed, fields
from homeostat.process.imports import LATE_IMPORTS

if TYPE_CHECKING:
    import grpc

METHODS: Final = {
    "traces": "/opentelemetry.proto.collector.trace.v1.TraceService/Export",
    "logs": "/opentelemetry.proto.collector.logs.v1.LogsService/Export",
    "metrics": "/opentelemetry.proto.collector.metrics.v1.MetricsService/Export",
}

RETRYABLE_CODES: Final = frozenset(
    {"CANCELLED", "DEADLINE_EXCEEDED", "ABORTED", "OUT_OF_RANGE", "UNAVAILABLE", "DATA_LOSS"}
)
"""Codes after which the same request may be taken; RESOURCE_EXHAUSTED is one when it says when."""

_DETAILS: Final = "grpc-status-details-bin"
_RETRY_INFO: Final = b"google.rpc.RetryInfo"
_DEFAULT_PORTS: Final = {"http": 4317, "https": 443}


class GrpcTransport:
    """Send requests as unary calls; implements `Transport`.

    Args:
        config: where to, with which metadata and certificates.
        user_agent: who says to be sending.

    Raises:
        ExtraMissing: `grpcio` is not installed.
    """

    def __init__(self, config: ExportConfig, *, user_agent: str) -> None:
        """Connect to nothing yet."""
        if not _is_installed():
            raise ExtraMissing("export over gRPC", hint='Install it with: pip install "homeostat[grpc]".')
        self._config = config
        self._user_agent = user_agent
        # Keys are lower case in HTTP/2, and gRPC refuses others.
        self._metadata = tuple((name.lower(), value) for name, value in config.headers.items())
        self._channels: dict[tuple[str, str], Any] = {}
        self._calls: dict[str, Any] = {}
        self._graves: list[Any] = []

    def send(self, record: Record, *, timeout_s: float) -> Outcome:
        """Deliver a request."""
        LATE_IMPORTS.load("grpc")
        import grpc  # noqa: PLC0415 - heavy, and only who asked for gRPC pays

        try:
            call = self._calls.get(record.signal) or self._call(record.signal)
            answer = call(record.body, timeout=timeout_s, metadata=self._metadata, compression=self._compression(grpc))
        except grpc.RpcError as error:
            return _outcome_of(error)
        except (OSError, ValueError) as error:  # certificates that cannot be read; metadata that gRPC does not allow
            return Outcome(
                verdict=Verdict.NOT_NOW, reason="unreachable", message=cut(f"{type(error).__name__}: {error}")
            )
        return taken(answer)

    def close(self) -> None:
        """End the channels."""
        for channel in self._channels.values():
            channel.close()
        self._channels.clear()
        self._calls.clear()

    def before_fork(self) -> None:
        """End the channels: their threads cannot be in two processes."""
        self.close()

    def abandon(self) -> None:
        """Keep what a thread may have opened meanwhile, untouched: closing the parent's channel could hang."""
        self._graves.extend(self._channels.values())
        self._channels.clear()
        self._calls.clear()

    def _call(self, signal: str) -> Any:  # noqa: ANN401 - grpc's own callable
        url = self._config.url(signal)
        key = (url.scheme, url.netloc)
        channel = self._channels.get(key)
        if channel is None:
            channel = self._channels[key] = self._channel(url)
        # Without serializers bytes go in and come out.
        call = self._calls[signal] = channel.unary_unary(METHODS[signal])
        return call

    def _channel(self, url: SplitResult) -> "grpc.Channel":
        import grpc  # noqa: PLC0415 - as above

        host = f"[{url.hostname}]" if ":" in (url.hostname or "") else url.hostname
        target = f"{host}:{url.port or _DEFAULT_PORTS[url.scheme]}"
        options = (("grpc.primary_user_agent", self._user_agent),)
        if url.scheme == "http":
            return grpc.insecure_channel(target, options=options)
        config = self._config
        certificate = config.client_certificate.read_bytes() if config.client_certificate else None
        key_file = config.client_key or config.client_certificate
        credentials = grpc.ssl_channel_credentials(
            root_certificates=config.certificate.read_bytes() if config.certificate else None,
            private_key=key_file.read_bytes() if key_file else None,
            certificate_chain=certificate,
        )
        return grpc.secure_channel(target, credentials, options=options)

    def _compression(self, grpc: Any) -> Any:  # noqa: ANN401 - the module, and one of its values
        return grpc.Compression.Gzip if self._config.compression == "gzip" else grpc.Compression.NoCompression


def _is_installed() -> bool:
    from importlib.util import find_spec  # noqa: PLC0415 - asked once, by those who want gRPC

    return find_spec("grpc") is not None


def _outcome_of(error: Any) -> Outcome:  # noqa: ANN401 - grpc's error is also the call
    code: str = error.code().name
    retry_after_s = _retry_delay_s(error.trailing_metadata() or ())
    is_retryable = code in RETRYABLE_CODES or (code == "RESOURCE_EXHAUSTED" and retry_after_s is not None)
    return Outcome(
        verdict=Verdict.NOT_NOW if is_retryable else Verdict.REFUSED,
        reason="timeout" if code == "DEADLINE_EXCEEDED" else f"grpc_{code.lower()}",
        message=cut(error.details() or ""),
        retry_after_s=retry_after_s,
    )


def _retry_delay_s(metadata: Any) -> float | None:  # noqa: ANN401 - pairs of names and text or bytes
    """Return what a `google.rpc.RetryInfo` in the details of a status asks for."""
    for name, value in metadata:
        if name == _DETAILS and isinstance(value, bytes):
            try:
                return _delay_in_status(value)
            except Malformed:
                return None
    return None


def _delay_in_status(status: bytes) -> float | None:
    for number, detail in fields(status):
        if number == 3 and isinstance(detail, bytes) and _RETRY_INFO in detail:
            message = dict(fields(detail)).get(2, b"")
            duration = dict(fields(message)).get(1, b"") if isinstance(message, bytes) else b""
            parts = dict(fields(duration)) if isinstance(duration, bytes) else {}
            seconds, nanoseconds = parts.get(1, 0), parts.get(2, 0)
            if isinstance(seconds, int) and isinstance(nanoseconds, int):
                return seconds + nanoseconds / 1e9
    return None
