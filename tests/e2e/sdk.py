"""OpenTelemetry's own exporters, and one item of each signal to send with them. It knows no server."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import grpc
import requests
import trustme
from opentelemetry._logs import LogRecord, SeverityNumber
from opentelemetry.exporter.otlp.proto.grpc._log_exporter import OTLPLogExporter as GrpcLogExporter
from opentelemetry.exporter.otlp.proto.grpc.metric_exporter import OTLPMetricExporter as GrpcMetricExporter
from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter as GrpcSpanExporter
from opentelemetry.exporter.otlp.proto.http._log_exporter import OTLPLogExporter as HttpLogExporter
from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter as HttpMetricExporter
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter as HttpSpanExporter
from opentelemetry.sdk._logs import LoggerProvider
from opentelemetry.sdk._logs.export import InMemoryLogRecordExporter, SimpleLogRecordProcessor
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from homeostat_server.model.signal import Signal

TIMEOUT_S: Final = 3

_HTTP: Final[Mapping[Signal, Any]] = {
    Signal.TRACES: HttpSpanExporter,
    Signal.LOGS: HttpLogExporter,
    Signal.METRICS: HttpMetricExporter,
}
_GRPC: Final[Mapping[Signal, Any]] = {
    Signal.TRACES: GrpcSpanExporter,
    Signal.LOGS: GrpcLogExporter,
    Signal.METRICS: GrpcMetricExporter,
}


@dataclass(frozen=True)
class Certificates:
    """Hold files of a server's and a client's certificate, and of the authority that vouches for both."""

    authority: Path
    server_certificate: Path
    server_key: Path
    client_certificate: Path
    client_key: Path


def issue(folder: Path) -> Certificates:
    """Write fresh certificates into a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    names = ("authority.pem", "server.pem", "server.key", "client.pem", "client.key")
    made = Certificates(*(folder / name for name in names))
    authority = trustme.CA()
    authority.cert_pem.write_to_path(made.authority)
    for issued, certificate, key in (
        (authority.issue_cert("localhost", "127.0.0.1"), made.server_certificate, made.server_key),
        (authority.issue_cert("client.example"), made.client_certificate, made.client_key),
    ):
        certificate.write_bytes(b"".join(part.bytes() for part in issued.cert_chain_pems))
        issued.private_key_pem.write_to_path(key)
    return made


@dataclass(frozen=True)
class Caller:
    """Say how a client comes: trusting whom, showing what, with which headers."""

    trusts: Path | None = None
    shows: tuple[Path, Path] | None = None
    headers: Mapping[str, str] = field(default_factory=dict)


def http_exporter(signal: Signal, *, port: int, caller: Caller) -> Any:  # noqa: ANN401 - one of three classes
    """Return an HTTP exporter."""
    # Else REQUESTS_CA_BUNDLE, where it is set, silently takes the place of the certificate file.
    session = requests.Session()
    session.trust_env = False
    files: dict[str, str] = {}
    if caller.trusts:
        files["certificate_file"] = str(caller.trusts)
    if caller.shows:
        files["client_certificate_file"], files["client_key_file"] = map(str, caller.shows)
    return _HTTP[signal](
        endpoint=f"{'https' if caller.trusts else 'http'}://127.0.0.1:{port}/v1/{signal}",
        headers=dict(caller.headers),
        timeout=TIMEOUT_S,
        session=session,
        **files,
    )


def grpc_exporter(signal: Signal, *, port: int, caller: Caller) -> Any:  # noqa: ANN401 - one of three classes
    """Return a gRPC exporter."""
    options: dict[str, Any] = {"insecure": True}
    if caller.trusts:
        certificate, key = [path.read_bytes() for path in caller.shows] if caller.shows else (None, None)
        options = {"credentials": grpc.ssl_channel_credentials(caller.trusts.read_bytes(), key, certificate)}
    headers = tuple((name.lower(), value) for name, value in caller.headers.items())
    return _GRPC[signal](endpoint=f"127.0.0.1:{port}", headers=headers, timeout=TIMEOUT_S, **options)


def send(exporter: Any, signal: Signal, name: str) -> bool:  # noqa: ANN401 - of either transport
    """Send one item of this name as the SDK makes it; say whether the exporter calls it a success."""
    try:
        result = exporter.export(_ITEMS[signal](name))
    finally:
        exporter.shutdown()
    return bool(result.name == "SUCCESS")


def _spans(name: str) -> Any:  # noqa: ANN401 - what its exporter takes
    memory = InMemorySpanExporter()
    provider = TracerProvider(resource=Resource({"service.name": "shop"}), shutdown_on_exit=False)
    provider.add_span_processor(SimpleSpanProcessor(memory))
    with provider.get_tracer("tests").start_as_current_span(name, attributes={"tries": 3, "ok": True}):
        pass
    return memory.get_finished_spans()


def _records(name: str) -> Any:  # noqa: ANN401 - as above
    memory = InMemoryLogRecordExporter()  # type: ignore[no-untyped-call]
    provider = LoggerProvider(resource=Resource({"service.name": "shop"}), shutdown_on_exit=False)
    provider.add_log_record_processor(SimpleLogRecordProcessor(memory))
    provider.get_logger("tests").emit(LogRecord(timestamp=1, severity_number=SeverityNumber.WARN, body=name))
    return memory.get_finished_logs()


def _points(name: str) -> Any:  # noqa: ANN401 - as above
    reader = InMemoryMetricReader()
    provider = MeterProvider([reader], resource=Resource({"service.name": "shop"}), shutdown_on_exit=False)
    meter = provider.get_meter("tests")
    meter.create_counter(name, unit="1").add(2, {"route": "/"})
    meter.create_histogram(f"{name}.duration", unit="s").record(0.2)
    made = reader.get_metrics_data()
    provider.shutdown()
    return made


_ITEMS: Final = {Signal.TRACES: _spans, Signal.LOGS: _records, Signal.METRICS: _points}
