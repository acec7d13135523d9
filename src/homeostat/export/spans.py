"""Spans as the bytes of an `ExportTraceServiceRequest`, a fifth of the price of the generated classes.

What comes out equals what OpenTelemetry's own encoder makes, message for message, but for two things: links keep their
trace state, which OTLP has a field for and that encoder leaves out, and what the redactor hides is hidden. A property
test compares the two. It does not know where the bytes go.

It reads the attributes with an underscore of `ReadableSpan` and of its containers: the properties in front of them
cost as much as the encoding itself.
"""

import struct
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Final

from opentelemetry.attributes import BoundedAttributes
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import Event, ReadableSpan
from opentelemetry.sdk.util.instrumentation import InstrumentationScope
from opentelemetry.trace import Link, SpanKind, TraceState
from opentelemetry.trace.status import Status, StatusCode

from homeostat.export.attributes import AttributeTable, utf8
from homeostat.export.wire import BYTES, FIXED32, FIXED64, VARINT, delimited, tag, varint
from homeostat.redaction import Redactor

REQUEST_BYTES_MAX: Final = 3 << 20
"""A request is closed before it grows over this; gRPC servers take 4 MiB unless told otherwise."""

_NAMES_MAX: Final = 1024
_RESOURCES_MAX: Final = 64
_SCOPES_MAX: Final = 512

# Fields of opentelemetry.proto.trace.v1.Span.
_IDS: Final = struct.Struct(">2sQQ2sQ").pack
_PARENT_IDS: Final = struct.Struct(">2sQQ2sQ2sQ").pack
_TIMES: Final = struct.Struct("<cQcQ").pack
_TIME: Final = struct.Struct("<cQ").pack
_TRACE_ID: Final = tag(1, BYTES) + b"\x10"
_SPAN_ID: Final = tag(2, BYTES) + b"\x08"
_PARENT_ID: Final = tag(4, BYTES) + b"\x08"
_START: Final = tag(7, FIXED64)
_END: Final = tag(8, FIXED64)
_DROPPED_ATTRIBUTES: Final = tag(10, VARINT)
_DROPPED_EVENTS: Final = tag(12, VARINT)
_DROPPED_LINKS: Final = tag(14, VARINT)
_SPAN: Final = tag(2, BYTES)  # in ScopeSpans

# Whether the parent is elsewhere is known here (0x100), and whether it is (0x200); see SpanFlags in trace.proto.
_FLAGS_LOCAL: Final = tag(16, FIXED32) + (0x100).to_bytes(4, "little")
_FLAGS_REMOTE: Final = tag(16, FIXED32) + (0x300).to_bytes(4, "little")
_LINK_FLAGS_LOCAL: Final = tag(6, FIXED32) + (0x100).to_bytes(4, "little")
_LINK_FLAGS_REMOTE: Final = tag(6, FIXED32) + (0x300).to_bytes(4, "little")

_KINDS: Final = {kind: tag(6, VARINT) + varint(kind.value + 1) for kind in SpanKind}
_STATUS_CODES: Final = {code: tag(3, VARINT) + varint(code.value) if code.value else b"" for code in StatusCode}
_PLAIN_STATUS: Final = {code: delimited(15, content) for code, content in _STATUS_CODES.items()}

_LOW_64: Final = (1 << 64) - 1
_EVENT_TIME: Final = tag(1, FIXED64)
_EVENT_NAME: Final = 2
_EVENT_DROPPED: Final = tag(4, VARINT)
_LINK_DROPPED: Final = tag(5, VARINT)


@dataclass(frozen=True, slots=True)
class Encoded:
    """Hold the bytes of one export request and how many items it carries."""

    body: bytes
    items: int


