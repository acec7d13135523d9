"""Records of Kafka as both clients see them: headers are pairs of text and bytes. It knows neither client.

Source: OpenTelemetry semantic conventions for Kafka.
"""

from collections.abc import Iterable, Mapping
from typing import Final

from opentelemetry.util.types import AnyValue

from homeostat.integrations.messaging import GROUP, Message

SYSTEM: Final = "kafka"
PARTITION: Final = "messaging.destination.partition.id"
OFFSET: Final = "messaging.kafka.offset"
KEY: Final = "messaging.kafka.message.key"
TOMBSTONE: Final = "messaging.kafka.message.tombstone"


def described(
    *,
    topic: str,
    key: object = None,
    value: object = None,
    partition: int | None = None,
    offset: int | None = None,
    group: str | None = None,
    headers: Iterable[tuple[str | bytes, object]] | None = None,
) -> Message:
    """Return the description of a record that is sent or was received.

    A record has no name of its own; one that was received is known by topic, partition and offset.
    """
    attributes: dict[str, AnyValue] = {}
    if partition is not None:
        attributes[PARTITION] = str(partition)
    if offset is not None:
        attributes[OFFSET] = offset
    if group:
        attributes[GROUP] = group
    text = _text(key)
    if text is not None:
        attributes[KEY] = text
    if value is None:
        attributes[TOMBSTONE] = True
    return Message(system=SYSTEM, destination=topic, body=value, attributes=attributes, headers=headers or ())


def with_headers(
    headers: Iterable[tuple[str, object]] | Mapping[str, object] | None, ours: Mapping[str, str]
) -> list[tuple[str, object]]:
    """Return a program's headers with ours; those of a record that is passed on do not stay."""
    pairs = headers.items() if isinstance(headers, Mapping) else (headers or ())
    kept = [(name, value) for name, value in pairs if name.lower() not in ours]
    return [*kept, *((name, value.encode()) for name, value in ours.items())]


def _text(key: object) -> str | None:
    if isinstance(key, bytes):
        try:
            return key.decode()
        except UnicodeDecodeError:
            return None
    return key if isinstance(key, str) else None
