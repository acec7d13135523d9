"""`traceparent` and `tracestate` as text, after W3C Trace Context; it knows neither carriers nor the current context.

Source: https://www.w3.org/TR/trace-context/ (version 00; the random flag is from Level 2). Keys of `tracestate` follow
the grammar of Level 1, which is also what `opentelemetry.trace.TraceState` takes.
"""

import re
from typing import Final

from opentelemetry.trace import SpanContext, TraceFlags, TraceState

TRACEPARENT: Final = "traceparent"
TRACESTATE: Final = "tracestate"

MEMBERS_MAX: Final = 32
"""Members of a `tracestate`; one with more is dropped as a whole (section 3.3.1)."""

_KNOWN_FLAGS: Final = TraceFlags.SAMPLED | TraceFlags.RANDOM_TRACE_ID
_FLAGS: Final = tuple(TraceFlags(value) for value in range(_KNOWN_FLAGS + 1))
_NO_STATE: Final = TraceState()

# What a later version appends starts with a dash. A comma can only come from two headers that were joined.
_TRACEPARENT: Final = re.compile(r"([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(-[^,]*)?")
_SIMPLE_KEY: Final = r"[a-z][a-z0-9_\-*/]{0,255}"
_VENDOR_KEY: Final = r"[a-z0-9][a-z0-9_\-*/]{0,240}@[a-z][a-z0-9_\-*/]{0,13}"
_VALUE: Final = r"[\x20-\x2b\x2d-\x3c\x3e-\x7e]{0,255}[\x21-\x2b\x2d-\x3c\x3e-\x7e]"
_MEMBER: Final = re.compile(rf"({_SIMPLE_KEY}|{_VENDOR_KEY})=({_VALUE})")

_MEMBER_CHARACTERS_MAX: Final = 256 + 1 + 256
_STATE_CHARACTERS_MAX: Final = 2 * MEMBERS_MAX * (_MEMBER_CHARACTERS_MAX + 1)
"""Twice the longest legal list, for white space and empty members: what is longer is not looked at."""


def parse_traceparent(text: str, *, state: str | None = None) -> SpanContext | None:
    """Return the remote parent that a `traceparent` names, or None where it is not a valid one.

    Args:
        text: The field's value; white space around it is not part of it. Several fields that were joined by commas
            are invalid, as more than one is.
        state: The value of `tracestate`, several fields joined by commas in their order; one that is invalid is
            dropped and does not make the parent invalid.
    """
    found = _TRACEPARENT.fullmatch(text.strip(" \t"))
    if found is None:
        return None
    version, trace, parent, flags, rest = found.groups()
    if version == "ff" or (rest is not None and version == "00"):
        return None
    trace_id, span_id = int(trace, 16), int(parent, 16)
    if not trace_id or not span_id:
        return None
    return SpanContext(
        trace_id,
        span_id,
        is_remote=True,
        trace_flags=_FLAGS[int(flags, 16) & _KNOWN_FLAGS],
        trace_state=parse_tracestate(state) if state else _NO_STATE,
    )


def parse_tracestate(text: str) -> TraceState:
    """Return the members of a `tracestate` in their order, or none where one of them is invalid or they are too many.

    A key that comes twice keeps its first value, which is the newer one, because members are added on the left.
    """
    if len(text) > _STATE_CHARACTERS_MAX:
        return _NO_STATE
    members: dict[str, str] = {}
    for part in text.split(","):
        member = part.strip(" \t")
        if not member:
            continue
        found = _MEMBER.fullmatch(member)
        if found is None:
            return _NO_STATE
        members.setdefault(found[1], found[2])
    return TraceState(list(members.items())) if 0 < len(members) <= MEMBERS_MAX else _NO_STATE


def render_traceparent(parent: SpanContext) -> str:
    """Return the `traceparent` of a span, in version 00."""
    return f"00-{parent.trace_id:032x}-{parent.span_id:016x}-{parent.trace_flags & _KNOWN_FLAGS:02x}"


def render_tracestate(state: TraceState) -> str:
    """Return the `tracestate` of a span, empty where it has no members."""
    return state.to_header() if state else ""
