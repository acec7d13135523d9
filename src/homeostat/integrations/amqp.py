"""What the two RabbitMQ clients say alike about a message; it knows neither.

Source: OpenTelemetry semantic conventions for RabbitMQ. The destination is `{exchange}:{routing key}`, with the queue
as a third part on the consumer's side where it differs from the routing key; parts that are empty are left out, so that
a message through the default exchange has the name of its queue.
"""

from collections.abc import Mapping
from typing import Final

from opentelemetry.util.types import AnyValue

from homeostat.integrations.messaging import Message

SYSTEM: Final = "rabbitmq"
ROUTING_KEY: Final = "messaging.rabbitmq.destination.routing_key"
DELIVERY_TAG: Final = "messaging.rabbitmq.message.delivery_tag"


def described(
    *,
    exchange: str,
    routing_key: str,
    queue: str | None = None,
    message_id: str | None = None,
    body: object = None,
    headers: Mapping[str, object] | None = None,
    delivery_tag: int | None = None,
) -> Message:
    """Return the description of a message that is sent, or was received from a queue."""
    parts = [part for part in (exchange, routing_key) if part]
    if queue and queue != routing_key:
        parts.append(queue)
    attributes: dict[str, AnyValue] = {}
    if routing_key:
        attributes[ROUTING_KEY] = routing_key
    if delivery_tag is not None:
        attributes[DELIVERY_TAG] = delivery_tag
    return Message(
        system=SYSTEM,
        destination=":".join(parts) or "amq.default",
        message_id=message_id,
        body=body,
        attributes=attributes,
        headers=(headers or {}).items(),
    )
