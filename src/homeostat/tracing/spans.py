"""A span that costs a third of the SDK's and is one of them.

`LeanSpan` is a subclass of the SDK's `Span`: every processor and exporter takes it. What it saves: attributes are a
plain dict that is copied once, lists for events and links are made when there is an event or a link, and the ended span
itself goes to the processors instead of a copy of it.

It does not know which spans are kept, nor where they go.
"""

import threading
from collections.abc import Mapping, Sequence
from time import time_ns
from types import TracebackType
from typing import Final, Protocol, Self

from opentelemetry.attributes import BoundedAttributes
from opentelemetry.context import Context
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import Event, ReadableSpan, Span, SpanLimits
from opentelemetry.sdk.util import BoundedList
from opentelemetry.sdk.util.instrumentation import InstrumentationScope
from opentelemetry.trace import Link, SpanContext, SpanKind, Status, StatusCode
from opentelemetry.util.types import AnyValue, Attributes

from homeostat.tracing.errors import ERROR_TYPE, EXCEPTION_EVENT, error_message, error_type, exception_attributes
from homeostat.tracing.failures import FAILURES
from homeostat.tracing.values import PLAIN, Bounds, cleaned, cleaned_value

UNSET: Final = Status(StatusCode.UNSET)


class Ended(Protocol):
    """Where spans go when they begin and end: the processors of a provider."""

    def on_start(self, span: Span, parent_context: Context | None = None) -> None:
        """Take a span that began."""

    def on_end(self, span: ReadableSpan) -> None:
        """Take a span that ended."""

    def on_ending(self, span: Span) -> None:
        """Take a span that is about to end."""


class SpanBounds:
    """The SDK's limits, read once."""

    __slots__ = ("event", "events_max", "link", "links_max", "span")

    def __init__(self, limits: SpanLimits) -> None:
        self.span: Bounds = Bounds(limits.max_span_attributes, limits.max_span_attribute_length)
        self.event: Bounds = Bounds(limits.max_event_attributes, limits.max_attribute_length)
        self.link: Bounds = Bounds(limits.max_link_attributes, limits.max_attribute_length)
        self.events_max: int | None = limits.max_events
        self.links_max: int | None = limits.max_links


