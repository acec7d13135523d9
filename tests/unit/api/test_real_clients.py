import asyncio
import threading
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import grpc
import pytest
import requests
import trustme
import uvicorn
from fastapi import FastAPI
from opentelemetry._logs import LogRecord, SeverityNumber
from opentelemetry.exporter.otlp.proto.grpc._log_exporter import OTLPLogExporter as GrpcLogExporter
from opentelemetry.exporter.otlp.proto.grpc.metric_exporter import OTLPMetricExporter as GrpcMetricExporter
from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter as GrpcSpanExporter
from opentelemetry.exporter.otlp.proto.http import Compression
from opentelemetry.exporter.otlp.proto.http._log_exporter import OTLPLogExporter as HttpLogExporter
from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter as HttpMetricExporter
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter as HttpSpanExporter
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.sdk._logs import LoggerProvider
from opentelemetry.sdk._logs.export import BatchLogRecordProcessor
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import PeriodicExportingMetricReader
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor

from homeostat_server.api.ingest_grpc import grpc_server
from homeostat_server.api.reception import Reception
from homeostat_server.exceptions import SpoolFull
from homeostat_server.ingest.testing_intake import MemorySpool
from homeostat_server.model.identity import Scope
from homeostat_server.model.signal import Signal
from homeostat_server.model.tenant import Tenant
from homeostat_server.security.keys import KeyRing
from tests.waiting import until


@dataclass(frozen=True)
class Tls:
    """Files of a server certificate for localhost, and of the authority that vouches for it."""

    certificate: Path
    key: Path
    authority: Path


class Listening:
    """Serve HTTP and gRPC from one event loop in a thread, as the process does in its own."""

    def __init__(self, app: FastAPI, reception: Reception, tls: Tls | None) -> None:
        """Start, and return when both listen."""
        self.tls = tls
        files = {"ssl_certfile": tls.certificate, "ssl_keyfile": tls.key} if tls else {}
        config = uvicorn.Config(app, host="127.0.0.1", port=0, log_config=None, lifespan="off", **files)  # type: ignore[arg-type]
        self._http = uvicorn.Server(config)
        self._reception = reception
        self.grpc_port = 0
        self._thread = threading.Thread(target=lambda: asyncio.run(self._serve()))
        self._thread.start()
        until(lambda: self._http.started)
        self.http_port = self._http.servers[0].sockets[0].getsockname()[1]

    async def _serve(self) -> None:
        async def always() -> bool:
            return True

        server = grpc_server(self._reception, is_ready=always)
        if self.tls:
            pair = (self.tls.key.read_bytes(), self.tls.certificate.read_bytes())
            self.grpc_port = server.add_secure_port("localhost:0", grpc.ssl_server_credentials([pair]))
        else:
            self.grpc_port = server.add_insecure_port("localhost:0")
        await server.start()
        await self._http.serve()
        await server.stop(None)

    def http_options(self, path: str, **more: Any) -> dict[str, Any]:  # noqa: ANN401 - an exporter's own
        """Return what an HTTP exporter needs to come here."""
        scheme, trust = ("https", {"certificate_file": str(self.tls.authority)}) if self.tls else ("http", {})
        # Else REQUESTS_CA_BUNDLE, where it is set, silently takes the place of the certificate file.
        session = requests.Session()
        session.trust_env = False
        return (
            {"endpoint": f"{scheme}://localhost:{self.http_port}{path}", "timeout": 5, "session": session}
            | trust
            | more
        )

    def grpc_options(self, **more: Any) -> dict[str, Any]:  # noqa: ANN401 - an exporter's own
        """Return what a gRPC exporter needs to come here."""
        if self.tls is None:
            return {"endpoint": f"localhost:{self.grpc_port}", "insecure": True, "timeout": 5} | more
        credentials = grpc.ssl_channel_credentials(self.tls.authority.read_bytes())
        return {"endpoint": f"localhost:{self.grpc_port}", "credentials": credentials, "timeout": 5} | more

    def close(self) -> None:
        """Stop both."""
        self._http.should_exit = True
        self._thread.join()


@pytest.fixture
def tls(tmp_path: Path) -> Tls:
    """Return fresh files for TLS."""
    authority = trustme.CA()
    issued = authority.issue_cert("localhost", "127.0.0.1")
    files = Tls(tmp_path / "server.pem", tmp_path / "server.key", tmp_path / "authority.pem")
    files.certificate.write_bytes(b"".join(part.bytes() for part in issued.cert_chain_pems))
    issued.private_key_pem.write_to_path(files.key)
    authority.cert_pem.write_to_path(files.authority)
    return files


@pytest.fixture(params=["plain", "tls"])
def listening(request: pytest.FixtureRequest, app: FastAPI, reception: Reception, tls: Tls) -> Iterator[Listening]:
    """Return real servers on free ports, without and with TLS."""
    with closing(Listening(app, reception, tls if request.param == "tls" else None)) as servers:
        yield servers


def send_span(exporter: Any) -> None:  # noqa: ANN401 - of either transport
    """Send one span as an instrumented program does."""
    provider = TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(BatchSpanProcessor(exporter))
    with provider.get_tracer("tests").start_as_current_span("GET /", attributes={"http.route": "/"}):
        pass
    provider.shutdown()


