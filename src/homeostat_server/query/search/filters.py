"""What one span of a trace has to fulfil, as SQL in two parts: what is cheap to look at, and what is exact.

Invariant: a span fulfils a filter when it fulfils both parts. The engine evaluates everything in a WHERE for every row
that it reads, so that reading attributes would decide what a question costs; in PREWHERE it finds out first for which
rows that is worth while.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum, unique
from typing import Final

from homeostat_server.exceptions import InvalidRequest
from homeostat_server.query.attributes.conditions import AttributeCondition, AttributeScope, Operator
from homeostat_server.query.binding import Binder

ATTRIBUTES_MAX: Final = 20
"""Conditions on attributes in one question; each is evaluated for every row that the ones before let pass."""


_OF_SOURCE: Final = frozenset({AttributeScope.RESOURCE, AttributeScope.SCOPE})
"""Their attributes are looked up in the small table of sources; a span has a number."""


@unique
class SpanStatus(StrEnum):
    """Name what a span says of its outcome, in the order of OTLP's numbers."""

    UNSET = "unset"
    OK = "ok"
    ERROR = "error"

    @property
    def code(self) -> int:
        """Return OTLP's number."""
        return tuple(SpanStatus).index(self)


@unique
class SpanKind(StrEnum):
    """Name on which side of which work a span is, in the order of OTLP's numbers."""

    UNSPECIFIED = "unspecified"
    INTERNAL = "internal"
    SERVER = "server"
    CLIENT = "client"
    PRODUCER = "producer"
    CONSUMER = "consumer"

    @property
    def code(self) -> int:
        """Return OTLP's number."""
        return tuple(SpanKind).index(self)


def kind_name(number: int) -> str:
    """Return the name of OTLP's number of a span kind, the number itself when it has none."""
    kinds = tuple(SpanKind)
    return kinds[number].value if 0 <= number < len(kinds) else str(number)


def status_name(number: int) -> str:
    """Return the name of OTLP's number of a status, the number itself when it has none."""
    states = tuple(SpanStatus)
    return states[number].value if 0 <= number < len(states) else str(number)


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """Hold the conditions of a filter.

    Attributes:
        cheap: those on columns that cost little to read.
        likely: what follows from those on attributes and costs less.
        exact: those on attributes.
    """

    cheap: tuple[str, ...] = ()
    likely: tuple[str, ...] = ()
    exact: tuple[str, ...] = ()

    @property
    def whole(self) -> str:
        """Return all that has to hold as one condition."""
        return " AND ".join((*self.cheap, *self.exact)) or "1"


@dataclass(frozen=True, slots=True, kw_only=True)
class SpanFilter:
    """Hold what one span of a trace has to fulfil; None asks for nothing.

    Attributes:
        service: its service.
        operation: its name.
        kind: its kind.
        status: its status.
        duration_min_ns: it took at least so long.
        duration_max_ns: it took at most so long.
        attributes: conditions on its attributes and those of its resource, scope, events and links.
        event: name of one of its events.
        link: id of a trace that one of its links points to, 32 small hexadecimal digits.
    """

    service: str | None = None
    operation: str | None = None
    kind: SpanKind | None = None
    status: SpanStatus | None = None
    duration_min_ns: int | None = None
    duration_max_ns: int | None = None
    attributes: tuple[AttributeCondition, ...] = ()
    event: str | None = None
    link: str | None = None

    def __post_init__(self) -> None:
        """Refuse more conditions than a question may have."""
        if len(self.attributes) > ATTRIBUTES_MAX:
            raise InvalidRequest(
                "search by attributes",
                value=f"{len(self.attributes)} conditions",
                hint=f"A question has at most {ATTRIBUTES_MAX} conditions on attributes.",
            )

    def chosen(self, binder: Binder) -> Choice:
        """Return the conditions as SQL; the values are in the binder."""
        of_source = [condition for condition in self.attributes if condition.scope in _OF_SOURCE]
        others = [condition for condition in self.attributes if condition.scope not in _OF_SOURCE]
        cheap = (*self._of_the_span(binder), *(condition.sql(binder) for condition in of_source))
        likely = () if cheap else (condition.likely(binder) for condition in others)
        return Choice(
            cheap=cheap,
            likely=tuple(condition for condition in likely if condition is not None),
            exact=tuple(condition.sql(binder) for condition in others),
        )

    @property
    def is_indexed(self) -> bool:
        """Say whether the engine can leave most of the rows out by an index."""
        return any(
            condition.scope is AttributeScope.SPAN and condition.operator is Operator.EQUAL
            for condition in self.attributes
        )

    def _of_the_span(self, binder: Binder) -> Iterator[str]:
        texts = {
            "service = {}": self.service,
            "name = {}": self.operation,
            "has(`events.name`, {})": self.event,
            "has(`links.trace_id`, toFixedString(unhex({}), 16))": self.link,
        }
        numbers = {
            "kind = {}": None if self.kind is None else self.kind.code,
            "status_code = {}": None if self.status is None else self.status.code,
            "duration_ns >= {}": self.duration_min_ns,
            "duration_ns <= {}": self.duration_max_ns,
        }
        yield from (form.format(binder.text(value)) for form, value in texts.items() if value is not None)
        yield from (form.format(binder.integer(value)) for form, value in numbers.items() if value is not None)
