"""What the traces of a side have to have, as a caller writes it: `status=error`, `span.http.route=/cart`.

It reads no spans.
"""

from collections.abc import Callable
from enum import StrEnum
from typing import Any, Final, TypeVar

from homeostat_server.exceptions import InvalidRequest
from homeostat_server.query.attributes.conditions import AttributeCondition, AttributeScope
from homeostat_server.query.attributes.written import parse_condition
from homeostat_server.query.search.filters import SpanFilter, SpanKind, SpanStatus
from homeostat_server.query.times import parse_duration

CONDITIONS_MAX: Final = 10
CONDITION_LENGTH_MAX: Final = 1_024

FORMS: Final = (
    "`service=`, `operation=`, `kind=`, `status=`, `min_duration=`, `max_duration=`, or `span.`, `resource.`, `scope.`,"
    " `event.` or `link.` before a condition on an attribute (`resource.service.version=2.1.0`)"
)

_SCOPES: Final = {f"{scope}.": AttributeScope(scope) for scope in ("span", "resource", "scope", "event", "link")}


Name = TypeVar("Name", bound=StrEnum)


def _one_of(names: type[Name], value: str, what: str) -> Name:
    try:
        return names(value)
    except ValueError as error:
        known = ", ".join(name.value for name in names)
        raise InvalidRequest(f"use a {what}", value=value, hint=f"Known are {known}.") from error


_FIELDS: Final[dict[str, tuple[str, Callable[[str], Any]]]] = {
    "service": ("service", str),
    "operation": ("operation", str),
    "kind": ("kind", lambda value: _one_of(SpanKind, value, "kind")),
    "status": ("status", lambda value: _one_of(SpanStatus, value, "status")),
    "min_duration": ("duration_min_ns", lambda value: parse_duration(value, name="min_duration")),
    "max_duration": ("duration_max_ns", lambda value: parse_duration(value, name="max_duration")),
}


def parse_filter(texts: list[str]) -> SpanFilter:
    """Return what one span of a trace has to fulfil: all of the conditions.

    Raises:
        InvalidRequest: there are too many, or one cannot be read.
    """
    if len(texts) > CONDITIONS_MAX:
        raise InvalidRequest("read conditions", value=len(texts), hint=f"A side has at most {CONDITIONS_MAX}.")
    fields: dict[str, Any] = {}
    attributes: list[AttributeCondition] = []
    for text in texts:
        scope = next((scope for prefix, scope in _SCOPES.items() if text.startswith(prefix)), None)
        if scope is not None:
            attributes.append(parse_condition(text.partition(".")[2], scope=scope))
            continue
        name, sign, value = text.partition("=")
        if name not in _FIELDS or not sign or len(text) > CONDITION_LENGTH_MAX:
            raise InvalidRequest("read a condition", value=text, hint=f"Write {FORMS}.")
        field, read = _FIELDS[name]
        if field in fields:
            raise InvalidRequest(
                "read conditions", value=text, hint=f"Say `{name}` once: all have to hold for one span."
            )
        fields[field] = read(value)
    return SpanFilter(**fields, attributes=tuple(attributes))
