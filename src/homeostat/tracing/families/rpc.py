"""Remote procedure calls, from both sides."""

from collections.abc import Mapping
from typing import Final

from opentelemetry.trace import SpanKind
from opentelemetry.util.types import AnyValue

from homeostat.tracing.active import ActiveSpan
from homeostat.tracing.attributes import Declared, Family, Shape, Source, family_span

_DEVELOPMENT: Final = Source.DEVELOPMENT

RPC: Final = Family(
    "rpc",
    "A procedure that is called in another process.",
    "the method with its service: `orders.Orders/Create`",
    (
        Declared("rpc.system.name", Shape.TEXT, "System: `grpc`, `jsonrpc`, `dubbo`, `connectrpc`.", _DEVELOPMENT),
        Declared("rpc.method", Shape.TEXT, "Service and method.", _DEVELOPMENT),
        Declared("rpc.response.status_code", Shape.TEXT, "Status that was returned, as text.", _DEVELOPMENT),
        Declared("server.address", Shape.TEXT, "Name or address of the server.", Source.STABLE),
        Declared("server.port", Shape.INTEGER, "Port of the server.", Source.STABLE),
        Declared("client.address", Shape.TEXT, "Address of the caller.", Source.STABLE),
        Declared("network.transport", Shape.TEXT, "Transport: `tcp`, `unix`.", Source.STABLE),
    ),
)


def rpc_client_span(
    system: str,
    method: str,
    *,
    server_address: str | None = None,
    server_port: int | None = None,
    attributes: Mapping[str, AnyValue] | None = None,
) -> ActiveSpan:
    """Return a span of a procedure that is called elsewhere.

    Args:
        system: `grpc`, `jsonrpc` and the like.
        method: service and method: `orders.Orders/Create`.
        server_address: name or address of the server.
        server_port: its port.
        attributes: more of the family.
    """
    return family_span(
        RPC,
        method,
        kind=SpanKind.CLIENT,
        values={
            "rpc.system.name": system,
            "rpc.method": method,
            "server.address": server_address,
            "server.port": server_port,
        },
        more=attributes,
    )


def rpc_server_span(
    system: str,
    method: str,
    *,
    client_address: str | None = None,
    attributes: Mapping[str, AnyValue] | None = None,
) -> ActiveSpan:
    """Return a span of a procedure that somebody called here.

    Args:
        system: `grpc`, `jsonrpc` and the like.
        method: service and method: `orders.Orders/Create`.
        client_address: address of the caller.
        attributes: more of the family.
    """
    return family_span(
        RPC,
        method,
        kind=SpanKind.SERVER,
        values={"rpc.system.name": system, "rpc.method": method, "client.address": client_address},
        more=attributes,
    )
