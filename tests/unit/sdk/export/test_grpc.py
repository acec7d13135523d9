import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import grpc
import pytest
import trustme
from google.protobuf.any_pb2 import Any as AnyMessage
from google.protobuf.duration_pb2 import Duration
from google.rpc.error_details_pb2 import DebugInfo, RetryInfo
from google.rpc.status_pb2 import Status
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTracePartialSuccess,
    ExportTraceServiceResponse,
)

from homeostat.buffer import Record
from homeostat.export import ExportConfig
from homeostat.export.grpc import METHODS, GrpcTransport
from homeostat.export.outcomes import Verdict
from tests.unit.sdk.export.servers import free_port

RECORD = Record("traces", 3, b"request")


@dataclass
class Script(grpc.GenericRpcHandler):
    """Answer calls as a test says, and remember them."""

    answer: bytes = b""
    code: grpc.StatusCode | None = None
    details: bytes = b""
    asked: list[tuple[str, bytes, dict[str, Any]]] = field(default_factory=list)

    def service(self, handler_call_details: grpc.HandlerCallDetails) -> Any:  # noqa: ANN401 - grpc's own handler
        """Take every method."""

        def call(request: bytes, context: grpc.ServicerContext) -> bytes:
            metadata: dict[str, Any] = dict(context.invocation_metadata())
            self.asked.append((handler_call_details.method, request, metadata))
            if self.code is not None:
                if self.details:
                    context.set_trailing_metadata((("grpc-status-details-bin", self.details),))
                context.abort(self.code, "because")
            return self.answer

        return grpc.unary_unary_rpc_method_handler(call)


@contextmanager
def serving(script: Script, credentials: grpc.ServerCredentials | None = None) -> Iterator[int]:
    """Serve on a free port, and give it."""
    server = grpc.server(ThreadPoolExecutor(2))
    server.add_generic_rpc_handlers((script,))
    port = (
        server.add_secure_port("127.0.0.1:0", credentials) if credentials else server.add_insecure_port("127.0.0.1:0")
    )
    server.start()
    try:
        yield port
    finally:
        server.stop(0).wait()


@contextmanager
def sending(port: int, *, scheme: str = "http", **config: Any) -> Iterator[GrpcTransport]:  # noqa: ANN401 - as above
    """Give a transport to a port."""
    made = GrpcTransport(ExportConfig(endpoint=f"{scheme}://127.0.0.1:{port}", **config), user_agent="test/1")
    try:
        yield made
    finally:
        made.close()


@pytest.mark.parametrize("signal", METHODS)
def test_a_request_is_what_otlp_says(signal: str) -> None:
    """The signal's method gets the bytes as they are, with the metadata that was asked for in lower case."""
    script = Script()
    with serving(script) as port, sending(port, headers={"Authorization": "Bearer key"}) as sender:
        assert sender.send(Record(signal, 1, b"request"), timeout_s=5).verdict is Verdict.TAKEN
        assert sender.send(Record(signal, 1, b"request"), timeout_s=5).verdict is Verdict.TAKEN
    (method, request, metadata), _ = script.asked
    assert (method, request) == (METHODS[signal], b"request")
    assert metadata["authorization"] == "Bearer key"
    assert metadata["user-agent"].startswith("test/1")


def test_a_partial_success_is_understood() -> None:
    """It is the same message as over HTTP."""
    answer = ExportTraceServiceResponse(partial_success=ExportTracePartialSuccess(rejected_spans=2))
    with serving(Script(answer=answer.SerializeToString())) as port, sending(port, compression="gzip") as sender:
        assert sender.send(RECORD, timeout_s=5).refused_items == 2


