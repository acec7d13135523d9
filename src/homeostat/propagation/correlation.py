"""Who and what a piece of work belongs to: values in the OpenTelemetry context; it knows no header.

Invariant: values are immutable and live in `opentelemetry.context`, so whatever carries that context carries them.
"""

import re
from collections.abc import Mapping
from enum import Enum
from random import getrandbits
from typing import Final, NamedTuple

from opentelemetry import baggage as otel_baggage
from opentelemetry.context import Context, create_key

from homeostat.propagation.scopes import Attached, current_context

CHARACTERS_MAX: Final = 128
"""Of an id that comes in; a longer one is not believed."""

_ID: Final = re.compile(r"[\x21-\x2b\x2d-\x7e]{1,128}")


class Correlation(NamedTuple):
    """Hold what travels with a piece of work beside its trace. None is what is not known.

    Attributes:
        correlation_id: The same in everything that one first request led to.
        causation_id: The id of the message or request that led to the one that is handled here.
        message_id: The id of the message or request that is handled here; what it sends has it as causation id.
        tenant: The customer that it is done for.
        user: The person that it is done for.
    """

    correlation_id: str | None = None
    causation_id: str | None = None
    message_id: str | None = None
    tenant: str | None = None
    user: str | None = None


class _Same(Enum):
    SAME = "same"


SAME: Final = _Same.SAME
"""Stands for a value that is not changed, where None would take it away."""

_NOTHING: Final = Correlation()
KEY: Final = create_key("homeostat-correlation")
_CONTAINED: Final = create_key("homeostat-contained")


def current(context: Context | None = None) -> Correlation:
    """Return the values that the current work, or the given context, belongs to; all None outside of any."""
    found = (current_context() if context is None else context).get(KEY)
    return found if isinstance(found, Correlation) else _NOTHING


def correlation_in(context: Context) -> Correlation | None:
    """Return the values in a context, None where it has none: `current` without its conveniences, for hot paths."""
    found = context.get(KEY)
    return found if isinstance(found, Correlation) else None


def with_correlation(values: Correlation, context: Context | None = None) -> Context:
    """Return the current context, or the given one, with these values instead of its own."""
    return Context({**(current_context() if context is None else context), KEY: values})


def bound(
    *,
    tenant: str | _Same | None = SAME,
    user: str | _Same | None = SAME,
    correlation_id: str | _Same | None = SAME,
    causation_id: str | _Same | None = SAME,
    message_id: str | _Same | None = SAME,
    baggage: Mapping[str, str] | None = None,
) -> Attached:
    """Bind values to the work inside a `with` block: its spans have them, and its messages and requests carry them.

    Args:
        tenant: The customer; None takes away one that is bound.
        user: The person; None takes away one that is bound.
        correlation_id: The same in everything that one first request led to.
        causation_id: The id of the message or request that led to the one that is handled here.
        message_id: The id of the message or request that is handled here.
        baggage: Members of W3C baggage to add; they leave the process only where the allow-list names them.

    Example:
        >>> with bound(tenant="acme", user="u-1"):
        ...     current().tenant
        'acme'
    """
    given = {
        "tenant": tenant,
        "user": user,
        "correlation_id": correlation_id,
        "causation_id": causation_id,
        "message_id": message_id,
    }
    changes = {name: value for name, value in given.items() if value is not SAME}
    context = current_context()
    for key, value in (baggage or {}).items():
        context = otel_baggage.set_baggage(key, value, context)
    return Attached(with_correlation(current(context)._replace(**changes), context))


def contained() -> Attached:
    """Let nothing but the trace context leave from inside a `with` block.

    For calls to somebody else's service, who has no business with tenants, users and baggage.

    Example:
        >>> with contained():
        ...     pass  # requests.post("https://payments.example/…")
    """
    return Attached(Context({**current_context(), _CONTAINED: True}))


def is_contained(context: Context) -> bool:
    """Say whether only the trace context may leave."""
    return _CONTAINED in context


def new_id() -> str:
    """Return a random id of 32 hexadecimal digits.

    Not a secret, so the quick generator serves; the standard library seeds it anew in a forked child.
    """
    return f"{getrandbits(128):032x}"


def believable_id(text: str | None) -> str | None:
    """Return an id that came in where it is 1 to 128 printable ASCII characters without comma, else None."""
    if text is None:
        return None
    stripped = text.strip(" \t")
    return stripped if _ID.fullmatch(stripped) else None
