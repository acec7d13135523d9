"""One propagator for everything that travels: trace context, baggage, correlation, causation, tenant and user.

Invariant: whatever comes in, the answer is a context; what is malformed is left out and counted, and never raises.
Only what the configuration names leaves the process.
"""

from collections.abc import Iterable, Mapping, MutableMapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

from opentelemetry import baggage as otel_baggage
from opentelemetry.context import Context
from opentelemetry.propagators.textmap import (
    CarrierT,
    DefaultSetter,
    Getter,
    Setter,
    TextMapPropagator,
    default_getter,
    default_setter,
)
from opentelemetry.trace import INVALID_SPAN, NonRecordingSpan, Span, SpanContext, set_span_in_context

from homeostat.propagation.baggage_header import BAGGAGE, parse_baggage, render_baggage
from homeostat.propagation.correlation import KEY as CORRELATION
from homeostat.propagation.correlation import Correlation, believable_id, is_contained, new_id
from homeostat.propagation.scopes import current_context
from homeostat.propagation.trace_context import (
    TRACEPARENT,
    TRACESTATE,
    parse_traceparent,
    render_traceparent,
    render_tracestate,
)

CORRELATION_ID: Final = "x-correlation-id"
CAUSATION_ID: Final = "x-causation-id"
REQUEST_ID: Final = "x-request-id"

CORRELATION_MEMBER: Final = "correlation.id"
TENANT_MEMBER: Final = "tenant.id"
USER_MEMBER: Final = "user.id"
OWN_MEMBERS: Final = frozenset({CORRELATION_MEMBER, TENANT_MEMBER, USER_MEMBER})
"""Members of baggage that are values of `Correlation` in the process."""

FIELDS: Final = frozenset({TRACEPARENT, TRACESTATE, BAGGAGE, CORRELATION_ID, CAUSATION_ID})
"""The headers that are written. `x-request-id` is only read."""

_READ: Final = FIELDS | {REQUEST_ID}
_READ_BYTES: Final = {name.encode(): name for name in _READ}
_READ_ENVIRON: Final = tuple((f"HTTP_{name.upper().replace('-', '_')}", name) for name in sorted(_READ))

_EMPTY: Final = Context()
# Where OpenTelemetry keeps its own two values in a context, found through its public functions: contexts are made with
# one copy instead of three.
_SPAN: Final = next(iter(set_span_in_context(INVALID_SPAN, _EMPTY)))
_BAGGAGE: Final = next(iter(otel_baggage.set_baggage("key", "value", _EMPTY)))


