"""Spans of a landscape as OTLP says them, one resource a process. It does not know why things happen."""

from dataclasses import dataclass
from random import Random
from typing import Final

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, InstrumentationScope, KeyValue
from opentelemetry.proto.resource.v1.resource_pb2 import Resource
from opentelemetry.proto.trace.v1.trace_pb2 import ResourceSpans, ScopeSpans, Span, Status

from benchmarks.incidents.landscape import Instance, Landscape, Operation, Store

SPANS_PER_REQUEST: Final = 20_000
ERROR: Final = Status.STATUS_CODE_ERROR

Times = tuple[int, int]
"""Start and end in nanoseconds."""

Values = dict[str, str | int]


@dataclass(frozen=True, slots=True)
class Request:
    """Hold what a whole trace has in common."""

    trace_id: bytes
    tenant: str
    user: str
    client: str
    flag: str
    body_bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Piece:
    """Hold what every span says: of which request and process it is, its ids, its times, and whether it went well."""

    request: Request
    instance: Instance
    span_id: bytes
    parent: bytes
    times: Times
    is_good: bool = True


class SpanWriter:
    """Gather spans by process and give them as export requests."""

    def __init__(self, landscape: Landscape, random: Random) -> None:
        """Begin with none."""
        self._landscape = landscape
        self._random = random
        self._blocks: dict[Instance, list[Span]] = {}

    def server(self, piece: Piece, operation: Operation, *, exception: tuple[str, str] | None) -> None:
        """Write what a service did for somebody; `exception` is its own failure, not one that it passes on."""
        service = self._landscape.services[piece.instance.service]
        request = piece.request
        status = 200 if piece.is_good else 500 if exception else 502
        values = self._protocol(operation, is_new=service.has_new_names, status=status)
        values["thread.id"] = self._random.randrange(1, 33)
        if not piece.parent:
            values |= {"enduser.id": request.user, "client.name": request.client, "feature.new_pricing": request.flag}
            values["http.request.body.size"] = request.body_bytes
        if not piece.parent or self._landscape.has_tenant_everywhere:
            values[self._landscape.tenant_key] = request.tenant
        span = self._span(piece, operation.name, Span.SPAN_KIND_SERVER, values)
        if not piece.is_good:
            span.status.code = ERROR
        if exception:
            _raise(span, exception, piece.times[1])

    def client(self, piece: Piece, target: Operation) -> None:
        """Write a call of another service, as its caller sees it."""
        is_new = self._landscape.services[piece.instance.service].has_new_names
        values = self._protocol(target, is_new=is_new, status=200 if piece.is_good else 500)
        values.pop("http.route", None)
        values["server.address" if is_new else "net.peer.name"] = target.service
        name = target.verb if target.protocol == "http" else target.name
        span = self._span(piece, name, Span.SPAN_KIND_CLIENT, values)
        if not piece.is_good:
            span.status.code = ERROR
            span.status.message = f"{target.service} answered 500"

    def store(self, piece: Piece, store: Store) -> None:
        """Write a question to a store, as its caller sees it."""
        is_new = self._landscape.services[piece.instance.service].has_new_names
        values: Values = {
            "db.system.name" if is_new else "db.system": store.system,
            "db.namespace" if is_new else "db.name": store.name,
            "server.address" if is_new else "net.peer.name": f"{store.name}.internal",
            "db.query.text" if is_new else "db.statement": f"{store.verb} … WHERE id = {self._random.randrange(10**6)}",
        }
        span = self._span(piece, f"{store.verb} {store.name}", Span.SPAN_KIND_CLIENT, values)
        if not piece.is_good:
            _raise(span, ("ConnectionError", "connection reset by peer"), piece.times[1])

    def internal(self, piece: Piece, name: str) -> None:
        """Write a piece of work inside a service."""
        self._span(piece, name, Span.SPAN_KIND_INTERNAL, {})

    def requests(self) -> list[ExportTraceServiceRequest]:
        """Return all spans as export requests."""
        blocks = [
            ResourceSpans(
                resource=_resource(instance, self._landscape),
                scope_spans=[
                    ScopeSpans(scope=InstrumentationScope(name="incidents"), spans=spans[at : at + SPANS_PER_REQUEST])
                ],
            )
            for instance, spans in self._blocks.items()
            for at in range(0, len(spans), SPANS_PER_REQUEST)
        ]
        return [ExportTraceServiceRequest(resource_spans=[block]) for block in blocks]

    def _protocol(self, operation: Operation, *, is_new: bool, status: int) -> Values:
        if operation.protocol == "grpc":
            code = 0 if status == 200 else 13 if status == 500 else 14
            return {"rpc.system": "grpc", "rpc.method": operation.verb.title(), "rpc.grpc.status_code": code}
        values: Values = {
            "http.request.method" if is_new else "http.method": operation.verb,
            "http.response.status_code" if is_new else "http.status_code": status,
            "http.route": operation.route,
        }
        path = operation.route.replace("{id}", str(self._random.randrange(10**6)))
        values["url.path" if is_new else "http.target"] = path
        return values

    def _span(self, piece: Piece, name: str, kind: Span.SpanKind.ValueType, values: Values) -> Span:
        span = Span(
            trace_id=piece.request.trace_id,
            span_id=piece.span_id,
            parent_span_id=piece.parent,
            name=name,
            kind=kind,
            start_time_unix_nano=piece.times[0],
            end_time_unix_nano=piece.times[1],
            attributes=_attributes(values),
        )
        self._blocks.setdefault(piece.instance, []).append(span)
        return span


def _attributes(values: Values) -> list[KeyValue]:
    return [
        KeyValue(key=key, value=AnyValue(string_value=value) if isinstance(value, str) else AnyValue(int_value=value))
        for key, value in values.items()
    ]


def _raise(span: Span, exception: tuple[str, str], at_ns: int) -> None:
    kind, message = exception
    span.status.code = ERROR
    span.status.message = message
    event = span.events.add(name="exception", time_unix_nano=at_ns)
    event.attributes.extend(_attributes({"exception.type": kind, "exception.message": message}))


def _resource(instance: Instance, landscape: Landscape) -> Resource:
    values: Values = {
        "service.name": instance.service,
        "service.version": instance.version,
        "service.instance.id": instance.name,
        landscape.host_key: instance.host,
        "cloud.region": instance.region,
        "telemetry.sdk.language": "python",
    }
    return Resource(attributes=_attributes(values))
