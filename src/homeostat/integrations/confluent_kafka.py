"""Kafka through confluent-kafka: headers of records carry what travels.

Its producer is written in C and cannot be changed, so the library's names are bound to subclasses: a program that has
imported `Producer` before the SDK was configured keeps the plain one. What `poll` and `consume` return is handled
wherever the program does so: `processing(record)` and `processing_batch(records)` say where. The asynchronous producer
refuses headers, so its records carry nothing.
"""

from collections.abc import Callable
from typing import Any, Final

from homeostat.integrations.kafka import described, with_headers
from homeostat.integrations.messaging import Message, Messaging
from homeostat.integrations.patching import Patches

LIBRARY: Final = "confluent_kafka"

_PATCHES: Final = Patches()
_CARRYING: Final = "_homeostat_carrying"


def install(messaging: Messaging) -> None:
    """Carry contexts in all records of confluent-kafka's producers from now on."""
    if not _PATCHES.start(messaging):
        return
    import confluent_kafka

    # Written in Python on top of the one in C; what it hands down is serialised and has its headers.
    _PATCHES.replace(confluent_kafka.SerializingProducer, "produce", _produce_serialised)
    if not hasattr(confluent_kafka.Producer, _CARRYING):
        confluent_kafka.Producer = _subclass(confluent_kafka.Producer)  # type: ignore[misc] # what this is about


def uninstall() -> None:
    """Leave confluent-kafka as it was; producers that exist pass calls through."""
    import confluent_kafka

    _PATCHES.restore()
    confluent_kafka.Producer = getattr(confluent_kafka.Producer, _CARRYING, confluent_kafka.Producer)  # type: ignore[misc] # the same


def received(record: Any, group: str | None = None) -> Message:
    """Describe a record of confluent-kafka."""
    return described(
        topic=record.topic(),
        key=record.key(),
        value=record.value(),
        partition=record.partition(),
        offset=record.offset(),
        group=group,
        headers=record.headers(),
    )


def _subclass(plain: Any) -> Any:
    class Producer(plain):  # type: ignore[misc] # a class that is only known when the program runs
        """A producer whose records carry the context in which they are produced."""

        def produce(self, *arguments: Any, **named: Any) -> Any:
            """Send a record, as the client's own method of this name does."""
            messaging = _PATCHES.messaging
            if messaging is None:
                return super().produce(*arguments, **named)
            return _produce(messaging, plain.produce, self, *arguments, **named)

    Producer.__qualname__ = plain.__qualname__
    setattr(Producer, _CARRYING, plain)
    return Producer


def _produce(messaging: Messaging, original: Callable[..., Any], producer: Any, *arguments: Any, **named: Any) -> Any:
    return _sent(messaging, original, producer, arguments, named, places=_PLACES)


def _produce_serialised(
    messaging: Messaging, original: Callable[..., Any], producer: Any, *arguments: Any, **named: Any
) -> Any:
    return _sent(messaging, original, producer, arguments, named, places=_PLACES_SERIALISING)


_PLACES: Final = ("topic", "value", "key")
_PLACES_SERIALISING: Final = ("topic", "key", "value")
_ARGUMENTS_WITHOUT_HEADERS_MAX: Final = 6
"""Arguments by position that both kinds of producer take before the headers, which hardly anybody gives so."""


def _sent(
    messaging: Messaging,
    original: Callable[..., Any],
    producer: Any,
    arguments: tuple[Any, ...],
    named: dict[str, Any],
    *,
    places: tuple[str, ...],
) -> Any:
    given = dict(zip(places, arguments, strict=False)) | named
    message = described(topic=str(given.get("topic")), key=given.get("key"), value=given.get("value"))
    with messaging.publishing(message, operation="send") as ours:
        if len(arguments) <= _ARGUMENTS_WITHOUT_HEADERS_MAX:
            named["headers"] = with_headers(named.get("headers"), ours)
        return original(producer, *arguments, **named)
