"""NATS through nats-py: core subjects and JetStream; headers of NATS 2.2 and later.

Every publication passes through `Client.publish`, those of JetStream too, and every handler through a subscription.
What the client says to the server and to itself (acknowledgements, the JetStream API, inboxes) is no message of the
program.
"""

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from typing import Any, Final

from homeostat.integrations.messaging import GROUP, Message, Messaging, merged
from homeostat.integrations.patching import Patches, belongs_to

LIBRARY: Final = "nats"

SYSTEM: Final = "nats"
_MESSAGE_ID: Final = "Nats-Msg-Id"
_CLIENT_S_OWN: Final = ("$", "_INBOX.", "_R_.")
_PATCHES: Final = Patches()


def install(messaging: Messaging) -> None:
    """Carry contexts in all messages of nats-py from now on."""
    if not _PATCHES.start(messaging):
        return
    from nats.aio import subscription
    from nats.aio.client import Client
    from nats.js import JetStreamContext

    _PATCHES.replace(Client, "publish", _publish)
    _PATCHES.replace(Client, "subscribe", _subscribe)
    _PATCHES.replace(JetStreamContext, "subscribe_bind", _subscribe_bind)
    _PATCHES.replace(subscription._SubscriptionMessageIterator, "__aiter__", _iterate)  # noqa: SLF001 - what `async for` asks


def uninstall() -> None:
    """Leave nats-py as it was."""
    _PATCHES.restore()


def received(message: Any, pattern: str | None = None, queue: str | None = None) -> Message:
    """Describe a message of nats-py, which came through a subscription to a pattern, perhaps in a queue group."""
    subject = str(message.subject)
    headers = message.headers or {}
    return Message(
        system=SYSTEM,
        destination=subject,
        template=pattern if pattern and pattern != subject and not pattern.startswith(_CLIENT_S_OWN) else None,
        message_id=headers.get(_MESSAGE_ID),
        body=message.data,
        attributes={GROUP: queue} if queue else {},
        headers=headers.items(),
    )


async def _publish(
    messaging: Messaging,
    original: Callable[..., Awaitable[None]],
    client: Any,
    subject: str,
    payload: bytes = b"",
    reply: str = "",
    headers: Mapping[str, str] | None = None,
) -> None:
    if subject.startswith(_CLIENT_S_OWN):
        return await original(client, subject, payload, reply, headers)
    message = Message(system=SYSTEM, destination=subject, message_id=(headers or {}).get(_MESSAGE_ID), body=payload)
    with messaging.publishing(message) as ours:
        return await original(client, subject, payload, reply, merged(headers, ours))


async def _subscribe(
    messaging: Messaging,
    original: Callable[..., Awaitable[Any]],
    client: Any,
    subject: str,
    queue: str = "",
    cb: Callable[[Any], Awaitable[None]] | None = None,
    **named: Any,
) -> Any:
    handler = cb if cb is None or belongs_to(cb, LIBRARY) else _handling(cb, pattern=subject, queue=queue)
    return await original(client, subject, queue, handler, **named)


async def _subscribe_bind(
    messaging: Messaging,
    original: Callable[..., Awaitable[Any]],
    context: Any,
    stream: str,
    config: Any,
    consumer: str,
    cb: Callable[[Any], Awaitable[None]] | None = None,
    **named: Any,
) -> Any:
    # The client wraps the handler into a function of its own that acknowledges, and subscribes to an inbox with that.
    handler = cb if cb is None or belongs_to(cb, LIBRARY) else _handling(cb)
    return await original(context, stream, config, consumer, handler, **named)


def _handling(
    handler: Callable[[Any], Awaitable[None]], *, pattern: str | None = None, queue: str | None = None
) -> Callable[[Any], Awaitable[None]]:
    async def handle(message: Any) -> None:
        messaging = _PATCHES.messaging
        if messaging is None:
            return await handler(message)
        with messaging.handling(received, message, pattern, queue):
            return await handler(message)

    # Not wrapped by name: whoever looks at it should see that it is the library's, and not wrap it again.
    handle.__module__ = f"{LIBRARY}.handling"
    return handle


def _iterate(
    messaging: Messaging,
    original: Callable[[Any], AsyncIterator[Any]],
    iterator: Any,
) -> AsyncIterator[Any]:
    return _messages(messaging, original(iterator), subscription=getattr(iterator, "_sub", None))


async def _messages(messaging: Messaging, source: AsyncIterator[Any], *, subscription: Any) -> AsyncIterator[Any]:
    """Give each message inside its span; the loop's body is the handler, and runs until it asks for the next one."""
    pattern, queue = getattr(subscription, "subject", None), getattr(subscription, "queue", None)
    while True:
        try:
            message = await anext(source)
        except StopAsyncIteration:
            return
        with messaging.handling(received, message, pattern, queue):
            yield message
