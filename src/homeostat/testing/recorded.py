"""A finished span as tests see it, the same whether it was captured here or fetched from a platform.

It judges nothing.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, Literal

from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.trace import SpanContext, TraceState, format_span_id, format_trace_id

from homeostat.sampling import weight

Kind = Literal["internal", "server", "client", "producer", "consumer"]
Status = Literal["unset", "ok", "error"]

_SERVICE: Final = "service.name"
_NS_PER_S: Final = 1_000_000_000


@dataclass(frozen=True, slots=True)
class RecordedEvent:
    """Hold something that happened within a span.

    Attributes:
        name: what it is called; `exception` for an error.
        attributes: what is said about it.
        time_ns: when it happened, in nanoseconds since 1970.
    """

    name: str
    attributes: Mapping[str, object] = field(default_factory=dict)
    time_ns: int = 0


@dataclass(frozen=True, slots=True)
class RecordedLink:
    """Hold a reference to another span that is not the parent.

    Attributes:
        trace_id: its trace, 32 hexadecimal digits.
        span_id: the span, 16 hexadecimal digits.
        attributes: what is said about the reference.
    """

    trace_id: str
    span_id: str
    attributes: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordedSpan:
    """Hold a span that has ended.

    Attributes:
        name: what it is called.
        trace_id: its trace, 32 hexadecimal digits.
        span_id: its own id, 16 hexadecimal digits.
        parent_id: the id of its parent, here or in another process; None for the root of the trace.
        kind: its side of a conversation.
        status: whether it erred.
        status_message: what it says about that.
        attributes: what is said about it; sequences are lists.
        events: what happened within it, in order.
        links: spans that it refers to.
        start_ns: when it began, in nanoseconds since 1970.
        end_ns: when it ended.
        service: `service.name` of the process that made it.
        scope: the library that made it.
        trace_state: what travels with its context, as in the header `tracestate`.
    """

    name: str
    trace_id: str
    span_id: str
    parent_id: str | None = None
    kind: Kind = "internal"
    status: Status = "unset"
    status_message: str = ""
    attributes: Mapping[str, object] = field(default_factory=dict)
    events: tuple[RecordedEvent, ...] = ()
    links: tuple[RecordedLink, ...] = ()
    start_ns: int = 0
    end_ns: int = 0
    service: str = ""
    scope: str = ""
    trace_state: str = ""

    @property
    def duration_s(self) -> float:
        """Return how long it took, in seconds."""
        return (self.end_ns - self.start_ns) / _NS_PER_S

    @property
    def weight(self) -> float | None:
        """Return how many spans it stands for after sampling; None where its tracestate does not say."""
        return weight(TraceState.from_header([self.trace_state]))


_KINDS: Final[dict[str, Kind]] = {
    "INTERNAL": "internal",
    "SERVER": "server",
    "CLIENT": "client",
    "PRODUCER": "producer",
    "CONSUMER": "consumer",
}
_STATUSES: Final[dict[str, Status]] = {"UNSET": "unset", "OK": "ok", "ERROR": "error"}


def recorded(span: ReadableSpan) -> RecordedSpan:
    """Return a span that OpenTelemetry's SDK has ended."""
    scope = span.instrumentation_scope
    return RecordedSpan(
        name=span.name,
        **_identity(span.context),
        parent_id=None if span.parent is None else format_span_id(span.parent.span_id),
        kind=_KINDS[span.kind.name],
        status=_STATUSES[span.status.status_code.name],
        status_message=span.status.description or "",
        attributes=plain_attributes(span.attributes),
        events=tuple(
            RecordedEvent(event.name, plain_attributes(event.attributes), event.timestamp) for event in span.events
        ),
        links=tuple(
            RecordedLink(**_identity(link.context), attributes=plain_attributes(link.attributes)) for link in span.links
        ),
        start_ns=span.start_time or 0,
        end_ns=span.end_time or 0,
        service=str(span.resource.attributes.get(_SERVICE, "")),
        scope=scope.name if scope is not None else "",
        trace_state=span.context.trace_state.to_header(),
    )


def plain(value: object) -> object:
    """Return a value with lists for all sequences, so that what is written as a list compares equal."""
    if isinstance(value, list | tuple):
        return [plain(member) for member in value]
    if isinstance(value, Mapping):
        return {key: plain(member) for key, member in value.items()}
    return value


def plain_attributes(attributes: Mapping[str, object] | None) -> dict[str, object]:
    """Return attributes with plain values, apart from those they come from."""
    return {key: plain(value) for key, value in (attributes or {}).items()}


def _identity(context: SpanContext) -> dict[str, str]:
    return {"trace_id": format_trace_id(context.trace_id), "span_id": format_span_id(context.span_id)}
