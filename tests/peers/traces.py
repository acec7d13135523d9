"""One fixed set of traces that every peer and the platform are sent, so that their answers can be compared.

It has what tells implementations apart: errors with exception events, links, all kinds of values, several services and
scopes, a parent that was never sent, messaging over two traces, a trace id of 64 bits, clocks that disagree.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import (
    AnyValue,
    ArrayValue,
    InstrumentationScope,
    KeyValue,
    KeyValueList,
)
from opentelemetry.proto.resource.v1.resource_pb2 import Resource
from opentelemetry.proto.trace.v1.trace_pb2 import ResourceSpans, ScopeSpans, Span, Status

START_NS: Final = 1_767_225_600_000_000_000
"""2026-01-01T00:00:00Z; everything lies in the ten minutes from here."""

MS: Final = 1_000_000

CHECKOUT: Final = "5b8efff798038103d269b633813fc60c"
PUBLISH: Final = "0af7651916cd43dd8448eb211c80319c"
CONSUME: Final = "4bf92f3577b34da6a3ce929d0e0e4736"
ORPHAN: Final = "7c3f1d2e9a4b5c6d8e0f102030405060"
SHORT: Final = "0000000000000000463ac35c9f6413ad"
SKEWED: Final = "9d8c7b6a5f4e3d2c1b0a998877665544"
UNKNOWN: Final = "11111111111111111111111111111111"
"""No trace has this id."""

Values = Mapping[str, Any]


def _value(value: Any) -> AnyValue:  # noqa: ANN401 - whatever an attribute may hold
    if isinstance(value, dict):
        return AnyValue(kvlist_value=KeyValueList(values=_pairs(value)))
    if isinstance(value, list):
        return AnyValue(array_value=ArrayValue(values=[_value(item) for item in value]))
    return AnyValue() if value is None else AnyValue(**{_MEMBERS[type(value)]: value})


_MEMBERS: Final = {
    bool: "bool_value",
    int: "int_value",
    float: "double_value",
    str: "string_value",
    bytes: "bytes_value",
}


def _pairs(values: Values) -> list[KeyValue]:
    return [KeyValue(key=key, value=_value(value)) for key, value in values.items()]


def _event(at_ms: float, name: str, **values: Any) -> Span.Event:  # noqa: ANN401 - values of attributes
    return Span.Event(time_unix_nano=_ns(at_ms), name=name, attributes=_pairs(_dotted(values)))


def _dotted(values: Values) -> Values:
    return {name.replace("__", "."): value for name, value in values.items()}


def _link(trace_id: str, span_id: str, **values: Any) -> Span.Link:  # noqa: ANN401 - values of attributes
    return Span.Link(
        trace_id=bytes.fromhex(trace_id),
        span_id=bytes.fromhex(span_id),
        trace_state="vendor=link",
        flags=1,
        attributes=_pairs(_dotted(values)),
    )


def _ns(at_ms: float) -> int:
    return START_NS + round(at_ms * MS)


def _span(
    ids: str,
    name: str,
    at: tuple[float, float],
    *,
    kind: int = 1,
    values: Values | None = None,
    **more: Any,  # noqa: ANN401 - further fields
) -> Span:
    """Return a span; `ids` are its trace, its own and its parent's ("-" for none), `at` start and length in ms."""
    trace_id, span_id, parent_id = ids.split()
    return Span(
        trace_id=bytes.fromhex(trace_id),
        span_id=bytes.fromhex(span_id),
        parent_span_id=b"" if parent_id == "-" else bytes.fromhex(parent_id),
        name=name,
        kind=kind,  # type: ignore[arg-type] # a plain number
        start_time_unix_nano=_ns(at[0]),
        end_time_unix_nano=_ns(at[0] + at[1]),
        attributes=_pairs(values or {}),
        **more,
    )


def _block(service: Values, *scopes: tuple[InstrumentationScope, Sequence[Span]], schema: str = "") -> ResourceSpans:
    return ResourceSpans(
        resource=Resource(attributes=_pairs(service)),
        scope_spans=[ScopeSpans(scope=scope, spans=spans, schema_url=schema) for scope, spans in scopes],
        schema_url=schema,
    )


_HTTP: Final = InstrumentationScope(name="shop.http", version="1.2.0")
_SQL: Final = InstrumentationScope(name="shop.sql", version="0.9", attributes=_pairs({"short": True}))
_BARE: Final = InstrumentationScope()

_EDGE: Final = {
    "service.name": "edge",
    "service.version": "2.1.0",
    "host.name": "edge-1",
    "deployment.environment": "test",
}
_CHECKOUT: Final = {
    "service.name": "checkout",
    "service.version": "7",
    "host.name": "checkout-1",
    "process.pid": 4711,
    "process.command_args": ["serve", "--fast"],
}
_PAYMENT: Final = {"service.name": "payment", "host.name": "payment-1"}
_MAILER: Final = {"service.name": "mailer", "host.name": "mailer-1"}

_EVERY_KIND: Final = {
    "text": 'grüße, "quoted" & <tagged>',
    "empty": "",
    "yes": True,
    "no": False,
    "integer": 42,
    "large": 9_007_199_254_740_993,
    "negative": -7,
    "double": 2.5,
    "whole": 3.0,
    "array": ["a", 1, True, 2.5],
    "map": {"inner": "value", "count": 2},
    "bytes": b"\x00\x01\xfe",
    "unset": None,
}


