"""Declared attributes: what the spans of a family may say, and a builder that lets nothing else through.

A name that each service spells in its own way cannot be asked for; a declared set is a table that a person can read and
a query can rely on.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final, Self

from opentelemetry.trace import SpanKind
from opentelemetry.util.types import AnyValue

from homeostat.propagation import correlation_in
from homeostat.propagation.scopes import current_context
from homeostat.tracing.active import ActiveSpan
from homeostat.tracing.failures import FAILURES
from homeostat.tracing.own import HELPERS
from homeostat.tracing.tracer import CORRELATION_ID, TENANT, USER


class Shape(StrEnum):
    """What the value of an attribute is."""

    TEXT = "text"
    INTEGER = "integer"
    NUMBER = "number"
    SWITCH = "true or false"
    TEXTS = "list of texts"


class Source(StrEnum):
    """Who defines an attribute."""

    STABLE = "OpenTelemetry, stable"
    DEVELOPMENT = "OpenTelemetry, in development"
    HOMEOSTAT = "Homeostat"


@dataclass(frozen=True, slots=True)
class Declared:
    """Declare one attribute.

    Args:
        name: as it is on the span; units last.
        shape: what its value is.
        meaning: one sentence for the page.
        source: who defines it.
    """

    name: str
    shape: Shape
    meaning: str
    source: Source = Source.HOMEOSTAT


EVERYWHERE: Final = (
    Declared(TENANT, Shape.TEXT, "Customer that the work is done for."),
    Declared(USER, Shape.TEXT, "Person that the work is done for.", Source.DEVELOPMENT),
    Declared(CORRELATION_ID, Shape.TEXT, "The same in everything that one first request led to."),
    Declared("error.type", Shape.TEXT, "Kind of error that ended the operation; absent if none did.", Source.STABLE),
)
"""What every family has."""


@dataclass(frozen=True)
class Family:
    """Declare a family of spans.

    Args:
        name: one word or two, for code and the page.
        purpose: one sentence: which operations its spans are.
        naming: how a span is named.
        own: what it declares beside `EVERYWHERE`.
    """

    name: str
    purpose: str
    naming: str
    own: tuple[Declared, ...]
    names: frozenset[str] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        """Collect the names; one that is declared twice is told."""
        names = [declared.name for declared in self.declared]
        object.__setattr__(self, "names", frozenset(names))
        if len(self.names) != len(names):
            twice = sorted({name for name in names if names.count(name) > 1})
            FAILURES.noticed(f"family {self.name:.80}", f"The span family {self.name!r} declares twice: {twice}")

    def declares(self, name: object) -> bool:
        """Tell whether its spans may have an attribute of this name."""
        return isinstance(name, str) and name in self.names

    @property
    def declared(self) -> tuple[Declared, ...]:
        """Return all attributes, those of every family first."""
        return (*EVERYWHERE, *self.own)


class SpanAttributes:
    """Build the attributes of a standardised span.

    Tenant, user and correlation id come from the context unless they are given. A name that the family does not declare
    is dropped, counted, and told once. Methods return the builder.

    Example:
        >>> orders = Family("orders", "An order.", "what is done", (Declared("order.lines", Shape.INTEGER, "Lines."),))
        >>> SpanAttributes(orders).put("order.lines", 3).tenant("acme").built()
        {'order.lines': 3, 'tenant.id': 'acme'}
    """

    __slots__ = ("_family", "_values")

    def __init__(self, family: Family) -> None:
        self._family = family
        self._values: dict[str, AnyValue] = {}

    def put(self, name: str, value: AnyValue) -> Self:
        """Set one attribute; None says nothing and is left out."""
        if value is None:
            return self
        if self._family.declares(name):
            self._values[name] = value
        else:
            FAILURES.noticed(
                f"undeclared attribute {name!s:.80} of {self._family.name}",
                f"The attribute {name!r} is not declared by the span family {self._family.name!r} and is dropped",
            )
        return self

    def put_all(self, values: Mapping[str, AnyValue]) -> Self:
        """Set several attributes."""
        for name, value in values.items():
            self.put(name, value)
        return self

    def tenant(self, tenant: str | None) -> Self:
        """Say whom the work is done for, instead of what the context says."""
        return self.put(TENANT, tenant)

    def user(self, user: str | None) -> Self:
        """Say for which person, instead of what the context says."""
        return self.put(USER, user)

    def correlation(self, correlation_id: str | None) -> Self:
        """Say to which first request it belongs, instead of what the context says."""
        return self.put(CORRELATION_ID, correlation_id)

    def built(self) -> dict[str, AnyValue]:
        """Return the attributes, with tenant, user and correlation id of the context where none were given."""
        values = dict(self._values)
        current = correlation_in(current_context())
        if current is not None:
            for name, value in (
                (TENANT, current.tenant),
                (USER, current.user),
                (CORRELATION_ID, current.correlation_id),
            ):
                if value is not None:
                    values.setdefault(name, value)
        return values


def family_span(
    family: Family,
    name: str,
    *,
    kind: SpanKind,
    values: Mapping[str, AnyValue],
    more: Mapping[str, AnyValue] | None = None,
) -> ActiveSpan:
    """Return a span of a family, for a block or a function.

    Args:
        family: declares what it may say.
        name: of the span.
        kind: the side of a call that it is.
        values: attributes that the helper knows by arguments; None is left out.
        more: other declared attributes.
    """
    attributes: Mapping[str, AnyValue] = {}
    with FAILURES.contained("building the attributes of a span"):
        attributes = SpanAttributes(family).put_all(values).put_all(more or {}).built()
    return ActiveSpan(HELPERS.current(), name, kind, attributes)
