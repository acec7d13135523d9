"""What nodes of a mesh say to each other: joining, routing, gossip, elections, replication."""

from collections.abc import Mapping
from typing import Final

from opentelemetry.trace import SpanKind
from opentelemetry.util.types import AnyValue

from homeostat.tracing.active import ActiveSpan
from homeostat.tracing.attributes import Declared, Family, Shape, Source, family_span

MESH_NETWORK: Final = Family(
    "mesh-network",
    "Something that nodes of a mesh do with each other.",
    "the operation and the mesh: `gossip fleet`",
    (
        Declared("mesh.name", Shape.TEXT, "Mesh."),
        Declared("mesh.operation", Shape.TEXT, "`join`, `leave`, `route`, `gossip`, `elect`, `replicate`, `probe`."),
        Declared("mesh.node.id", Shape.TEXT, "Node that does it."),
        Declared("mesh.node.role", Shape.TEXT, "Its role: `leader`, `follower`, `relay`."),
        Declared("mesh.peer.id", Shape.TEXT, "Node that it is done with."),
        Declared("mesh.peers.count", Shape.INTEGER, "Nodes, where there are several."),
        Declared("mesh.hop", Shape.INTEGER, "How many nodes were passed before this one."),
        Declared("mesh.hops_max", Shape.INTEGER, "How many may be passed."),
        Declared("mesh.term", Shape.INTEGER, "Term of an election."),
        Declared("mesh.payload.size_bytes", Shape.INTEGER, "Size of what is handed on, in bytes."),
        Declared("mesh.round_trip_s", Shape.NUMBER, "Time until the peer answered, in seconds."),
        Declared("mesh.outcome", Shape.TEXT, "`delivered`, `forwarded`, `dropped` or `unreachable`."),
        Declared("network.peer.address", Shape.TEXT, "Address of the peer.", Source.STABLE),
        Declared("network.peer.port", Shape.INTEGER, "Port of the peer.", Source.STABLE),
        Declared("network.transport", Shape.TEXT, "Transport: `tcp`, `udp`, `quic`.", Source.STABLE),
    ),
)


def mesh_span(
    operation: str,
    mesh: str,
    *,
    node: str | None = None,
    peer: str | None = None,
    hop: int | None = None,
    kind: SpanKind = SpanKind.CLIENT,
    attributes: Mapping[str, AnyValue] | None = None,
) -> ActiveSpan:
    """Return a span of something that nodes do with each other.

    Args:
        operation: `join`, `route`, `gossip` and the like.
        mesh: its name.
        node: that does it.
        peer: that it is done with.
        hop: how many nodes were passed before this one.
        kind: `SERVER` on the side that was asked.
        attributes: more of the family.
    """
    return family_span(
        MESH_NETWORK,
        f"{operation} {mesh}",
        kind=kind,
        values={
            "mesh.operation": operation,
            "mesh.name": mesh,
            "mesh.node.id": node,
            "mesh.peer.id": peer,
            "mesh.hop": hop,
        },
        more=attributes,
    )
