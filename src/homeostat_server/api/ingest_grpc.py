"""OTLP over gRPC: the three Export methods, and health. What is acceptable is decided in `ingest`.

Handlers take and give bytes, so that a request is parsed once, where HTTP's are. gRPC itself undoes gzip and deflate,
bounds the message, and answers UNIMPLEMENTED to any other method. Failures carry a google.rpc.Status in
`grpc-status-details-bin`, with a RetryInfo when sending again can help.
"""

import logging
import secrets
from collections.abc import Awaitable, Callable, Iterable, Mapping
from typing import Final, NoReturn

import grpc
from google.protobuf import wrappers_pb2
from google.protobuf.message import DecodeError

from homeostat_server.api.otlp import answer, outcome_word
from homeostat_server.api.problems import Problem, problem_of, rpc_status, unexpected_problem
from homeostat_server.api.reception import Reception
from homeostat_server.api.trace_ids import trace_id_of
from homeostat_server.exceptions import HomeostatError, InvalidRequest, NotFound
from homeostat_server.ingest.decoding import BodyFormat, RawBody
from homeostat_server.ingest.intake_counts import Transport
from homeostat_server.model.identity import Scope
from homeostat_server.model.signal import Signal

METHODS: Final[Mapping[str, Signal]] = {
    "/opentelemetry.proto.collector.trace.v1.TraceService/Export": Signal.TRACES,
    "/opentelemetry.proto.collector.logs.v1.LogsService/Export": Signal.LOGS,
    "/opentelemetry.proto.collector.metrics.v1.MetricsService/Export": Signal.METRICS,
}

HEALTH_METHOD: Final = "/grpc.health.v1.Health/Check"
_SERVICES: Final = frozenset({"", *(method.split("/")[1] for method in METHODS)})
_SERVING, _NOT_SERVING = 1, 2  # grpc.health.v1.HealthCheckResponse.ServingStatus

_STATUS_DETAILS: Final = "grpc-status-details-bin"

_STREAMS_MAX: Final = 128
"""Requests in flight on one connection; more wait at the sender, where they take none of our memory."""

_LOG: Final = logging.getLogger(__name__)

_Context = grpc.aio.ServicerContext[bytes, bytes]
_Handler = Callable[[bytes, _Context], Awaitable[bytes]]


def grpc_server(reception: Reception, *, is_ready: Callable[[], Awaitable[bool]]) -> grpc.aio.Server:
    """Return a server without an address; add one and start it on the event loop that serves HTTP.

    Args:
        reception: what every request passes.
        is_ready: what health answers.
    """
    server = grpc.aio.server(
        options=[
            ("grpc.max_receive_message_length", reception.body_bytes_max),
            ("grpc.max_concurrent_streams", _STREAMS_MAX),
            # Two processes on one port would each get half of the requests and neither would say so.
            ("grpc.so_reuseport", 0),
        ]
    )
    server.add_generic_rpc_handlers([OtlpHandlers(reception, is_ready=is_ready)])
    return server


class OtlpHandlers(grpc.GenericRpcHandler):
    """Find the handler of a method."""

    def __init__(self, reception: Reception, *, is_ready: Callable[[], Awaitable[bool]]) -> None:
        """Prepare one handler for each method."""
        handlers = {method: _exporter(signal, reception) for method, signal in METHODS.items()}
        handlers[HEALTH_METHOD] = _health_checker(is_ready)
        self._handlers: dict[str, grpc.RpcMethodHandler[bytes, bytes]] = {
            method: grpc.unary_unary_rpc_method_handler(handler) for method, handler in handlers.items()
        }

    def service(self, handler_call_details: grpc.HandlerCallDetails) -> "grpc.RpcMethodHandler[bytes, bytes] | None":
        """Return the handler of the method that is called, None when it is not ours."""
        return self._handlers.get(handler_call_details.method)


def _exporter(signal: Signal, reception: Reception) -> _Handler:
    async def export(body: bytes, context: _Context) -> bytes:
        return await receive(body, context, signal=signal, reception=reception)

    return export


async def receive(body: bytes, context: _Context, *, signal: Signal, reception: Reception) -> bytes:
    """Serve one export request; whatever goes wrong ends the call with a status."""
    started_s = reception.clock.monotonic_s()
    metadata = tuple(context.invocation_metadata() or ())
    problem = None
    try:
        content, word = await _export(body, metadata, signal=signal, reception=reception)
    except HomeostatError as error:
        problem, word, content = problem_of(error, trace_id=_trace_id(metadata)), error.code, b""
    except Exception:
        trace_id = _trace_id(metadata)
        _LOG.exception("exporting %s over gRPC failed, trace id %s", signal.value, trace_id)
        problem, word, content = unexpected_problem(trace_id=trace_id), "internal", b""
    seconds = reception.clock.monotonic_s() - started_s
    reception.counts.answered(signal, transport=Transport.GRPC, outcome=word, seconds=seconds)
    if problem is not None:
        await _abort(context, problem)
    return content


async def _export(
    body: bytes, metadata: Iterable[tuple[str, str | bytes]], *, signal: Signal, reception: Reception
) -> tuple[bytes, str]:
    principal = reception.authenticator.authenticate(metadata, scope=Scope.INGEST)
    with reception.admission.admit() as admitted:
        admitted.grow(len(body))
        outcome = await reception.intake.accept(
            RawBody(data=body), tenant=principal.tenant, signal=signal, admitted=admitted
        )
    return answer(outcome, signal=signal, body_format=BodyFormat.PROTOBUF), outcome_word(outcome)


def _health_checker(is_ready: Callable[[], Awaitable[bool]]) -> _Handler:
    async def check(body: bytes, context: _Context) -> bytes:
        """Answer grpc.health.v1: its messages are on the wire what the well-known wrappers are."""
        try:
            service = wrappers_pb2.StringValue.FromString(body).value
        except DecodeError as error:
            invalid = InvalidRequest("decode the health check", value=str(error))
            await _abort(context, problem_of(invalid, trace_id=secrets.token_hex(16)))
        if service not in _SERVICES:
            unknown = NotFound("check the health of a service", value=service)
            await _abort(context, problem_of(unknown, trace_id=secrets.token_hex(16)))
        return wrappers_pb2.Int32Value(value=_SERVING if await is_ready() else _NOT_SERVING).SerializeToString()

    return check


async def _abort(context: _Context, problem: Problem) -> NoReturn:
    details = rpc_status(problem).SerializeToString()
    await context.abort(problem.grpc_code, problem.detail, trailing_metadata=((_STATUS_DETAILS, details),))


def _trace_id(metadata: Iterable[tuple[str, str | bytes]]) -> str:
    return trace_id_of({name: value for name, value in metadata if isinstance(value, str)})
