"""Redis Streams through redis-py, both its clients: entries have no headers, so fields of their own carry what travels.

Each such field is a header's name behind the prefix `homeostat:`, which no field of a program should begin with.
Programs that read through redis-py with this integration do not see them; others do, and ignore them as they ignore any
field that they do not know.

An entry that `xadd` writes inside a pipeline carries what is current when `xadd` is called. What `xread`, `xreadgroup`,
`xrange`, `xrevrange`, `xclaim` and `xautoclaim` return is handled wherever the program does so: `processing(entry)`
says where. The spans of those commands are made by whoever instruments redis-py.
"""

import sys
from collections.abc import Awaitable, Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from inspect import iscoroutinefunction
from typing import Any, Final

from homeostat.integrations.messaging import GROUP, Message, Messaging, Publishing
from homeostat.integrations.patching import Patches

LIBRARY: Final = "redis"

SYSTEM: Final = "redis"
PREFIX: Final = "homeostat:"
_PREFIX_BYTES: Final = PREFIX.encode()
_READS_OF_SEVERAL: Final = ("xread", "xreadgroup")
_READS: Final = (*_READS_OF_SEVERAL, "xrange", "xrevrange", "xclaim", "xautoclaim")
_PATCHES: Final = Patches()


class Fields(dict[Any, Any]):
    """The fields of an entry as its program wrote them, with the headers that came in others.

    A dictionary in every other respect.
    """

    headers: Mapping[str, object]
    stream: str | bytes | None


def install(messaging: Messaging) -> None:
    """Carry contexts in all entries of streams from now on."""
    if not _PATCHES.start(messaging):
        return
    from redis.commands.core import StreamCommands

    # Both clients and their pipelines inherit the commands from here.
    _PATCHES.replace(StreamCommands, "xadd", _add)
    for name in _READS:
        _PATCHES.replace(StreamCommands, name, _read)


def uninstall() -> None:
    """Leave redis-py as it was."""
    _PATCHES.restore()


def received(entry: Any, stream: str | bytes | None = None, group: str | None = None) -> Message:
    """Describe an entry of a stream: a pair of its id and its fields."""
    entry_id, fields = entry
    carried = fields if isinstance(fields, Fields) else _split(fields)
    name = carried.stream if stream is None else stream
    return Message(
        system=SYSTEM,
        destination=_text(name) if name is not None else "stream",
        message_id=_text(entry_id),
        attributes={GROUP: group} if group else {},
        headers=carried.headers.items(),
    )


def _add(
    messaging: Messaging,
    original: Callable[..., Any],
    client: Any,
    name: Any,
    fields: Mapping[Any, Any],
    *arguments: Any,
    **named: Any,
) -> Any:
    if not fields or not isinstance(fields, dict):
        return original(client, name, fields, *arguments, **named)  # which refuses it
    publishing = messaging.publishing(Message(system=SYSTEM, destination=_text(name)), operation="xadd")

    def add(ours: Mapping[str, str]) -> Any:
        # Those of an entry that is passed on do not stay.
        entry = {**_split(fields), **{f"{PREFIX}{header}": value for header, value in ours.items()}}
        return original(client, name, entry, *arguments, **named)

    if iscoroutinefunction(client.execute_command):
        return _awaited(publishing, add)
    with publishing as ours, _quietly():
        return add(ours)


async def _awaited(publishing: Publishing, add: Callable[[Mapping[str, str]], Awaitable[Any]]) -> Any:
    with publishing as ours, _quietly():
        return await add(ours)


def _quietly() -> AbstractContextManager[object]:
    """Let contrib's package, where it is in use, make no second span of the command."""
    contrib = sys.modules.get("opentelemetry.instrumentation.utils")
    return contrib.suppress_instrumentation() if contrib is not None else nullcontext()


def _read(messaging: Messaging, original: Callable[..., Any], client: Any, *arguments: Any, **named: Any) -> Any:
    answer = original(client, *arguments, **named)
    stream = None
    if original.__name__ not in _READS_OF_SEVERAL:
        stream = named.get("name", arguments[0] if arguments else None)
    if iscoroutinefunction(client.execute_command):
        return _stripped_later(answer, stream)
    return _stripped(answer, stream)


async def _stripped_later(answer: Awaitable[Any], stream: str | bytes | None) -> Any:
    return _stripped(await answer, stream)


def _stripped(answer: Any, stream: str | bytes | None) -> Any:
    """Return an answer with the fields of all its entries split, whatever shape the command and protocol give it."""
    if isinstance(answer, dict):
        return {key: _stripped(value, key) for key, value in answer.items()}
    if isinstance(answer, tuple):
        if len(answer) >= 2 and isinstance(answer[1], dict):
            return (answer[0], _split(answer[1], stream), *answer[2:])
        return answer
    if isinstance(answer, list):
        if len(answer) == 2 and isinstance(answer[0], str | bytes) and isinstance(answer[1], list):
            return [answer[0], _stripped(answer[1], answer[0] if stream is None else stream)]
        return [_stripped(value, stream) for value in answer]
    return answer


def _split(fields: Mapping[Any, Any], stream: str | bytes | None = None) -> Fields:
    headers: dict[str, object] = {}
    kept = Fields()
    for key, value in fields.items():
        if isinstance(key, bytes) and key.startswith(_PREFIX_BYTES):
            headers[key[len(_PREFIX_BYTES) :].decode("latin-1")] = value
        elif isinstance(key, str) and key.startswith(PREFIX):
            headers[key[len(PREFIX) :]] = value
        else:
            kept[key] = value
    kept.headers = headers
    kept.stream = stream
    return kept


def _text(value: Any) -> str:
    return value.decode("utf-8", errors="replace") if isinstance(value, bytes) else str(value)