class SpanEncoder:
    """Encode batches of ended spans. Not thread-safe: one encoder belongs to one thread at a time.

    Args:
        redactor: what decides which attributes and texts are hidden.
        request_bytes_max: how large a request may grow; a single span that is larger has one of its own.
    """

    def __init__(self, *, redactor: Redactor, request_bytes_max: int = REQUEST_BYTES_MAX) -> None:
        """Begin with empty caches."""
        self._redactor = redactor
        self._request_bytes_max = request_bytes_max
        self._attributes = AttributeTable(9, redactor=redactor)
        self._event_attributes = AttributeTable(3, redactor=redactor)
        self._link_attributes = AttributeTable(4, redactor=redactor)
        self._names: dict[str, bytes] = {}
        # By identity, since hashing a resource costs more than a span; the object is kept so that its id stays its own.
        self._resources: dict[int, tuple[Resource, bytes, bytes]] = {}
        self._scopes: dict[int, tuple[InstrumentationScope | None, bytes, bytes]] = {}
        self._replaced: dict[int, tuple[Resource, Resource]] = {}
        self.unencodable: int = 0
        """How many spans could not be encoded at all and were left out."""

    def replace_resource(self, old: Resource, new: Resource) -> None:
        """Say spans of one resource with another from now on: a forked process has an identity of its own."""
        self._replaced = {
            identity: (resource, new if target is old else target)
            for identity, (resource, target) in self._replaced.items()
        }
        self._replaced[id(old)] = (old, new)
        self._resources.clear()

    def encode(self, spans: Iterable[ReadableSpan]) -> list[Encoded]:
        """Return the spans as requests, in their order; none when there are no spans."""
        requests = []
        request = _Request()
        for span in spans:
            try:
                content = self._span(span)
                resource, scope = self._resource(span._resource), self._scope(span._instrumentation_scope)
            except Exception:
                # A span that was made wrongly, or a value whose `__str__` fails, must not take its batch along.
                self.unencodable += 1
                continue
            if request.items and request.size_bytes + len(content) > self._request_bytes_max:
                requests.append(request.encoded())
                request = _Request()
            request.add(content, resource, scope)
        if request.items:
            requests.append(request.encoded())
        return requests

    def _span(self, span: ReadableSpan) -> bytes:
        context = span._context
        if context is None:
            raise ValueError("a span without a context was never started")
        trace_id = context.trace_id
        parent = span._parent
        if parent is None:
            ids = _IDS(_TRACE_ID, trace_id >> 64, trace_id & _LOW_64, _SPAN_ID, context.span_id)
        else:
            ids = _PARENT_IDS(
                _TRACE_ID, trace_id >> 64, trace_id & _LOW_64, _SPAN_ID, context.span_id, _PARENT_ID, parent.span_id
            )
        parts = [
            ids,
            self._names.get(span._name) or self._name(span._name),
            _KINDS[span._kind],
            _TIMES(_START, span._start_time or 0, _END, span._end_time or 0),
        ]
        attributes = span._attributes
        if attributes:
            inner = attributes._dict if type(attributes) is BoundedAttributes else attributes
            self._attributes.encode_into(parts, inner)
            if attributes_dropped := span.dropped_attributes:
                parts.append(_DROPPED_ATTRIBUTES + varint(attributes_dropped))
        elif attributes is not None and (attributes_dropped := span.dropped_attributes):
            parts.append(_DROPPED_ATTRIBUTES + varint(attributes_dropped))
        self._rare(span, context.trace_state, parts)
        status = span._status
        parts.append(_PLAIN_STATUS[status.status_code] if not status.description else self._status(status))
        parts.append(_FLAGS_REMOTE if parent is not None and parent.is_remote else _FLAGS_LOCAL)
        content = b"".join(parts)
        return _SPAN + varint(len(content)) + content

    def _rare(self, span: ReadableSpan, trace_state: TraceState, parts: list[bytes]) -> None:
        """Append what most spans do not have."""
        if trace_state:
            parts.append(delimited(3, _trace_state(trace_state)))
        events, links = span._events, span._links
        if events:
            parts.extend(self._event(event) for event in events)
        if links:
            parts.extend(self._link(link) for link in links)
        if dropped := getattr(events, "dropped", 0):
            parts.append(_DROPPED_EVENTS + varint(dropped))
        if dropped := getattr(links, "dropped", 0):
            parts.append(_DROPPED_LINKS + varint(dropped))

    def _name(self, name: str) -> bytes:
        encoded = delimited(5, utf8(self._redactor.text(name)))
        if len(self._names) < _NAMES_MAX:
            self._names[name] = encoded
        return encoded

    def _event(self, event: Event) -> bytes:
        parts = [_TIME(_EVENT_TIME, event.timestamp), delimited(_EVENT_NAME, utf8(self._redactor.text(event.name)))]
        if event.attributes:
            self._event_attributes.encode_into(parts, event.attributes)
        if event.dropped_attributes:
            parts.append(_EVENT_DROPPED + varint(event.dropped_attributes))
        return delimited(11, b"".join(parts))

    def _link(self, link: Link) -> bytes:
        context = link.context
        parts = [_IDS(_TRACE_ID, context.trace_id >> 64, context.trace_id & _LOW_64, _SPAN_ID, context.span_id)]
        if context.trace_state:
            parts.append(delimited(3, _trace_state(context.trace_state)))
        if link.attributes:
            self._link_attributes.encode_into(parts, link.attributes)
        if link.dropped_attributes:
            parts.append(_LINK_DROPPED + varint(link.dropped_attributes))
        parts.append(_LINK_FLAGS_REMOTE if context.is_remote else _LINK_FLAGS_LOCAL)
        return delimited(13, b"".join(parts))

    def _status(self, status: Status) -> bytes:
        message = delimited(2, utf8(self._redactor.text(status.description or "")))
        return delimited(15, message + _STATUS_CODES[status.status_code])

    def _resource(self, resource: Resource) -> tuple[bytes, bytes]:
        """Return the fields of a `ResourceSpans` before and behind its scopes."""
        known = self._resources.get(id(resource))
        if known is None:
            if len(self._resources) >= _RESOURCES_MAX:
                self._resources.clear()
            said = self._replaced.get(id(resource), (resource, resource))[1]
            content = _fields(AttributeTable(1, redactor=self._redactor), said.attributes)
            known = resource, delimited(1, content), _schema_url(said.schema_url)
            self._resources[id(resource)] = known
        return known[1], known[2]

    def _scope(self, scope: InstrumentationScope | None) -> tuple[bytes, bytes]:
        """Return the fields of a `ScopeSpans` before and behind its spans."""
        known = self._scopes.get(id(scope))
        if known is None:
            if len(self._scopes) >= _SCOPES_MAX:
                self._scopes.clear()
            content = self._scope_content(scope) if scope is not None else b""
            known = scope, delimited(1, content), _schema_url(scope.schema_url if scope is not None else None)
            self._scopes[id(scope)] = known
        return known[1], known[2]

    def _scope_content(self, scope: InstrumentationScope) -> bytes:
        parts = [delimited(1, utf8(scope.name))] if scope.name else []
        if scope.version:
            parts.append(delimited(2, utf8(scope.version)))
        return b"".join(parts) + _fields(AttributeTable(3, redactor=self._redactor), scope.attributes or {})


