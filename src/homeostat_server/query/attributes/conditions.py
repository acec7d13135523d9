"""Conditions on attributes, as SQL over `telemetry.spans`. It runs nothing and reads no query language.

What a condition means, wherever it is asked:

- Old and new names of an attribute are one (`homeostat_server.query.semconv`).
- Values are compared as text, whatever type they were sent as: "200" is the text and the whole number, "true" the text
  and the boolean. A number is compared by its value: 200.0 is 200. Values that are arrays or maps only exist.
- `!=`, `!~` and the comparisons hold only where the attribute is; `absent` is the way to ask for where it is not.
- `<`, `<=`, `>`, `>=` hold for numbers, and for texts that are numbers, to the precision of a double.
- A pattern is RE2's and is found anywhere in the value, unless it says `^` and `$`.
- On events and links a condition holds when it does for one of them.
"""

import math
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum, unique
from typing import Final

from homeostat_server.exceptions import InvalidRequest
from homeostat_server.query.attributes import sql
from homeostat_server.query.binding import Binder
from homeostat_server.query.semconv import same_as, same_values

KEY_LENGTH_MAX: Final = 1_000
VALUE_LENGTH_MAX: Final = 8_000
PATTERN_LENGTH_MAX: Final = 1_000
"""What people write; the engine bounds what an expression may become (8 MiB of states)."""

_WHOLE: Final = re.compile(r"[+-]?\d{1,400}", re.ASCII)
_REAL: Final = re.compile(r"[+-]?(\d{1,400}\.?\d{0,400}|\.\d{1,400})([eE][+-]?\d{1,5})?", re.ASCII)
_PLAIN_BELOW: Final = 1e21
_PLAIN_FROM: Final = 1e-6
"""Between these the engine writes a double without an exponent."""


@unique
class AttributeScope(StrEnum):
    """Name what an attribute can be of."""

    SPAN = "span"
    RESOURCE = "resource"
    SCOPE = "scope"
    EVENT = "event"
    LINK = "link"


@unique
class Operator(StrEnum):
    """Name what can be asked of an attribute."""

    EQUAL = "="
    NOT_EQUAL = "!="
    MATCHES = "~"
    NOT_MATCHES = "!~"
    LESS = "<"
    LESS_OR_EQUAL = "<="
    GREATER = ">"
    GREATER_OR_EQUAL = ">="
    EXISTS = "exists"
    ABSENT = "absent"


COMPARISONS: Final = frozenset(
    {Operator.LESS, Operator.LESS_OR_EQUAL, Operator.GREATER, Operator.GREATER_OR_EQUAL},
)
PATTERNS: Final = frozenset({Operator.MATCHES, Operator.NOT_MATCHES})