def send_record(exporter: Any) -> None:  # noqa: ANN401 - of either transport
    """Send one log record as an instrumented program does."""
    provider = LoggerProvider(shutdown_on_exit=False)
    provider.add_log_record_processor(BatchLogRecordProcessor(exporter))
    provider.get_logger("tests").emit(LogRecord(timestamp=1, severity_number=SeverityNumber.INFO, body="hello"))
    provider.shutdown()


def send_point(exporter: Any) -> None:  # noqa: ANN401 - of either transport
    """Send one data point as an instrumented program does."""
    reader = PeriodicExportingMetricReader(exporter, export_interval_millis=60_000)
    provider = MeterProvider(metric_readers=[reader], shutdown_on_exit=False)
    provider.get_meter("tests").create_counter("requests").add(1, {"route": "/"})
    provider.shutdown()


def names_in(spools: dict[Signal, MemorySpool]) -> tuple[str, str, str]:
    """Return what the one item of each signal says."""
    trace = ExportTraceServiceRequest.FromString(spools[Signal.TRACES].requests[0][1])
    log = ExportLogsServiceRequest.FromString(spools[Signal.LOGS].requests[0][1])
    metric = ExportMetricsServiceRequest.FromString(spools[Signal.METRICS].requests[0][1])
    return (
        trace.resource_spans[0].scope_spans[0].spans[0].name,
        log.resource_logs[0].scope_logs[0].log_records[0].body.string_value,
        metric.resource_metrics[0].scope_metrics[0].metrics[0].name,
    )


@pytest.mark.parametrize("compression", [Compression.NoCompression, Compression.Gzip, Compression.Deflate])
def test_the_sdk_sends_everything_over_http(
    listening: Listening, spools: dict[Signal, MemorySpool], compression: Compression
) -> None:
    """OpenTelemetry's own HTTP exporters deliver all three signals, compressed or not."""
    options = {"compression": compression, "headers": {"X-Scope-OrgID": "acme"}}
    send_span(HttpSpanExporter(**listening.http_options("/v1/traces", **options)))
    send_record(HttpLogExporter(**listening.http_options("/v1/logs", **options)))
    send_point(HttpMetricExporter(**listening.http_options("/v1/metrics", **options)))
    assert names_in(spools) == ("GET /", "hello", "requests")
    assert spools[Signal.LOGS].requests[0][0] == Tenant("acme")


@pytest.mark.parametrize("compression", [grpc.Compression.NoCompression, grpc.Compression.Gzip])
def test_the_sdk_sends_everything_over_grpc(
    listening: Listening, spools: dict[Signal, MemorySpool], compression: grpc.Compression
) -> None:
    """OpenTelemetry's own gRPC exporters deliver all three signals, compressed or not."""
    options = {"compression": compression, "headers": (("x-scope-orgid", "acme"),)}
    send_span(GrpcSpanExporter(**listening.grpc_options(**options)))
    send_record(GrpcLogExporter(**listening.grpc_options(**options)))
    send_point(GrpcMetricExporter(**listening.grpc_options(**options)))
    assert names_in(spools) == ("GET /", "hello", "requests")
    assert spools[Signal.LOGS].requests[0][0] == Tenant("acme")


def test_the_sdk_sends_with_a_key(listening: Listening, keys: KeyRing, spools: dict[Signal, MemorySpool]) -> None:
    """With a key in its headers the SDK is let in over both transports, as the key's tenant."""
    key = keys.create(Tenant("acme"), scopes=frozenset({Scope.INGEST}))
    send_span(
        HttpSpanExporter(**listening.http_options("/v1/traces", headers={"Authorization": f"Bearer {key.token}"}))
    )
    send_span(GrpcSpanExporter(**listening.grpc_options(headers=(("authorization", f"Bearer {key.token}"),))))
    send_span(HttpSpanExporter(**listening.http_options("/v1/traces")))
    send_span(GrpcSpanExporter(**listening.grpc_options()))
    assert [tenant for tenant, _body in spools[Signal.TRACES].requests] == ["acme", "acme"]


class Recovering(MemorySpool):
    """A spool that is full for the first requests."""

    def __init__(self, refusals: int) -> None:
        """Refuse so many."""
        super().__init__()
        self._refusals = iter([SpoolFull("append", retry_after_s=0.1)] * refusals)

    def append(self, tenant: Tenant, body: bytes) -> Any:  # noqa: ANN401 - as the other
        """Refuse, then remember."""
        self.refuse_with = next(self._refusals, None)
        return super().append(tenant, body)


@pytest.mark.parametrize("transport", ["http", "grpc"])
def test_the_sdk_comes_back_after_overload(
    app: FastAPI, reception: Reception, spools: dict[Signal, MemorySpool], transport: str
) -> None:
    """A sender that is told to come back does, and loses nothing."""
    spool = Recovering(1)
    reception.intake._spools[Signal.TRACES] = spool
    with closing(Listening(app, reception, None)) as servers:
        if transport == "http":
            send_span(HttpSpanExporter(**servers.http_options("/v1/traces")))
        else:
            send_span(GrpcSpanExporter(**servers.grpc_options()))
    assert len(spool.requests) == 1
    assert spools[Signal.TRACES].requests == []