class _Request:
    """Gather spans by resource and scope."""

    __slots__ = ("_groups", "_last", "_last_key", "items", "size_bytes")

    def __init__(self) -> None:
        self._groups: dict[tuple[bytes, bytes], dict[tuple[bytes, bytes], list[bytes]]] = {}
        self._last_key: tuple[object, object] = (None, None)
        self._last: list[bytes] = []
        self.items = 0
        self.size_bytes = 0

    def add(self, span: bytes, resource: tuple[bytes, bytes], scope: tuple[bytes, bytes]) -> None:
        key = (resource, scope)
        if key != self._last_key:
            self._last = self._groups.setdefault(resource, {}).setdefault(scope, [])
            self._last_key = key
        self._last.append(span)
        self.items += 1
        self.size_bytes += len(span)

    def encoded(self) -> Encoded:
        body = [
            delimited(1, resource + b"".join(_scope_spans(scopes)) + resource_end)
            for (resource, resource_end), scopes in self._groups.items()
        ]
        return Encoded(b"".join(body), self.items)


def _scope_spans(scopes: dict[tuple[bytes, bytes], list[bytes]]) -> list[bytes]:
    return [delimited(2, b"".join((scope, *spans, scope_end))) for (scope, scope_end), spans in scopes.items()]


def _fields(table: AttributeTable, attributes: Any) -> bytes:  # noqa: ANN401 - a mapping of the OpenTelemetry API
    parts: list[bytes] = []
    table.encode_into(parts, attributes)
    return b"".join(parts)


def _schema_url(url: str | None) -> bytes:
    return delimited(3, utf8(url)) if url else b""


def _trace_state(state: TraceState) -> bytes:
    return ",".join(f"{key}={value}" for key, value in state.items()).encode()


def encoded_spans(spans: Sequence[ReadableSpan], *, redactor: Redactor | None = None) -> list[Encoded]:
    """Return spans as requests with an encoder of their own; for tests and single shots."""
    return SpanEncoder(redactor=redactor or Redactor()).encode(spans)
