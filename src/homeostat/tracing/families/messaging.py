"""Messages through brokers, for clients that are not instrumented. The trace travels by `propagation`."""

from collections.abc import Mapping, Sequence
from typing import Final

from opentelemetry.trace import Link, SpanKind
from opentelemetry.util.types import AnyValue

from homeostat.tracing.active import ActiveSpan
from homeostat.tracing.attributes import Declared, Family, Shape, Source, family_span

_DEVELOPMENT: Final = Source.DEVELOPMENT

MESSAGING: Final = Family(
    "messaging",
    "A message that is sent to a broker, received from it, or handled.",
    "the operation and the destination: `send orders`, `process orders`",
    (
        Declared("messaging.system", Shape.TEXT, "Broker: `kafka`, `rabbitmq`, `nats`.", _DEVELOPMENT),
        Declared("messaging.operation.name", Shape.TEXT, "Operation in the broker's own word.", _DEVELOPMENT),
        Declared("messaging.operation.type", Shape.TEXT, "`send`, `receive`, `process` or `settle`.", _DEVELOPMENT),
        Declared("messaging.destination.name", Shape.TEXT, "Queue, topic or subject.", _DEVELOPMENT),
        Declared("messaging.destination.template", Shape.TEXT, "The same with few values.", _DEVELOPMENT),
        Declared("messaging.destination.partition.id", Shape.TEXT, "Partition.", _DEVELOPMENT),
        Declared("messaging.consumer.group.name", Shape.TEXT, "Group of consumers.", _DEVELOPMENT),
        Declared("messaging.client.id", Shape.TEXT, "Who sends or consumes.", _DEVELOPMENT),
        Declared("messaging.message.id", Shape.TEXT, "Message, as the broker names it.", _DEVELOPMENT),
        Declared("messaging.message.conversation_id", Shape.TEXT, "Conversation it belongs to.", _DEVELOPMENT),
        Declared("messaging.message.body.size", Shape.INTEGER, "Size of the body in bytes.", _DEVELOPMENT),
        Declared("messaging.batch.message_count", Shape.INTEGER, "Messages of a batch.", _DEVELOPMENT),
        Declared("causation.id", Shape.TEXT, "Message or request that led to this one."),
        Declared("server.address", Shape.TEXT, "Name or address of the broker.", Source.STABLE),
        Declared("server.port", Shape.INTEGER, "Port of the broker.", Source.STABLE),
    ),
)


def producer_span(
    system: str,
    destination: str,
    *,
    operation: str = "send",
    message_id: str | None = None,
    attributes: Mapping[str, AnyValue] | None = None,
) -> ActiveSpan:
    """Return a span of a message that is sent.

    Args:
        system: `kafka`, `rabbitmq`, `nats` and the like.
        destination: queue, topic or subject.
        operation: the broker's own word for sending.
        message_id: as the broker names it.
        attributes: more of the family.
    """
    values = _values(system, destination, operation=(operation, "send"), message_id=message_id)
    return family_span(MESSAGING, f"{operation} {destination}", kind=SpanKind.PRODUCER, values=values, more=attributes)


def consumer_span(
    system: str,
    destination: str,
    *,
    operation: str = "process",
    message_id: str | None = None,
    group: str | None = None,
    links: Sequence[Link] = (),
    attributes: Mapping[str, AnyValue] | None = None,
) -> ActiveSpan:
    """Return a span of a message, or a batch of them, that is handled.

    Args:
        system: `kafka`, `rabbitmq`, `nats` and the like.
        destination: queue, topic or subject.
        operation: the broker's own word for it.
        message_id: as the broker names it.
        group: of the consumers.
        links: spans that sent the messages, for a batch.
        attributes: more of the family.
    """
    values = _values(system, destination, operation=(operation, "process"), message_id=message_id)
    values["messaging.consumer.group.name"] = group
    links = tuple(links)
    values["messaging.batch.message_count"] = len(links) or None
    active = family_span(
        MESSAGING, f"{operation} {destination}", kind=SpanKind.CONSUMER, values=values, more=attributes
    )
    active.links = links
    return active


def _values(
    system: str, destination: str, *, operation: tuple[str, str], message_id: str | None
) -> dict[str, AnyValue]:
    return {
        "messaging.system": system,
        "messaging.destination.name": destination,
        "messaging.operation.name": operation[0],
        "messaging.operation.type": operation[1],
        "messaging.message.id": message_id,
    }
