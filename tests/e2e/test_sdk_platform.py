"""The trace-based testing helper against the real process."""

import ssl
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path

import httpx
import pytest
from opentelemetry.exporter.otlp.proto.common.trace_encoder import encode_spans
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor, SpanExporter, SpanExportResult
from opentelemetry.trace import SpanKind, StatusCode
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from homeostat.exceptions import ExpectationFailed
from homeostat.testing import Platform, Spans, new_trace
from tests import running
from tests.certificates import issue

pytestmark = pytest.mark.e2e


@pytest.fixture(scope="module")
def open_platform(tmp_path_factory: pytest.TempPathFactory) -> Iterator[running.Platform]:
    """Return a platform without keys."""
    with running.running(tmp_path_factory.mktemp("open") / "data") as platform:
        yield platform


class Posting(SpanExporter):
    """Send over HTTP, trusting one authority whatever the machine's variables say."""

    def __init__(self, client: httpx.Client) -> None:
        """Send with this client."""
        self._client = client

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        """Send spans and see that they are taken."""
        body = encode_spans(spans).SerializeToString()
        self._client.post("/v1/traces", content=body, headers=running.PROTOBUF).raise_for_status()
        return SpanExportResult.SUCCESS


def send(headers: dict[str, str], client: httpx.Client) -> None:
    """Be two services of which one calls the other, below a test's own span."""
    for service, name, kind in (("orders", "POST /orders", SpanKind.SERVER), ("stock", "reserve", SpanKind.CONSUMER)):
        provider = TracerProvider(resource=Resource({"service.name": service}), shutdown_on_exit=False)
        provider.add_span_processor(SimpleSpanProcessor(Posting(client)))
        context = TraceContextTextMapPropagator().extract(headers)
        with provider.get_tracer("test").start_as_current_span(name, context=context, kind=kind) as span:
            span.set_attribute("items", ["a", "b"])
            span.set_attribute("count", 2)
            if service == "stock":
                span.set_status(StatusCode.ERROR, "sold out")
            headers = {}
            TraceContextTextMapPropagator().inject(headers)
        provider.shutdown()


def check(spans: Spans) -> None:
    """Assert on the trace in the words of a capture."""
    order = spans.assert_span("POST /orders", service="orders", kind="server", attributes={"items": ["a", "b"]})
    spans.assert_span("reserve", service="stock", parent=order, status="error", attributes={"count": 2})
    assert spans.one("reserve").status_message == "sold out"


def test_a_trace_is_waited_for_and_asserted_on(open_platform: running.Platform) -> None:
    """Two services send below the span of the test; the trace is given when the last of them is stored."""
    endpoint = f"http://127.0.0.1:{open_platform.http_port}"
    trace = new_trace()
    with httpx.Client(base_url=endpoint, headers={"X-Scope-OrgID": "acme"}, trust_env=False) as client:
        sender = threading.Thread(target=send, args=(trace.headers, client))
        sender.start()
        spans = Platform(endpoint, tenant="acme").trace(trace.trace_id, names=["reserve"])
        sender.join()
    check(spans)
    assert spans.one("POST /orders").parent_id == trace.span_id


def test_another_tenants_trace_is_not_there(open_platform: running.Platform) -> None:
    """The error says what the platform says."""
    platform = Platform(f"http://127.0.0.1:{open_platform.http_port}", tenant="other")
    with pytest.raises(ExpectationFailed, match=r"404: .*belong to another tenant"):
        platform.trace(new_trace().trace_id, timeout_s=0.1)


def test_keys_and_certificates_are_used(tmp_path: Path) -> None:
    """A platform with TLS and keys is asked as it wants to be; a key that may not read is refused at once."""
    certificate = issue(tmp_path)
    data = tmp_path / "data"
    settings = {"tls_certificate": certificate.certificate, "tls_key": certificate.key}
    write = running.create_key(data, tenant="acme")
    read = running.create_key(data, tenant="acme", scopes=["read"])
    with running.running(data, **settings) as platform:
        endpoint = f"https://localhost:{platform.http_port}"
        trace = new_trace()
        authority = str(certificate.authority)
        trust = ssl.create_default_context(cafile=authority)
        bearer = {"Authorization": f"Bearer {write}"}
        with httpx.Client(base_url=endpoint, headers=bearer, verify=trust, trust_env=False) as client:
            send(trace.headers, client)
        check(Platform(endpoint, key=read, certificate=authority).trace(trace.trace_id, names=["reserve"]))
        with pytest.raises(ExpectationFailed, match=r"refuses to give trace .*: 403"):
            Platform(endpoint, key=write, certificate=authority).trace(trace.trace_id)
        with pytest.raises(ExpectationFailed, match="CERTIFICATE_VERIFY_FAILED"):
            Platform(endpoint, key=read).trace(trace.trace_id, timeout_s=0.1)