_POSITIVE: Final = {
    Operator.NOT_EQUAL: Operator.EQUAL,
    Operator.NOT_MATCHES: Operator.MATCHES,
}
"""What must not hold for any name of an attribute that is there."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AttributeCondition:
    """Hold what one attribute of a span has to fulfil.

    Attributes:
        scope: what it is an attribute of.
        key: any of its names.
        operator: what is asked.
        value: what it is compared with; nothing for `EXISTS` and `ABSENT`.
    """

    scope: AttributeScope
    key: str
    operator: Operator
    value: str = ""

    def __post_init__(self) -> None:
        """Refuse what is too long, and to compare by size with what is no number."""
        _check_length(self.key, KEY_LENGTH_MAX, "key")
        _check_length(self.value, PATTERN_LENGTH_MAX if self.operator in PATTERNS else VALUE_LENGTH_MAX, "value")
        if not self.key:
            raise InvalidRequest("ask for an attribute", value="", hint="Name its key.")
        if self.operator in COMPARISONS and number_of(self.value) is None:
            raise InvalidRequest(
                "compare an attribute by size",
                value=f"{self.key} {self.operator} {self.value}",
                hint="Behind <, <=, > and >= stands a number; = and ~ compare text.",
            )

    def sql(self, binder: Binder) -> str:
        """Return the condition on a row of spans, exact."""
        if self.scope is AttributeScope.RESOURCE and self.key == "service.name" and self.operator is Operator.EQUAL:
            # The column has the same, and is sorted and indexed.
            return f"service = {binder.text(self.value)}"
        places = _PLACES[self.scope](same_as(self.key), binder)
        return sql.among(self.scope, _holds(self, places, binder))

    def likely(self, binder: Binder) -> str | None:
        """Return a condition that holds wherever this one does and costs less, None when there is none.

        It is for PREWHERE, in front of the exact one in WHERE: the exact one then looks at what is left. It pays where
        no other condition leaves few rows.
        """
        if self.scope is not AttributeScope.SPAN or self.operator is Operator.ABSENT:
            return None
        if self.operator is Operator.EQUAL:
            texts = texts_of(self.key, self.value)
            return _any(f"has(attributes.values, {binder.text(value)})" for value in texts)
        return _any(f"has(attributes.keys, {binder.text(key)})" for key in same_as(self.key))


def number_of(text: str) -> float | None:
    """Return the number that a text is, None when it is none; infinities and NaN are none here."""
    if not _REAL.fullmatch(text):
        return None
    number = float(text)
    return number if math.isfinite(number) else None


def texts_of(key: str, value: str) -> tuple[str, ...]:
    """Return the texts by which stored values say a value: as given, as the number that it is, by renamed words."""
    return tuple(dict.fromkeys((*same_values(key, value), *_number_texts(value))))


def _number_texts(value: str) -> Iterator[str]:
    """Yield how a number is stored: whole ones by their digits, others as the engine writes the nearest double."""
    number = number_of(value)
    if number is None:
        return
    if _WHOLE.fullmatch(value):
        yield str(int(value))
    if number == 0 or _PLAIN_FROM <= abs(number) < _PLAIN_BELOW:
        yield f"{Decimal(repr(number)):f}".removesuffix(".0")
    else:
        mantissa, _, exponent = f"{Decimal(repr(number)).normalize():e}".partition("e")
        yield f"{mantissa}e{int(exponent)}"


def _check_length(text: str, length_max: int, what: str) -> None:
    if len(text) > length_max:
        hint = f"It has at most {length_max} characters."
        raise InvalidRequest(f"use the {what} of a condition on an attribute", value=text, hint=hint)


@dataclass(frozen=True, slots=True)
class _Place:
    """Hold where one name of an attribute is looked for.

    Attributes:
        name: the SQL of the name.
        there: whether it is there.
        value: its value as text, empty where it is not.
    """

    key: str
    there: str
    value: str


def _span_places(keys: Iterable[str], binder: Binder) -> list[_Place]:
    return [_in_map("attributes", key, binder) for key in keys]


def _resource_places(keys: Iterable[str], binder: Binder) -> list[_Place]:
    return [_in_map("resource", key, binder) for key in keys]


def _item_places(keys: Iterable[str], binder: Binder) -> list[_Place]:
    return [_in_map("item", key, binder) for key in keys]


def _scope_places(keys: Iterable[str], binder: Binder) -> list[_Place]:
    columns = sql.SCOPE_COLUMNS
    return [
        _Place(key, f"{columns[key]} != ''", columns[key]) if key in columns else _in_map("scope", key, binder)
        for key in keys
    ]


_PLACES: Final = {
    AttributeScope.SPAN: _span_places,
    AttributeScope.RESOURCE: _resource_places,
    AttributeScope.SCOPE: _scope_places,
    AttributeScope.EVENT: _item_places,
    AttributeScope.LINK: _item_places,
}


def _in_map(column: str, key: str, binder: Binder) -> _Place:
    name = binder.text(key)
    return _Place(key, f"mapContains({column}, {name})", f"{column}[{name}]")


def _holds(condition: AttributeCondition, places: Sequence[_Place], binder: Binder) -> str:
    """Return the condition over all names of an attribute."""
    operator = condition.operator
    there = _any(place.there for place in places)
    if operator is Operator.EXISTS:
        return there
    if operator is Operator.ABSENT:
        return f"NOT {there}"
    if operator in _POSITIVE:
        return f"({there} AND NOT {_positive(condition, _POSITIVE[operator], places, binder)})"
    return _positive(condition, operator, places, binder)


def _positive(condition: AttributeCondition, operator: Operator, places: Sequence[_Place], binder: Binder) -> str:
    if operator is Operator.EQUAL:
        return _equal(condition, places, binder)
    if operator is Operator.MATCHES:
        pattern = binder.text(condition.value)
        return _any(f"({place.there} AND match({place.value}, {pattern}))" for place in places)
    number = binder.real(float(condition.value))
    return _any(f"toFloat64OrDefault({place.value}, nan) {operator} {number}" for place in places)


def _equal(condition: AttributeCondition, places: Sequence[_Place], binder: Binder) -> str:
    texts = texts_of(condition.key, condition.value)
    if condition.scope is AttributeScope.SPAN:
        return _equal_indexed([place.key for place in places], texts, binder)
    return _any(
        f"({place.there} AND {place.value} IN ({', '.join(binder.text(value) for value in texts)}))" for place in places
    )


def _equal_indexed(keys: Sequence[str], texts: Sequence[str], binder: Binder) -> str:
    """Return that one of the names has one of the values, in the form that the index of items knows."""
    items = [f"{key}={value}" for key in keys for value in texts]
    condition = sql.has_any_item([binder.text(item) for item in items])
    if all(item.count("=") == 1 for item in items):
        return condition
    # `a=b` with the value `c` makes the same item as `a` with the value `b=c`.
    exact = _any(f"attributes[{binder.text(key)}] = {binder.text(value)}" for key in keys for value in texts)
    return f"({condition} AND {exact})"


def _any(conditions: Iterable[str]) -> str:
    listed = list(conditions)
    return listed[0] if len(listed) == 1 else f"({' OR '.join(listed)})"
