"""RabbitMQ through pika, blocking and asynchronous: the AMQP headers table carries what travels.

A handler given to `basic_consume` runs inside the span of its message, and so does the body of a loop over `consume`.
What `basic_get` returns is handled wherever the program does so: `processing(message)` says where.
"""

import copy
from collections.abc import Callable, Iterator
from typing import Any, Final

from homeostat.integrations.amqp import described
from homeostat.integrations.messaging import Message, Messaging, merged
from homeostat.integrations.patching import Patches, belongs_to

LIBRARY: Final = "pika"

_PATCHES: Final = Patches()


def install(messaging: Messaging) -> None:
    """Carry contexts in all messages of pika from now on."""
    if not _PATCHES.start(messaging):
        return
    from pika.adapters.blocking_connection import BlockingChannel
    from pika.channel import Channel

    # The blocking channel publishes and consumes through a plain one.
    _PATCHES.replace(Channel, "basic_publish", _publish)
    _PATCHES.replace(Channel, "basic_consume", _consume)
    _PATCHES.replace(BlockingChannel, "basic_consume", _consume)
    _PATCHES.replace(BlockingChannel, "consume", _iterate)


def uninstall() -> None:
    """Leave pika as it was."""
    _PATCHES.restore()


def received(method: Any, properties: Any, body: object, queue: str | None = None) -> Message:
    """Describe a message as pika delivers it, in three parts."""
    return described(
        exchange=method.exchange or "",
        routing_key=method.routing_key or "",
        queue=queue,
        message_id=properties.message_id,
        body=body,
        headers=properties.headers or {},
        delivery_tag=method.delivery_tag,
    )


def _publish(
    messaging: Messaging,
    original: Callable[..., None],
    channel: Any,
    exchange: str,
    routing_key: str,
    body: Any,
    properties: Any = None,
    mandatory: bool = False,  # noqa: FBT001, FBT002 - pika's
) -> None:
    from pika.spec import BasicProperties

    # The properties are the program's: they may be sent again, by another request.
    sent = copy.copy(properties) if properties is not None else BasicProperties()
    message = described(exchange=exchange, routing_key=routing_key, message_id=sent.message_id, body=body)
    with messaging.publishing(message) as ours:
        sent.headers = merged(sent.headers, ours)
        return original(channel, exchange, routing_key, body, sent, mandatory)


def _consume(
    messaging: Messaging,
    original: Callable[..., Any],
    channel: Any,
    queue: str,
    on_message_callback: Callable[..., Any],
    *arguments: Any,
    **named: Any,
) -> Any:
    handler = on_message_callback
    if not belongs_to(handler, LIBRARY) and callable(handler):
        handler = _handling(handler, queue=queue)
    return original(channel, queue, handler, *arguments, **named)


def _handling(callback: Callable[..., Any], *, queue: str) -> Callable[..., Any]:
    def handle(channel: Any, method: Any, properties: Any, body: Any) -> Any:
        messaging = _PATCHES.messaging
        if messaging is None:
            return callback(channel, method, properties, body)
        with messaging.handling(received, method, properties, body, queue):
            return callback(channel, method, properties, body)

    handle.__module__ = f"{LIBRARY}.handling"
    return handle


def _iterate(
    messaging: Messaging,
    original: Callable[..., Iterator[Any]],
    channel: Any,
    queue: str,
    *arguments: Any,
    **named: Any,
) -> Iterator[Any]:
    return _messages(messaging, original(channel, queue, *arguments, **named), queue=queue)


def _messages(messaging: Messaging, source: Iterator[Any], *, queue: str) -> Iterator[Any]:
    """Give each message inside its span; the loop's body is the handler, and runs until it asks for the next one."""
    for method, properties, body in source:
        if method is None:  # nothing came in the time that the program was willing to wait
            yield method, properties, body
            continue
        with messaging.handling(received, method, properties, body, queue):
            yield method, properties, body