@pytest.mark.parametrize("code", [code for code in grpc.StatusCode if code is not grpc.StatusCode.OK])
def test_only_the_codes_of_otlp_are_tried_again(code: grpc.StatusCode) -> None:
    """All others are final."""
    retryable = {"CANCELLED", "DEADLINE_EXCEEDED", "ABORTED", "OUT_OF_RANGE", "UNAVAILABLE", "DATA_LOSS"}
    with serving(Script(code=code)) as port, sending(port) as sender:
        outcome = sender.send(RECORD, timeout_s=5)
    assert outcome.verdict is (Verdict.NOT_NOW if code.name in retryable else Verdict.REFUSED)
    assert outcome.message == "because"


def details(*entries: Any) -> bytes:  # noqa: ANN401 - messages of google.rpc
    """Return the details of a status."""
    packed = []
    for entry in entries:
        detail = AnyMessage()
        detail.Pack(entry)
        packed.append(detail)
    said: bytes = Status(code=8, details=packed).SerializeToString()
    return said


@pytest.mark.parametrize(
    ("said", "verdict", "seconds"),
    [
        (details(DebugInfo(), RetryInfo(retry_delay=Duration(seconds=3, nanos=500_000_000))), Verdict.NOT_NOW, 3.5),
        (details(RetryInfo()), Verdict.NOT_NOW, 0.0),
        (details(DebugInfo()), Verdict.REFUSED, None),
        (b"\xff", Verdict.REFUSED, None),
    ],
)
def test_an_exhausted_backend_is_tried_again_when_it_says_when(
    said: bytes, verdict: Verdict, seconds: float | None
) -> None:
    """RESOURCE_EXHAUSTED without RetryInfo is final."""
    script = Script(code=grpc.StatusCode.RESOURCE_EXHAUSTED, details=said)
    with serving(script) as port, sending(port) as sender:
        outcome = sender.send(RECORD, timeout_s=5)
    assert (outcome.verdict, outcome.retry_after_s) == (verdict, seconds)


def test_nobody_there_is_not_now() -> None:
    """A closed port is a failure that passes."""
    with sending(free_port()) as sender:
        outcome = sender.send(RECORD, timeout_s=1)
    assert outcome.verdict is Verdict.NOT_NOW


def test_metadata_that_grpc_does_not_allow_raises_nothing(tmp_path: Path) -> None:
    """Nor does a certificate that is not there."""
    with sending(1, headers={"a b": "c"}) as sender:
        assert sender.send(RECORD, timeout_s=1).verdict is Verdict.REFUSED
    with sending(1, scheme="https", certificate=tmp_path / "none.pem") as sender:
        assert sender.send(RECORD, timeout_s=1).reason == "unreachable"


def test_tls_trusts_and_shows_what_it_is_told_to(tmp_path: Path) -> None:
    """The server asks for a certificate and gets it."""
    authority = trustme.CA()
    server, client = authority.issue_cert("127.0.0.1"), authority.issue_cert("client")
    credentials = grpc.ssl_server_credentials(
        [(server.private_key_pem.bytes(), server.cert_chain_pems[0].bytes())],
        root_certificates=authority.cert_pem.bytes(),
        require_client_auth=True,
    )
    files = {name: tmp_path / name for name in ("certificate", "client_certificate", "client_key")}
    authority.cert_pem.write_to_path(str(files["certificate"]))
    client.cert_chain_pems[0].write_to_path(str(files["client_certificate"]))
    client.private_key_pem.write_to_path(str(files["client_key"]))
    script = Script()
    with serving(script, credentials) as port, sending(port, scheme="https", **files) as sender:
        assert sender.send(RECORD, timeout_s=5).verdict is Verdict.TAKEN


def test_a_forked_child_has_a_channel_of_its_own() -> None:
    """The parent's is closed before the fork, and both go on."""
    with sending(free_port()) as sender:
        assert sender.send(RECORD, timeout_s=5).verdict is Verdict.NOT_NOW
        sender.before_fork()
        child = os.fork()
        if child == 0:
            sender.abandon()
            os._exit(0 if sender.send(RECORD, timeout_s=1).verdict is Verdict.NOT_NOW else 1)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
        assert sender.send(RECORD, timeout_s=1).verdict is Verdict.NOT_NOW
        sender.abandon()
