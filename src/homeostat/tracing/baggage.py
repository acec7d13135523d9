"""Baggage on spans: values that travel with a request, copied to every span that is made for it.

Only named keys are copied. Baggage comes from whoever calls, and attributes are stored and shown.
"""

from collections.abc import Iterable

from opentelemetry import baggage
from opentelemetry.context import Context
from opentelemetry.sdk.trace import Span, SpanProcessor

VALUE_CHARACTERS_MAX = 256
KEYS_MAX = 32


class BaggageAttributes(SpanProcessor):
    """Copy baggage to attributes of the same names when a span begins.

    Args:
        allowed: keys that are copied; a `*` at the end stands for any rest. At most `KEYS_MAX` of one span, each cut
            after `VALUE_CHARACTERS_MAX` characters.
    """

    def __init__(self, allowed: Iterable[str]) -> None:
        names = [name for name in allowed if name]
        self._names = frozenset(name for name in names if not name.endswith("*"))
        self._beginnings = tuple(name[:-1] for name in names if name.endswith("*"))

    def on_start(self, span: Span, parent_context: Context | None = None) -> None:
        """Copy what is allowed; an attribute that the span has already stays."""
        members = baggage.get_all(parent_context)
        if not members:
            return
        has = span.attributes or {}
        chosen = [key for key in members if self._allows(key) and key not in has][:KEYS_MAX]
        span.set_attributes({key: str(members[key])[:VALUE_CHARACTERS_MAX] for key in chosen})

    def _allows(self, key: str) -> bool:
        return key in self._names or (bool(self._beginnings) and key.startswith(self._beginnings))
