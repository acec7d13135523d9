import gzip
from collections.abc import AsyncIterator
from dataclasses import dataclass

import grpc
import pytest
from google.protobuf import wrappers_pb2
from google.protobuf.message import Message
from google.rpc import error_details_pb2, status_pb2
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceResponse

from homeostat_server.api.ingest_grpc import HEALTH_METHOD, METHODS, grpc_server
from homeostat_server.api.reception import Reception
from homeostat_server.exceptions import SpoolFull
from homeostat_server.ingest.admission import Admission
from homeostat_server.ingest.testing_intake import MemorySpool
from homeostat_server.model.identity import Scope
from homeostat_server.model.signal import Signal
from homeostat_server.model.tenant import Tenant
from homeostat_server.runtime.telemetry import Telemetry
from homeostat_server.security.keys import KeyRing
from tests.otlp import logs, metric, metrics, number, record, span, traces

BODY_BYTES_MAX = 1 << 20
EXPORT = {signal: method for method, signal in METHODS.items()}
GOOD: dict[Signal, Message] = {
    Signal.TRACES: traces(span()),
    Signal.LOGS: logs(record()),
    Signal.METRICS: metrics(metric(number())),
}


@dataclass
class Readiness:
    """What health is told to answer."""

    ready: bool = True

    async def is_ready(self) -> bool:
        """Answer."""
        return self.ready


@pytest.fixture
def readiness() -> Readiness:
    """Return the readiness of the server."""
    return Readiness()


@pytest.fixture
async def channel(reception: Reception, readiness: Readiness) -> AsyncIterator[grpc.aio.Channel]:
    """Return a channel to a real server on a free port."""
    server = grpc_server(reception, is_ready=readiness.is_ready)
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as opened:
        yield opened
    await server.stop(None)


async def call(
    channel: grpc.aio.Channel,
    body: bytes,
    *,
    method: str = EXPORT[Signal.TRACES],
    metadata: tuple[tuple[str, str], ...] = (),
    compression: grpc.Compression | None = None,
) -> bytes:
    """Call a method with bytes."""
    export: grpc.aio.UnaryUnaryMultiCallable[bytes, bytes] = channel.unary_unary(method)
    return await export(body, metadata=metadata, compression=compression)


async def failure(channel: grpc.aio.Channel, body: bytes, **arguments: object) -> grpc.aio.AioRpcError:
    """Call a method that should fail, and return how it did."""
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await call(channel, body, **arguments)  # type: ignore[arg-type] # passed on as they came
    return caught.value


def details_of(error: grpc.aio.AioRpcError) -> status_pb2.Status:
    """Return the google.rpc.Status in the trailing metadata."""
    found = dict(error.trailing_metadata() or ())["grpc-status-details-bin"]
    assert isinstance(found, bytes)
    return status_pb2.Status.FromString(found)


@pytest.mark.parametrize("signal", Signal)
async def test_each_signal_is_taken(
    channel: grpc.aio.Channel, spools: dict[Signal, MemorySpool], signal: Signal
) -> None:
    """A good request is answered by an empty message when it is durable as it came."""
    body = GOOD[signal].SerializeToString()
    assert await call(channel, body, method=EXPORT[signal]) == b""
    assert spools[signal].requests == [(Tenant("default"), body)]


@pytest.mark.parametrize("compression", [grpc.Compression.Gzip, grpc.Compression.Deflate])
async def test_compressed_messages_are_taken(
    channel: grpc.aio.Channel, spools: dict[Signal, MemorySpool], compression: grpc.Compression
) -> None:
    """What gRPC compresses, it undoes before we see the message."""
    body = traces(span(name="x" * 10_000)).SerializeToString()
    assert await call(channel, body, compression=compression) == b""
    assert spools[Signal.TRACES].requests[0][1] == body


async def test_refused_items_are_a_partial_success(channel: grpc.aio.Channel) -> None:
    """The call succeeds, and the answer says how many items were refused and why."""
    answer = await call(channel, traces(span(), span(span_id=b"1")).SerializeToString())
    partial = ExportTraceServiceResponse.FromString(answer).partial_success
    assert partial.rejected_spans == 1
    assert "span_id" in partial.error_message


async def test_a_bad_body_is_an_invalid_argument(channel: grpc.aio.Channel, telemetry: Telemetry) -> None:
    """What is not the message is the sender's error, and nothing says that it could be sent again."""
    error = await failure(channel, gzip.compress(b"no message"))
    assert error.code() is grpc.StatusCode.INVALID_ARGUMENT
    status = details_of(error)
    assert (status.code, status.message) == (grpc.StatusCode.INVALID_ARGUMENT.value[0], error.details())
    assert [entry.TypeName() for entry in status.details] == ["google.rpc.ErrorInfo"]
    labels = {"signal": "traces", "transport": "grpc", "outcome": "invalid_request"}
    assert telemetry.value("homeostat_ingest_requests_total", **labels) == 1


