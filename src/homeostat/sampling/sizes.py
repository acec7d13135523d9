"""How much memory a finished span takes, from above: what a bound in bytes counts. It reads values, not memory."""

from collections.abc import Mapping, Sequence
from typing import Final

from opentelemetry.sdk.trace import ReadableSpan

FRAGMENT_BYTES: Final = 1024
"""A trace that is held: its entry, its list, its place in the memory of decisions."""

# Measured with tracemalloc and rounded up; tests/unit/sdk/sampling/test_sizes.py holds them to it.
_SPAN: Final = 3072
_EVENT: Final = 1024
_LINK: Final = 1024
_ATTRIBUTE: Final = 192
_ELEMENT: Final = 72
_CHARACTER: Final = 4
"""Python keeps a text with one character outside the Basic Multilingual Plane in four bytes a character."""


def size_bytes(span: ReadableSpan) -> int:
    """Return no less than what a span takes beside what it shares with others."""
    size = _SPAN + _CHARACTER * len(span.name) + _attributes(span.attributes)
    for event in span.events:
        size += _EVENT + _attributes(event.attributes)
    for link in span.links:
        size += _LINK + _attributes(link.attributes)
    return size


def _attributes(attributes: Mapping[str, object] | None) -> int:
    size = 0
    for key, value in (attributes or {}).items():
        size += _ATTRIBUTE + _CHARACTER * len(key) + _value(value)
    return size


def _value(value: object) -> int:
    if isinstance(value, str | bytes):
        return _CHARACTER * len(value)
    if isinstance(value, Mapping):
        return sum(_ATTRIBUTE + _value(key) + _value(member) for key, member in value.items())
    if isinstance(value, Sequence):
        return sum(_ELEMENT + _value(member) for member in value)
    return 0
