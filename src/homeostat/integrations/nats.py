"""NATS through nats-py: core subjects and JetStream; headers of NATS 2.2 and later.

Every publication passes through `Client.publish`, those of JetStream too, and every handler through a subscription.
What the client says to the server and to itself (acknowledgements, the JetStream API, inboxes) is no message of the
program.
"""

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from functools import partial
from inspect import iscoroutinefunction
from typing import Any, Final, TypeGuard

from homeostat.integrations.messaging import GROUP, Message, Messaging, merged
from homeostat.integrations.patching import Patches, belongs_to

LIBRARY: Final = "nats"

SYSTEM: Final = "nats"
_MESSAGE_ID: Final = "Nats-Msg-Id"
_CLIENT_S_OWN: Final = ("$", "_INBOX.", "_R_.")
_ROOM_PLENTY_BYTES: Final = 32_768
"""More than all our headers together can have; only closer to the bound are they counted."""
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
    **named: Any,
) -> None:
    if subject.startswith(_CLIENT_S_OWN):
        return await original(client, subject, payload, reply, headers, **named)
    message = Message(system=SYSTEM, destination=subject, message_id=(headers or {}).get(_MESSAGE_ID), body=payload)
    with messaging.publishing(message) as ours:
        sent = merged(headers, ours) if _takes(client, payload, ours) else headers
        return await original(client, subject, payload, reply, sent, **named)


def _takes(client: Any, payload: bytes, ours: Mapping[str, str]) -> bool:
    """Say whether the server knows headers, and has room for ours: it counts them into its bound on a message."""
    if not getattr(client, "_server_info", {}).get("headers", True):
        return False
    room = getattr(client, "max_payload", _ROOM_PLENTY_BYTES) - len(payload)
    return room > _ROOM_PLENTY_BYTES or room > sum(len(name) + len(value) + 4 for name, value in ours.items()) + 16


async def _subscribe(
    messaging: Messaging,
    original: Callable[..., Awaitable[Any]],
    client: Any,
    subject: str,
    queue: str = "",
    cb: Callable[[Any], Awaitable[None]] | None = None,
    *arguments: Any,
    **named: Any,
) -> Any:
    handler = _handling(cb, pattern=subject, queue=queue) if _is_handler(cb) else cb
    return await original(client, subject, queue, handler, *arguments, **named)


async def _subscribe_bind(
    messaging: Messaging,
    original: Callable[..., Awaitable[Any]],
    context: Any,
    stream: str,
    config: Any,
    consumer: str,
    cb: Callable[[Any], Awaitable[None]] | None = None,
    *arguments: Any,
    **named: Any,
) -> Any:
    # The client wraps the handler into a function of its own that acknowledges, and subscribes to an inbox with that.
    handler = _handling(cb) if _is_handler(cb) else cb
    return await original(context, stream, config, consumer, handler, *arguments, **named)


def _is_handler(callback: Any) -> TypeGuard[Callable[[Any], Awaitable[None]]]:
    """Say whether it is a program's handler; what the client refuses is left to it."""
    function = callback.func if isinstance(callback, partial) else callback
    return iscoroutinefunction(function) and not belongs_to(function, LIBRARY)


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
