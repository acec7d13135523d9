"""Where a program says itself that it handles a message: for clients that give messages and call nobody back.

It knows by a message's type which integration can read it, and imports that one only.
"""

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from importlib import import_module
from typing import Any, Final

from homeostat.exceptions import CarrierUnsupported
from homeostat.integrations.messaging import Message, process_messaging
from homeostat.propagation import Envelope
from homeostat.tracing.failures import FAILURES

_READERS: Final = {
    "nats": "nats",
    "aio_pika": "aio_pika",
    "aiokafka": "aiokafka",
    "cimpl": "confluent_kafka",
    "confluent_kafka": "confluent_kafka",
}
"""Which integration reads messages of types from which package."""


def processing(
    message: object, /, *, destination: str | None = None, group: str | None = None
) -> AbstractContextManager[object]:
    """Return a block that handles a message: inside, its span and everything that came with it are current.

    For messages that a program fetches itself. Handlers that a client calls, and loops over one, have this already.

    Args:
        message: A message of nats-py, aio-pika, aiokafka or confluent-kafka; the three parts `(method, properties,
            body)` that pika's `basic_get` returns; an entry `(id, fields)` of a Redis stream; or an opened `Envelope`.
        destination: Where it came from, if the message does not say: the stream of an entry, the name of a WebSocket.
        group: The consumer group that reads, if any.

    Example:
        >>> from homeostat.propagation import enveloped, opened
        >>> with processing(opened(enveloped({"order": 7})), destination="/orders"):
        ...     pass
    """
    try:
        return process_messaging().processing(_described(message, destination=destination, group=group))
    except Exception as failure:
        FAILURES.caught("processing a message", failure)
        return nullcontext()


def processing_batch(
    messages: Sequence[object], /, *, destination: str | None = None, group: str | None = None
) -> AbstractContextManager[object]:
    """Return a block that handles messages together: one span, which links to where each of them came from.

    Inside, those values are current that all of the messages have in common.

    Args:
        messages: As `processing` takes one.
        destination: Where they came from, if the messages do not say.
        group: The consumer group that reads, if any.
    """
    try:
        described = [_described(message, destination=destination, group=group) for message in messages]
        return process_messaging().processing_batch(described)
    except Exception as failure:
        FAILURES.caught("processing a batch of messages", failure)
        return nullcontext()


def _described(message: Any, *, destination: str | None, group: str | None) -> Message:
    if isinstance(message, Message):
        return message
    if isinstance(message, Envelope):
        return Message(system="websocket", destination=destination or "websocket", headers=message.pairs())
    if isinstance(message, tuple) and len(message) == 3 and hasattr(message[1], "headers"):
        return _reader("pika")(*message, destination)
    if isinstance(message, tuple) and len(message) == 2 and isinstance(message[1], dict):
        return _reader("redis_streams")(message, destination, group)
    library = type(message).__module__.partition(".")[0]
    if library not in _READERS:
        raise CarrierUnsupported(
            "read the context of a message", value=type(message), hint="see docs/sdk/propagation.md"
        )
    read = _reader(_READERS[library])
    if library == "nats":
        return read(message, destination, group)
    return read(message, destination if library == "aio_pika" else group)


def _reader(integration: str) -> Callable[..., Message]:
    reader: Callable[..., Message] = import_module(f"homeostat.integrations.{integration}").received
    return reader