class LeanSpan(Span):
    """An operation that is recorded. Tracers make it; use `homeostat.span()` or a tracer.

    What most spans never change is an attribute of the class, so that making a span does not write it.
    """

    _end_time: int | None = None
    _status: Status = UNSET
    _events: Sequence[Event] = ()
    _links: Sequence[Link] = ()
    _instrumentation_info = None
    _sampler = None
    _trace_config = None
    _record_exception = True
    _set_status_on_exception = True
    _dropped_attributes = 0

    def __init__(
        self,
        name: str,
        context: SpanContext,
        parent: SpanContext | None,
        kind: SpanKind,
        start_time: int,
        attributes: dict[str, AnyValue],
        resource: Resource,
        scope: InstrumentationScope,
        processors: Ended,
        bounds: SpanBounds,
    ) -> None:
        # The constructor of the SDK's class is left out: it makes what this class replaces.
        self._name = name
        self._context = context
        self._parent = parent
        self._kind = kind
        self._start_time = start_time
        self._attributes = attributes
        self._resource = resource
        self._instrumentation_scope = scope
        self._span_processor = processors  # type: ignore[assignment]  # it needs three methods of it
        self._bounds = bounds
        self._lock = threading.Lock()

    def __new__(cls, *_: object) -> Self:
        """Make the object; the SDK's own check is only that nobody makes its class directly."""
        return object.__new__(cls)

    @property
    def dropped_attributes(self) -> int:
        """Return how many attributes did not fit."""
        return self._dropped_attributes

    def set_attribute(self, key: str, value: AnyValue) -> None:
        """Set one attribute, None is nothing; over the limit a new one is dropped and counted (OTel, "Span limits")."""
        with self._lock:
            if self._end_time is not None:
                _too_late("attribute")
                return
            attributes = self._plain_attributes
            bounds = self._bounds.span
            if value is None:
                return
            if key not in attributes and len(attributes) >= bounds.count_max:
                self._dropped_attributes += 1
            elif value.__class__ in PLAIN and bounds.length_max is None and key.__class__ is str and key:
                attributes[key] = value
            else:
                self._set_unusual(key, value)

    def set_attributes(self, attributes: Mapping[str, AnyValue]) -> None:
        """Set several attributes."""
        for key, value in attributes.items():
            self.set_attribute(key, value)

    def add_event(self, name: str, attributes: Attributes = None, timestamp: int | None = None) -> None:
        """Add something that happened at one moment, with attributes; the time is in nanoseconds since 1970."""
        kept = self._fixed(attributes, self._bounds.event)
        event = Event(name=name, attributes=kept, timestamp=time_ns() if timestamp is None else timestamp)
        with self._lock:
            if self._end_time is not None:
                _too_late("event")
                return
            if not isinstance(self._events, BoundedList):
                self._events = BoundedList(self._bounds.events_max)
            self._events.append(event)

    def add_link(self, context: SpanContext, attributes: Attributes = None) -> None:
        """Link another span. One without identifiers is only taken if it says something else."""
        if not (context.is_valid or attributes or context.trace_state):
            return
        link = Link(context, self._fixed(attributes, self._bounds.link))
        with self._lock:
            if self._end_time is not None:
                _too_late("link")
                return
            if not isinstance(self._links, BoundedList):
                self._links = BoundedList(self._bounds.links_max)
            self._links.append(link)

    def begin_dropping(self, count: int) -> None:
        """Count attributes that were refused before the span was made."""
        self._dropped_attributes += count

    def expect_errors(self, *, record: bool, status: bool) -> None:
        """Say what the span does with an exception that leaves its `with` block."""
        self._record_exception = record
        self._set_status_on_exception = status

    def end(self, end_time: int | None = None) -> None:
        """End the span at a time in nanoseconds since 1970, now if left out; only the first call counts."""
        with self._lock:
            if self._end_time is not None:
                _too_late("end")
                return
            self._end_time = time_ns() if end_time is None else end_time
        processors = self._span_processor
        processors.on_ending(self)  # type: ignore[attr-defined]  # a provider of ours gives ours
        processors.on_end(self)

    def record_exception(
        self,
        exception: BaseException,
        attributes: Attributes = None,
        timestamp: int | None = None,
        escaped: bool = False,  # noqa: ARG002  # the SDK's signature; the attribute is deprecated
    ) -> None:
        """Add the event `exception` with type, message and traceback."""
        described: dict[str, AnyValue] = dict(exception_attributes(exception))
        described.update(attributes or {})
        self.add_event(EXCEPTION_EVENT, described, timestamp)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End the span; an exception marks it as failed, but for those that only leave (`GeneratorExit`)."""
        if isinstance(error, Exception):
            if self._record_exception:
                self.record_exception(error)
            if self._set_status_on_exception:
                self.set_attribute(ERROR_TYPE, error_type(error))
                self.set_status(StatusCode.ERROR, error_message(error))
        self.end()

    @property
    def _plain_attributes(self) -> dict[str, AnyValue]:
        return self._attributes  # type: ignore[return-value]  # __init__ put a dict there

    def _set_unusual(self, key: str, value: AnyValue) -> None:
        clean, good = cleaned_value(key, value, self._bounds.span)
        if good:
            self._plain_attributes[key] = clean
        else:
            self._dropped_attributes += 1

    @staticmethod
    def _fixed(attributes: Attributes, bounds: Bounds) -> BoundedAttributes:
        kept, dropped = cleaned(attributes or {}, bounds)
        fixed = BoundedAttributes(attributes=kept)
        fixed.dropped += dropped
        return fixed


def _too_late(what: str) -> None:
    FAILURES.noticed(f"late {what}", f"A span had ended when its {what} came, which is ignored")
