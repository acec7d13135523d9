"""Kafka through aiokafka: headers of records carry what travels.

The body of `async for` over a consumer runs inside the span of its record. What `getone` and `getmany` return is
handled wherever the program does so: `processing(record)` and `processing_batch(records)` say where. Batches that a
program builds itself (`create_batch`) are its own, and carry nothing.
"""

from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any, Final

from homeostat.integrations.kafka import described, with_headers
from homeostat.integrations.messaging import Message, Messaging
from homeostat.integrations.patching import Patches

LIBRARY: Final = "aiokafka"

_PATCHES: Final = Patches()


def install(messaging: Messaging) -> None:
    """Carry contexts in all records of aiokafka from now on."""
    if not _PATCHES.start(messaging):
        return
    from aiokafka import AIOKafkaConsumer, AIOKafkaProducer

    _PATCHES.replace(AIOKafkaProducer, "send", _send)
    _PATCHES.replace(AIOKafkaConsumer, "__aiter__", _iterate)


def uninstall() -> None:
    """Leave aiokafka as it was."""
    _PATCHES.restore()


def received(record: Any, group: str | None = None) -> Message:
    """Describe a record of aiokafka."""
    return described(
        topic=record.topic,
        key=record.key,
        value=record.value,
        partition=record.partition,
        offset=record.offset,
        group=group,
        headers=record.headers,
    )


async def _send(
    messaging: Messaging,
    original: Callable[..., Awaitable[Any]],
    producer: Any,
    topic: str,
    value: Any = None,
    key: Any = None,
    partition: int | None = None,
    timestamp_ms: int | None = None,
    headers: Any = None,
    **named: Any,
) -> Any:
    message = described(topic=topic, key=key, value=value, partition=partition)
    with messaging.publishing(message, operation="send") as ours:
        sent = with_headers(headers, ours)
        return await original(producer, topic, value, key, partition, timestamp_ms, sent, **named)


def _iterate(messaging: Messaging, original: Callable[[Any], AsyncIterator[Any]], consumer: Any) -> AsyncIterator[Any]:
    return _records(messaging, original(consumer), group=getattr(consumer, "_group_id", None))


async def _records(messaging: Messaging, source: AsyncIterator[Any], *, group: str | None) -> AsyncIterator[Any]:
    """Give each record inside its span; the loop's body is the handler, and runs until it asks for the next one."""
    while True:
        try:
            record = await anext(source)
        except StopAsyncIteration:
            return
        with messaging.handling(received, record, group):
            yield record