async def test_who_cannot_be_served_now_is_told_when(
    channel: grpc.aio.Channel, spools: dict[Signal, MemorySpool]
) -> None:
    """Overload is UNAVAILABLE with a RetryInfo, which OTLP clients heed."""
    spools[Signal.TRACES].refuse_with = SpoolFull("append", retry_after_s=2.5)
    error = await failure(channel, GOOD[Signal.TRACES].SerializeToString())
    assert error.code() is grpc.StatusCode.UNAVAILABLE
    retry = error_details_pb2.RetryInfo()
    assert details_of(error).details[1].Unpack(retry)
    assert retry.retry_delay.ToMilliseconds() == 2_500


async def test_a_full_house_is_overload(channel: grpc.aio.Channel, admission: Admission) -> None:
    """Both transports share one bound of what may be in flight."""
    with admission.admit() as other:
        other.grow(4 * BODY_BYTES_MAX)
        assert (await failure(channel, b"")).code() is grpc.StatusCode.UNAVAILABLE
    assert admission.requests_in_flight == 0


async def test_a_message_over_the_bound_is_refused_by_grpc(channel: grpc.aio.Channel) -> None:
    """The bound of HTTP bodies is that of messages, also behind compression."""
    for compression in (None, grpc.Compression.Gzip):
        error = await failure(channel, bytes(BODY_BYTES_MAX + 1), compression=compression)
        assert error.code() is grpc.StatusCode.RESOURCE_EXHAUSTED


async def test_a_key_decides_the_tenant(
    channel: grpc.aio.Channel, keys: KeyRing, spools: dict[Signal, MemorySpool]
) -> None:
    """Metadata is read as headers are: a key is needed once there is one, and decides the tenant."""
    key = keys.create(Tenant("acme"), scopes=frozenset({Scope.INGEST}))
    body = GOOD[Signal.TRACES].SerializeToString()
    assert (await failure(channel, body)).code() is grpc.StatusCode.UNAUTHENTICATED
    await call(channel, body, metadata=(("authorization", f"Bearer {key.token}"), ("x-scope-orgid", "globex")))
    assert spools[Signal.TRACES].requests == [(Tenant("acme"), body)]


async def test_the_tenant_comes_from_metadata_when_open(
    channel: grpc.aio.Channel, spools: dict[Signal, MemorySpool]
) -> None:
    """An open server takes the sender's word for its tenant."""
    await call(channel, GOOD[Signal.TRACES].SerializeToString(), metadata=(("x-scope-orgid", "globex"),))
    assert spools[Signal.TRACES].requests[0][0] == "globex"


async def test_a_defect_does_not_tell_its_text(
    channel: grpc.aio.Channel, spools: dict[Signal, MemorySpool], caplog: pytest.LogCaptureFixture
) -> None:
    """An unforeseen error is INTERNAL, logged under the trace id that the sender came with."""
    spools[Signal.TRACES].fail_with = RuntimeError("secret")
    metadata = (("traceparent", f"00-{'ab' * 16}-{'cd' * 8}-01"),)
    error = await failure(channel, GOOD[Signal.TRACES].SerializeToString(), metadata=metadata)
    assert error.code() is grpc.StatusCode.INTERNAL
    assert "secret" not in (error.details() or "")
    assert "ab" * 16 in (error.details() or "")
    assert "ab" * 16 in caplog.text


@pytest.mark.parametrize(
    "method",
    [
        "/opentelemetry.proto.collector.trace.v1.TraceService/Import",
        "/unknown.Service/Export",
        "/grpc.health.v1.Health/Watch",
    ],
)
async def test_other_methods_are_unimplemented(channel: grpc.aio.Channel, method: str) -> None:
    """Nothing but the three Export methods and the health check is served."""
    assert (await failure(channel, b"", method=method)).code() is grpc.StatusCode.UNIMPLEMENTED


async def test_health_is_told_for_the_server_and_each_service(channel: grpc.aio.Channel, readiness: Readiness) -> None:
    """grpc.health.v1 answers SERVING (1) or NOT_SERVING (2) as readiness is."""
    for service in ("", *(method.split("/")[1] for method in METHODS)):
        request = wrappers_pb2.StringValue(value=service).SerializeToString()
        assert await call(channel, request, method=HEALTH_METHOD) == b"\x08\x01"
    readiness.ready = False
    assert await call(channel, b"", method=HEALTH_METHOD) == b"\x08\x02"


async def test_the_health_of_other_services_is_not_known(channel: grpc.aio.Channel) -> None:
    """An unknown service is NOT_FOUND, and what is not a health check is invalid."""
    request = wrappers_pb2.StringValue(value="other").SerializeToString()
    assert (await failure(channel, request, method=HEALTH_METHOD)).code() is grpc.StatusCode.NOT_FOUND
    assert (await failure(channel, b"\xff", method=HEALTH_METHOD)).code() is grpc.StatusCode.INVALID_ARGUMENT
