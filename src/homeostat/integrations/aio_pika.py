"""RabbitMQ through aio-pika: the AMQP headers table carries what travels.

A handler given to `consume` runs inside the span of its message; so does the body of `async for` over a queue's
iterator, and of `message.process()` for messages that came by `get`.
"""

import copy
from collections.abc import AsyncIterator, Awaitable, Callable
from contextvars import ContextVar
from typing import Any, Final

from homeostat.integrations.amqp import described
from homeostat.integrations.messaging import Message, Messaging, Processing, merged
from homeostat.integrations.patching import Patches, belongs_to

LIBRARY: Final = "aio_pika"

_PATCHES: Final = Patches()
_HANDLED: Final[ContextVar[object]] = ContextVar("homeostat_aio_pika_handled", default=None)
"""The message whose span is open here already; messages have no place for a mark of ours."""
_BLOCK: Final = "_homeostat_block"


def install(messaging: Messaging) -> None:
    """Carry contexts in all messages of aio-pika from now on."""
    if not _PATCHES.start(messaging):
        return
    from aio_pika.exchange import Exchange
    from aio_pika.message import ProcessContext
    from aio_pika.queue import Queue, QueueIterator

    _PATCHES.replace(Exchange, "publish", _publish)
    _PATCHES.replace(Queue, "consume", _consume)
    _PATCHES.replace(QueueIterator, "__aiter__", _iterate)
    _PATCHES.replace(ProcessContext, "__aenter__", _enter_process)
    _PATCHES.replace(ProcessContext, "__aexit__", _exit_process)


def uninstall() -> None:
    """Leave aio-pika as it was."""
    _PATCHES.restore()


def received(message: Any, queue: str | None = None) -> Message:
    """Describe a message of aio-pika."""
    return described(
        exchange=message.exchange or "",
        routing_key=message.routing_key or "",
        queue=queue,
        message_id=message.message_id,
        body=message.body,
        headers=message.headers or {},
        delivery_tag=message.delivery_tag,
    )


async def _publish(
    messaging: Messaging,
    original: Callable[..., Awaitable[Any]],
    exchange: Any,
    message: Any,
    routing_key: str,
    **named: Any,
) -> Any:
    sent = described(
        exchange=exchange.name or "", routing_key=routing_key, message_id=message.message_id, body=message.body
    )
    with messaging.publishing(sent) as ours:
        # The message is the program's: it may be sent again, by another request at the same time, or be locked.
        carrying = copy.copy(message)
        carrying.headers = merged(message.headers, ours)
        return await original(exchange, carrying, routing_key, **named)


async def _consume(
    messaging: Messaging,
    original: Callable[..., Awaitable[Any]],
    queue: Any,
    callback: Callable[[Any], Any],
    *arguments: Any,
    **named: Any,
) -> Any:
    handler = callback if belongs_to(callback, LIBRARY) else _handling(callback, queue=queue.name)
    return await original(queue, handler, *arguments, **named)


def _handling(callback: Callable[[Any], Any], *, queue: str) -> Callable[[Any], Awaitable[Any]]:
    async def handle(message: Any) -> Any:
        messaging = _PATCHES.messaging
        if messaging is None:
            return await _answer(callback(message))
        # aio-pika makes a task for each message, so this ends with it.
        _HANDLED.set(message)
        with messaging.handling(received, message, queue):
            return await _answer(callback(message))

    handle.__module__ = f"{LIBRARY}.handling"
    return handle


async def _answer(answer: Any) -> Any:
    return await answer if isinstance(answer, Awaitable) else answer


def _iterate(messaging: Messaging, original: Callable[[Any], AsyncIterator[Any]], iterator: Any) -> AsyncIterator[Any]:
    return _messages(messaging, original(iterator), queue=getattr(iterator, "_amqp_queue", None))


async def _messages(messaging: Messaging, source: AsyncIterator[Any], *, queue: Any) -> AsyncIterator[Any]:
    """Give each message inside its span; the loop's body is the handler, and runs until it asks for the next one."""
    while True:
        try:
            message = await anext(source)
        except StopAsyncIteration:
            return
        _HANDLED.set(message)
        with messaging.handling(received, message, getattr(queue, "name", None)):
            yield message
        _HANDLED.set(None)


async def _enter_process(messaging: Messaging, original: Callable[[Any], Awaitable[Any]], block: Any) -> Any:
    entered = await original(block)
    if _HANDLED.get() is not block.message:
        processing = messaging.handling(received, block.message)
        processing.__enter__()
        setattr(block, _BLOCK, processing)
    return entered


async def _exit_process(
    messaging: Messaging, original: Callable[..., Awaitable[Any]], block: Any, kind: Any, error: Any, trace: Any
) -> Any:
    processing: Processing | None = getattr(block, _BLOCK, None)
    try:
        return await original(block, kind, error, trace)
    finally:
        if processing is not None:
            processing.__exit__(kind, error, trace)
