"""What a search of Jaeger's says by tags, as conditions on a span. It runs nothing.

A tag is an attribute of the span, of its resource, of its scope or of one of its events, whatever type it was sent as,
under its old or its new name. Tags that a span of Jaeger has in the place of members of OTLP's are those members.
"""

from collections.abc import Callable, Collection, Iterable, Mapping
from typing import Final

from opentelemetry.proto.trace.v1.trace_pb2 import Status

from homeostat_server.exceptions import InvalidRequest
from homeostat_server.model.jaeger_json import KINDS
from homeostat_server.query.attributes.conditions import AttributeCondition, AttributeScope, Operator
from homeostat_server.query.binding import Binder

TAGS_MAX: Final = 32
"""Of one search; each is a look at several columns."""

_SCOPES: Final = (AttributeScope.SPAN, AttributeScope.RESOURCE, AttributeScope.SCOPE, AttributeScope.EVENT)
_KINDS: Final = {name: kind for kind, name in KINDS.items()}
_CODES: Final = {"OK": Status.STATUS_CODE_OK, "ERROR": Status.STATUS_CODE_ERROR}


def tag_conditions(tags: Collection[tuple[str, str]], binder: Binder) -> list[str]:
    """Return what a span has to fulfil to have all of these tags.

    Raises:
        InvalidRequest: there are too many, or one is too long.
    """
    if len(tags) > TAGS_MAX:
        raise InvalidRequest("search by tags", value=f"{len(tags)} tags", hint=f"Give at most {TAGS_MAX}.")
    return [f"({' OR '.join(_alternatives(key, value, binder))})" for key, value in tags]


def _alternatives(key: str, value: str, binder: Binder) -> Iterable[str]:
    told = [*_DERIVED[key](value, binder)] if key in _DERIVED else []
    if told:
        # It is what the UI shows under this name, and a search for errors should not have to read all attributes.
        yield from told
        return
    for scope in _SCOPES:
        yield AttributeCondition(scope=scope, key=key, operator=Operator.EQUAL, value=value).sql(binder)
    if key == "event":
        yield f"has(`events.name`, {binder.text(value)})"


def _error(value: str, _: Binder) -> Iterable[str]:
    if value in ("true", "false"):
        yield f"status_code {'=' if value == 'true' else '!='} {Status.STATUS_CODE_ERROR}"


def _kind(value: str, binder: Binder) -> Iterable[str]:
    if value in _KINDS:
        yield f"kind = {binder.integer(_KINDS[value])}"


def _code(value: str, binder: Binder) -> Iterable[str]:
    if value in _CODES:
        yield f"status_code = {binder.integer(_CODES[value])}"


def _text(column: str) -> Callable[[str, Binder], Iterable[str]]:
    return lambda value, binder: (f"{column} = {binder.text(value)}",)


_DERIVED: Final[Mapping[str, Callable[[str, Binder], Iterable[str]]]] = {
    "error": _error,
    "span.kind": _kind,
    "otel.status_code": _code,
    "otel.status_description": _text("status_message"),
    "w3c.tracestate": _text("trace_state"),
}
"""What Jaeger's translation of OTLP makes tags of; the scope's name and version are attributes of the scope."""
