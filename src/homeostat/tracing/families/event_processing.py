"""Events that a handler works on, wherever they came from: an event store, a stream, a timer, a change of data."""

from collections.abc import Mapping, Sequence
from typing import Final

from opentelemetry.trace import Link, SpanKind
from opentelemetry.util.types import AnyValue

from homeostat.tracing.active import ActiveSpan
from homeostat.tracing.attributes import Declared, Family, Shape, Source, family_span

_DEVELOPMENT: Final = Source.DEVELOPMENT

EVENT_PROCESSING: Final = Family(
    "event-processing",
    "An event that a handler works on.",
    "`handle` and the type of the event: `handle order.created`",
    (
        Declared("cloudevents.event_id", Shape.TEXT, "Event, unique within its source.", _DEVELOPMENT),
        Declared("cloudevents.event_source", Shape.TEXT, "Where it happened.", _DEVELOPMENT),
        Declared("cloudevents.event_type", Shape.TEXT, "What happened: `order.created`.", _DEVELOPMENT),
        Declared("cloudevents.event_subject", Shape.TEXT, "What it happened to.", _DEVELOPMENT),
        Declared("cloudevents.event_spec_version", Shape.TEXT, "Version of CloudEvents.", _DEVELOPMENT),
        Declared("causation.id", Shape.TEXT, "Message or request that led to it."),
        Declared("event.handler", Shape.TEXT, "Who works on it."),
        Declared("event.stream", Shape.TEXT, "Stream or aggregate that it belongs to."),
        Declared("event.sequence", Shape.INTEGER, "Position in the stream."),
        Declared("event.version", Shape.TEXT, "Version of the event's schema."),
        Declared("event.attempt", Shape.INTEGER, "Which attempt it is, from 1."),
        Declared("event.age_s", Shape.NUMBER, "Time between the event and its handling, in seconds."),
        Declared("event.outcome", Shape.TEXT, "`handled`, `ignored`, `retried` or `dead_letter`."),
        Declared("event.replay", Shape.SWITCH, "Whether it is handled again to rebuild state."),
    ),
)


def event_span(
    event_type: str,
    *,
    event_id: str | None = None,
    source: str | None = None,
    subject: str | None = None,
    handler: str | None = None,
    attempt: int | None = None,
    links: Sequence[Link] = (),
    attributes: Mapping[str, AnyValue] | None = None,
) -> ActiveSpan:
    """Return a span of an event that is handled.

    Args:
        event_type: what happened: `order.created`.
        event_id: unique within its source.
        source: where it happened.
        subject: what it happened to.
        handler: who works on it.
        attempt: which attempt it is, from 1.
        links: spans that it comes from without being their child.
        attributes: more of the family.
    """
    active = family_span(
        EVENT_PROCESSING,
        f"handle {event_type}",
        kind=SpanKind.CONSUMER,
        values={
            "cloudevents.event_type": event_type,
            "cloudevents.event_id": event_id,
            "cloudevents.event_source": source,
            "cloudevents.event_subject": subject,
            "event.handler": handler,
            "event.attempt": attempt,
        },
        more=attributes,
    )
    active.links = links
    return active
