"""Spans and headers of messages, the same for every broker; it knows none of them.

A message that is sent has a span of kind producer, and its headers say whatever travels. The handler of one that
arrives runs inside a span of kind consumer, whose parent is the producer's, so that both are one trace; a batch has a
span of its own that links to the producers of all its messages.

Source: OpenTelemetry semantic conventions, "Messaging spans".
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from types import TracebackType
from typing import Final, TypeAlias

from opentelemetry.context import Context
from opentelemetry.propagate import get_global_textmap
from opentelemetry.trace import Link, Span, SpanKind, get_current_span
from opentelemetry.util.types import AnyValue

from homeostat.propagation import (
    Attached,
    Correlation,
    Propagator,
    current,
    current_context,
    new_id,
    with_correlation,
)
from homeostat.tracing.active import ActiveSpan, Begins
from homeostat.tracing.failures import FAILURES
from homeostat.tracing.own import OwnTracers

SYSTEM: Final = "messaging.system"
DESTINATION: Final = "messaging.destination.name"
DESTINATION_TEMPLATE: Final = "messaging.destination.template"
OPERATION: Final = "messaging.operation.name"
OPERATION_TYPE: Final = "messaging.operation.type"
MESSAGE_ID: Final = "messaging.message.id"
BODY_BYTES: Final = "messaging.message.body.size"
BATCH_MESSAGES: Final = "messaging.batch.message_count"
GROUP: Final = "messaging.consumer.group.name"
CAUSATION_ID: Final = "causation.id"

LINKS_MAX: Final = 128
"""Links of a batch's span, which is also the bound of the OpenTelemetry SDK; the count of messages is exact."""