class Trust(StrEnum):
    """Say how much of what an HTTP or WebSocket caller sends is believed."""

    ALL = "all"
    """Everything: the callers are our own services."""
    TRACE = "trace"
    """The trace context alone: callers may continue a trace, and not say who they are."""
    NOTHING = "nothing"
    """Nothing: each request starts a trace of its own, as it should behind an address that everybody can reach."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PropagationConfig:
    """Say what leaves the process and what is believed of what comes in.

    Attributes:
        baggage_allowed: Members of baggage that may leave, by key; `*` at the end stands for any rest. None by default.
        correlation_leaves: Whether correlation and causation id leave.
        tenant_leaves: Whether the tenant leaves, as member `tenant.id` of baggage.
        user_leaves: Whether the user leaves, as member `user.id` of baggage.
        http_trust: How much of what HTTP and WebSocket callers send is believed. Messages of a broker always are.
    """

    baggage_allowed: tuple[str, ...] = ()
    correlation_leaves: bool = True
    tenant_leaves: bool = True
    user_leaves: bool = True
    http_trust: Trust = Trust.ALL


_DEFAULTS: Final = PropagationConfig()


@dataclass(slots=True)
class PropagationStatistics:
    """Count what was left out since the start, by reason."""

    malformed_traceparents: int = 0
    refused_ids: int = 0
    refused_baggage_in: int = 0
    refused_baggage_out: int = 0
    not_allowed_baggage: int = 0


@dataclass(frozen=True, slots=True)
class _AllowList:
    names: frozenset[str]
    prefixes: tuple[str, ...] = field(default=())

    def __contains__(self, key: str) -> bool:
        return key in self.names or key.startswith(self.prefixes)


class Propagator(TextMapPropagator):
    """Write what travels into carriers, and read it from them.

    It is an OpenTelemetry propagator, so that every instrumentation that knows one carries all values, and has entries
    of its own for what arrives over HTTP (`extract_asgi`, `extract_wsgi`, `extract_http`) and from brokers
    (`extract_message`). Where no correlation id came, one is made.
    """

    def __init__(self, config: PropagationConfig = _DEFAULTS) -> None:
        """Make a propagator for a configuration."""
        self.config: PropagationConfig = config
        self.statistics: PropagationStatistics = PropagationStatistics()
        self._allowed = _AllowList(
            frozenset(key for key in config.baggage_allowed if not key.endswith("*")),
            tuple(key[:-1] for key in config.baggage_allowed if key.endswith("*")),
        )

    @property
    def fields(self) -> set[str]:
        """Return the names of the headers that `inject` may write."""
        return set(FIELDS)

    def inject(
        self,
        carrier: CarrierT,
        context: Context | None = None,
        setter: Setter[CarrierT] = default_setter,
    ) -> None:
        """Write the values of the current context, or the given one, into a carrier."""
        if isinstance(carrier, dict) and type(setter) is DefaultSetter:
            carrier.update(self.headers(context))
            return
        for name, value in self.headers(context).items():
            setter.set(carrier, name, value)

    def headers(self, context: Context | None = None) -> dict[str, str]:
        """Return the headers for what the current context, or the given one, sends."""
        source = current_context() if context is None else context
        written: dict[str, str] = {}
        span = source.get(_SPAN)
        if isinstance(span, Span):
            _write_trace(written, span.get_span_context())
        values = source.get(CORRELATION)
        members = source.get(_BAGGAGE)
        if (values is None and not members) or is_contained(source):
            return written
        correlation = values if isinstance(values, Correlation) else Correlation()
        self._write_ids(written, correlation)
        self._write_baggage(written, correlation, members if isinstance(members, dict) else {})
        return written

    def _write_ids(self, written: dict[str, str], values: Correlation) -> None:
        if not self.config.correlation_leaves:
            return
        if values.correlation_id is not None:
            written[CORRELATION_ID] = values.correlation_id
        cause = values.message_id or values.causation_id
        if cause is not None:
            written[CAUSATION_ID] = cause

    def _write_baggage(self, written: dict[str, str], values: Correlation, baggage: Mapping[str, object]) -> None:
        config = self.config
        own = (
            (CORRELATION_MEMBER, values.correlation_id if config.correlation_leaves else None),
            (TENANT_MEMBER, values.tenant if config.tenant_leaves else None),
            (USER_MEMBER, values.user if config.user_leaves else None),
        )
        members: list[tuple[str, object]] = [member for member in own if member[1] is not None]
        if baggage:
            members += self._allowed_members(baggage)
        if not members:
            return
        text, dropped = render_baggage(members)
        self.statistics.refused_baggage_out += dropped
        if text:
            written[BAGGAGE] = text

    def _allowed_members(self, baggage: Mapping[str, object]) -> list[tuple[str, object]]:
        others = [member for member in baggage.items() if member[0] not in OWN_MEMBERS]
        allowed = [member for member in others if member[0] in self._allowed]
        self.statistics.not_allowed_baggage += len(others) - len(allowed)
        return allowed

    def extract(
        self,
        carrier: CarrierT,
        context: Context | None = None,
        getter: Getter[CarrierT] = default_getter,
    ) -> Context:
        """Return the current context, or the given one, with what a carrier says.

        A correlation that the context has already stays where the carrier has none of the headers.
        """
        found: dict[str, str] = {}
        for name in _READ:
            values = getter.get(carrier, name)
            if values:
                found[name] = ",".join(values)
        base = current_context() if context is None else context
        return base if not found and CORRELATION in base else self._arrive(found, base)

    def extract_asgi(self, raw_headers: Iterable[tuple[bytes, bytes]], context: Context = _EMPTY) -> Context:
        """Return the context of a request or handshake that arrives, from the headers of an ASGI scope.

        One pass over the headers as they are, whose names are in lower case by ASGI's rule.
        """
        found: dict[str, str] | None = None
        for raw_name, raw_value in raw_headers:
            if raw_name in _READ_BYTES:
                if found is None:
                    found = {}
                _add(found, _READ_BYTES[raw_name], raw_value.decode("latin-1"))
        return self._arrive_http(found, context)

    def extract_wsgi(self, environ: Mapping[str, object], context: Context = _EMPTY) -> Context:
        """Return the context of a request that arrives, from a WSGI environment."""
        found: dict[str, str] | None = None
        for key, name in _READ_ENVIRON:
            value = environ.get(key)
            if isinstance(value, str):
                if found is None:
                    found = {}
                found[name] = value
        return self._arrive_http(found, context)

    def extract_http(self, headers: Iterable[tuple[str, str]], context: Context = _EMPTY) -> Context:
        """Return the context of a request or handshake that arrives, from pairs of header names and values."""
        return self._arrive_http(_read_pairs(headers), context)

    def extract_message(
        self,
        headers: Iterable[tuple[str | bytes, object]],
        *,
        message_id: str | None = None,
        context: Context = _EMPTY,
    ) -> Context:
        """Return the context of a message that arrives, from pairs of header names and values.

        Args:
            headers: Names in any case; values as text or UTF-8; others are ignored.
            message_id: The broker's name for the message: the causation id of whatever its handler sends.
            context: What the values are added to, empty by default: a handler belongs to its message, not to whoever
                subscribed.
        """
        return self._arrive(_read_pairs(headers), context, message_id=message_id)

    def _arrive_http(self, found: dict[str, str] | None, context: Context) -> Context:
        trust = self.config.http_trust
        if found is None or trust is Trust.NOTHING:
            first = new_id()
            # The first request of all is its own cause: there is no id but the one that was just made.
            return Context({**context, CORRELATION: Correlation(first, None, first, None, None)})
        if trust is Trust.TRACE:
            found = {name: found[name] for name in (TRACEPARENT, TRACESTATE) if name in found}
        return self._arrive(found, context)

    def _arrive(self, found: Mapping[str, str], context: Context, *, message_id: str | None = None) -> Context:
        changed: dict[str, object] = dict(context)
        parent = self._read_parent(found)
        if parent is not None:
            changed[_SPAN] = NonRecordingSpan(parent)
        members = self._read_baggage(found)
        correlation_id = self._read_id(found, CORRELATION_ID) or believable_id(members.get(CORRELATION_MEMBER))
        handled = message_id or self._read_id(found, REQUEST_ID)
        if correlation_id is None:
            # Each service that the trace passes through makes the same one of it, should a hop lose the header.
            correlation_id = f"{parent.trace_id:032x}" if parent else (handled or new_id())
        if handled is None:
            # The parent id is this request's id as its caller knows it (W3C Trace Context, section 3.2.2.4).
            handled = f"{parent.span_id:016x}" if parent else correlation_id
        causation_id = self._read_id(found, CAUSATION_ID)
        tenant, user = members.get(TENANT_MEMBER), members.get(USER_MEMBER)
        changed[CORRELATION] = Correlation(correlation_id, causation_id, handled, tenant, user)
        others = {key: value for key, value in members.items() if key not in OWN_MEMBERS}
        if others:
            changed[_BAGGAGE] = others
        return Context(changed)

    def _read_parent(self, found: Mapping[str, str]) -> SpanContext | None:
        text = found.get(TRACEPARENT)
        if text is None:
            return None
        parent = parse_traceparent(text, state=found.get(TRACESTATE))
        if parent is None:
            self.statistics.malformed_traceparents += 1
        return parent

    def _read_baggage(self, found: Mapping[str, str]) -> Mapping[str, str]:
        text = found.get(BAGGAGE)
        if text is None:
            return _NO_MEMBERS
        members, dropped = parse_baggage(text)
        self.statistics.refused_baggage_in += dropped
        return members

    def _read_id(self, found: Mapping[str, str], name: str) -> str | None:
        text = found.get(name)
        if text is None:
            return None
        read = believable_id(text)
        if read is None:
            self.statistics.refused_ids += 1
        return read


_NO_MEMBERS: Final[Mapping[str, str]] = {}


def _write_trace(written: MutableMapping[str, str], parent: SpanContext) -> None:
    if not parent.is_valid:
        return
    written[TRACEPARENT] = render_traceparent(parent)
    state = render_tracestate(parent.trace_state)
    if state:
        written[TRACESTATE] = state


def _add(found: dict[str, str], name: str, value: str) -> None:
    # Several fields of one name are one with commas (RFC 9110, section 5.3); where only one may be, no comma is valid.
    found[name] = f"{found[name]},{value}" if name in found else value


def _read_pairs(headers: Iterable[tuple[str | bytes, object]]) -> dict[str, str]:
    found: dict[str, str] = {}
    for raw_name, raw_value in headers:
        name = raw_name.decode("latin-1") if isinstance(raw_name, bytes) else raw_name
        lower = name.lower()
        if lower not in _READ:
            continue
        for value in raw_value if isinstance(raw_value, list | tuple) else (raw_value,):
            if isinstance(value, bytes):
                _add(found, lower, value.decode("utf-8", errors="replace"))
            elif isinstance(value, str):
                _add(found, lower, value)
    return found