def _checkout_blocks() -> list[ResourceSpans]:
    trace = CHECKOUT
    failed = Status(code=Status.STATUS_CODE_ERROR, message="card declined")
    edge = _span(
        f"{trace} 00f067aa0ba902b7 -",
        "GET /checkout",
        (0, 120),
        kind=2,
        values={"http.request.method": "GET", "http.response.status_code": 502, "http.route": "/checkout"},
        status=Status(code=Status.STATUS_CODE_ERROR),
        trace_state="vendor=root,other=2",
        flags=1,
    )
    call = _span(
        f"{trace} 00f067aa0ba902b8 00f067aa0ba902b7",
        "POST",
        (5, 110),
        kind=3,
        values={"http.request.method": "POST", "server.address": "checkout", "http.response.status_code": 500},
    )
    serve = _span(
        f"{trace} 00f067aa0ba902b9 00f067aa0ba902b8",
        "POST /orders",
        (8, 100),
        kind=2,
        values=_EVERY_KIND,
        status=Status(code=Status.STATUS_CODE_OK),
        events=[_event(10, "cache.miss", key="cart:17", size=3), _event(11.5, "")],
        dropped_attributes_count=2,
        dropped_events_count=1,
    )
    query = _span(
        f"{trace} 00f067aa0ba902ba 00f067aa0ba902b9",
        "SELECT orders",
        (12, 30.25),
        kind=3,
        values={"db.system": "postgresql", "db.name": "orders", "server.address": "db.internal", "db.rows": 12},
    )
    pay = _span(
        f"{trace} 00f067aa0ba902bb 00f067aa0ba902b9",
        "charge",
        (50, 55.5),
        kind=3,
        values={"rpc.system": "grpc", "rpc.service": "Payments"},
    )
    charge = _span(
        f"{trace} 00f067aa0ba902bc 00f067aa0ba902bb",
        "Payments/Charge",
        (52, 50),
        kind=2,
        values={"rpc.system": "grpc", "http.method": "POST", "http.status_code": 500},
        status=failed,
        events=[
            _event(
                99,
                "exception",
                exception__type="CardDeclined",
                exception__message="card declined",
                exception__stacktrace="at charge\nat main",
            )
        ],
    )
    return [
        _block(_EDGE, (_HTTP, [edge, call]), schema="https://opentelemetry.io/schemas/1.27.0"),
        _block(_CHECKOUT, (_HTTP, [serve]), (_SQL, [query]), (_BARE, [pay])),
        _block(_PAYMENT, (_HTTP, [charge])),
    ]


def _messaging_blocks() -> list[ResourceSpans]:
    message = {"messaging.system": "kafka", "messaging.destination.name": "receipts"}
    send = _span(f"{PUBLISH} b7ad6b7169203331 -", "send receipts", (60_000, 4), kind=4, values={**message, "order": 17})
    receive = _span(
        f"{CONSUME} 53995c3f42cd8ad8 -",
        "process receipts",
        (60_020, 35),
        kind=5,
        values=message,
        links=[_link(PUBLISH, "b7ad6b7169203331", messaging__batch__index=0), _link(CHECKOUT, "00f067aa0ba902bb")],
    )
    render = _span(f"{CONSUME} 53995c3f42cd8ad9 53995c3f42cd8ad8", "render", (60_025, 20.125))
    return [_block(_CHECKOUT, (_HTTP, [send])), _block(_MAILER, (_HTTP, [receive, render]))]


def _odd_blocks() -> list[ResourceSpans]:
    orphan = _span(
        f"{ORPHAN} a1a2a3a4a5a6a7a8 b1b2b3b4b5b6b7b8",
        "GET /orders/{id}",
        (120_000, 15),
        kind=2,
        values={"http.request.method": "GET", "http.response.status_code": 200, "customer": "acme"},
    )
    short = _span(
        f"{SHORT} a2fb4a1d1a96d312 -", "tick", (180_000, 0.75), values={"customer": "acme", "http.status_code": "200"}
    )
    outer = _span(f"{SKEWED} c1c2c3c4c5c6c7c1 -", "GET /slow", (240_000, 2_000), kind=2)
    early = _span(
        f"{SKEWED} c1c2c3c4c5c6c7c2 c1c2c3c4c5c6c7c1", "Payments/Refund", (239_500, 300), kind=2, values={"slow": True}
    )
    return [
        _block(_CHECKOUT, (_HTTP, [orphan])),
        _block(_MAILER, (_BARE, [short])),
        _block(_EDGE, (_HTTP, [outer])),
        _block(_PAYMENT, (_HTTP, [early])),
    ]


def requests(*, start_ns: int = START_NS) -> list[ExportTraceServiceRequest]:
    """Return the requests in which the traces are sent, as if they began at this time."""
    blocks = (_checkout_blocks(), _messaging_blocks(), _odd_blocks())
    made = [ExportTraceServiceRequest(resource_spans=some) for some in blocks]
    for request in made:
        _shift(request, start_ns - START_NS)
    return made


def _shift(request: ExportTraceServiceRequest, by_ns: int) -> None:
    for block in request.resource_spans:
        for span in (span for scoped in block.scope_spans for span in scoped.spans):
            span.start_time_unix_nano += by_ns
            span.end_time_unix_nano += by_ns
            for event in span.events:
                event.time_unix_nano += by_ns