Headers: TypeAlias = Iterable[tuple[str | bytes, object]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """Describe a message, to be sent or received.

    Attributes:
        system: The broker, a value of `messaging.system`.
        destination: Subject, topic, exchange and routing key, stream or queue.
        template: The destination with its variable parts left out, where it has any: it names the span.
        subject: What names the span instead, where neither is what people look for.
        message_id: The broker's or the program's name for it, if it has one.
        body: Its content, of which only the size is told.
        attributes: What else the conventions have for this broker.
        headers: Those that it came with.
    """

    system: str
    destination: str
    template: str | None = None
    subject: str | None = None
    message_id: str | None = None
    body: object = None
    attributes: Mapping[str, AnyValue] = field(default_factory=dict)
    headers: Headers = ()


class Messaging:
    """Make the spans of messages, and carry what travels with them.

    Args:
        propagator: What writes and reads headers.
        tracer: What returns the tracer that makes the spans; that of the process's provider if it is left out.
    """

    def __init__(self, propagator: Propagator, *, tracer: Callable[[], Begins] | None = None) -> None:
        self._propagator = propagator
        self._tracer = tracer or OwnTracers(_SCOPE).current

    @property
    def propagator(self) -> Propagator:
        """Return what writes and reads headers."""
        return self._propagator

    def exchange(
        self, name: str, kind: SpanKind, *, attributes: Mapping[str, AnyValue], context: Context | None = None
    ) -> "Processing":
        """Return a span around something that is no message, with what came along or what is current."""
        active = ActiveSpan(self._tracer(), name, kind, attributes)
        return Processing(active, Context(current_context() if context is None else context))

    def publishing(self, message: Message, *, operation: str = "publish") -> "Publishing":
        """Return a span around the sending of a message; entering it gives the headers to send."""
        attributes = _attributes(message, operation, "send")
        cause = current().message_id
        if cause is not None:
            attributes[CAUSATION_ID] = cause
        name = f"{operation} {_subject(message)}"
        return Publishing(ActiveSpan(self._tracer(), name, SpanKind.PRODUCER, attributes), self._propagator)

    def processing(self, message: Message, *, operation: str = "process") -> "Processing":
        """Return a span around the handling of a message; inside, everything is current that came with it."""
        context = self._propagator.extract_message(message.headers, message_id=message.message_id)
        attributes = _attributes(message, operation, "process")
        cause = current(context).causation_id
        if cause is not None:
            attributes[CAUSATION_ID] = cause
        name = f"{operation} {_subject(message)}"
        return Processing(ActiveSpan(self._tracer(), name, SpanKind.CONSUMER, attributes), context)

    def handling(self, describe: Callable[..., Message], *described: object) -> "AbstractContextManager[object]":
        """Return `processing` of what a library delivered; where that cannot be described, a block without span."""
        try:
            return self.processing(describe(*described))
        except Exception as failure:
            FAILURES.caught(f"reading a message ({describe.__module__})", failure)
            return nullcontext()

    def processing_batch(self, messages: Sequence[Message], *, operation: str = "process") -> "Processing":
        """Return a span around the handling of messages together, linked to where each of them came from.

        Inside, those values are current that all of the messages have in common, and the correlation id is a new one
        where they have several.
        """
        arrived = [
            (message, self._propagator.extract_message(message.headers, message_id=message.message_id))
            for message in messages
        ]
        first = messages[0] if messages else None
        attributes: dict[str, AnyValue] = {OPERATION: operation, OPERATION_TYPE: "process"}
        if first is not None:
            attributes[SYSTEM] = first.system
            _put_common(attributes, DESTINATION, [message.destination for message in messages])
        attributes[BATCH_MESSAGES] = len(messages)
        destination = attributes.get(DESTINATION)
        name = f"{operation} {destination}" if destination else f"{operation} batch"
        active = ActiveSpan(self._tracer(), name, SpanKind.CONSUMER, attributes)
        active.links = [link for message, context in arrived[:LINKS_MAX] if (link := _link(message, context))]
        values = _in_common([current(context) for _, context in arrived])
        return Processing(active, with_correlation(values, current_context()))


_SCOPE: Final = "homeostat.integrations"


def process_messaging() -> Messaging:
    """Return the messaging of this process, as its global propagator says."""
    propagator = get_global_textmap()
    return Messaging(propagator if isinstance(propagator, Propagator) else Propagator())


class Publishing:
    """A span around the sending of a message, current while that lasts."""

    __slots__ = ("_active", "_propagator")

    def __init__(self, active: ActiveSpan, propagator: Propagator) -> None:
        self._active = active
        self._propagator = propagator

    def __enter__(self) -> dict[str, str]:
        """Start the span and return the headers that the message has to carry."""
        self._active.__enter__()
        return self._propagator.headers()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End the span."""
        self._active.__exit__(kind, error, trace)

    @property
    def span(self) -> Span:
        """Return the span."""
        return self._active.span


class Processing:
    """A span around the handling of a message or a batch, current together with what came along.

    For a `with` or an `async with` block.
    """

    __slots__ = ("_active", "_attached")

    def __init__(self, active: ActiveSpan, context: Context) -> None:
        self._active = active
        self._attached = Attached(context)

    def __enter__(self) -> Span:
        """Make current what came along, and start the span."""
        self._attached.__enter__()
        return self._active.__enter__()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End the span and return to what was current before."""
        self._active.__exit__(kind, error, trace)
        self._attached.leave()

    @property
    def span(self) -> Span:
        """Return the span."""
        return self._active.span

    async def __aenter__(self) -> Span:
        """Make current what came along, and start the span."""
        return self.__enter__()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End the span and return to what was current before."""
        self.__exit__(kind, error, trace)


def merged(headers: Mapping[str, object] | None, ours: Mapping[str, str]) -> dict[str, object]:
    """Return a program's headers with ours; those of a message that is passed on do not stay, in whatever case."""
    kept = {name: value for name, value in (headers or {}).items() if name.lower() not in ours}
    kept.update(ours)
    return kept


def _subject(message: Message) -> str:
    return message.subject or message.template or message.destination


def _attributes(message: Message, operation: str, kind: str) -> dict[str, AnyValue]:
    attributes: dict[str, AnyValue] = {
        SYSTEM: message.system,
        DESTINATION: message.destination,
        OPERATION: operation,
        OPERATION_TYPE: kind,
        **message.attributes,
    }
    if message.template is not None:
        attributes[DESTINATION_TEMPLATE] = message.template
    if message.message_id is not None:
        attributes[MESSAGE_ID] = message.message_id
    if isinstance(message.body, bytes | bytearray | memoryview):
        attributes[BODY_BYTES] = len(message.body)
    return attributes


def _put_common(attributes: dict[str, AnyValue], name: str, values: Sequence[str]) -> None:
    if len(set(values)) == 1:
        attributes[name] = values[0]


def _link(message: Message, context: Context) -> Link | None:
    origin = get_current_span(context).get_span_context()
    if not origin.is_valid:
        return None
    return Link(origin, {MESSAGE_ID: message.message_id} if message.message_id is not None else None)


def _in_common(all_values: Sequence[Correlation]) -> Correlation:
    columns = zip(*all_values, strict=True) if all_values else [(None,)] * len(Correlation._fields)
    common = Correlation(*(column[0] if len(set(column)) == 1 else None for column in columns))
    return common if common.correlation_id is not None else common._replace(correlation_id=new_id())
