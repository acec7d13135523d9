"""A search by tags, as it was before TraceQL: read from logfmt and said in TraceQL. It asks nothing."""

import re
from typing import Final

from homeostat_server.api.go_values import quoted
from homeostat_server.exceptions import InvalidRequest
from homeostat_server.query.times import NS_PER_S

TAGS_MAX: Final = 30

# key, then nothing, a text in quotation marks, or a word
_PAIR: Final = re.compile(r'\s*([^\s="]+)(?:=(?:"((?:[^"\\]|\\.)*)"|([^\s"]*)))?(?=\s|$)')
_ESCAPED: Final = re.compile(r"\\(.)", re.DOTALL)
_INTRINSICS: Final = {
    "name": "name",
    "root.name": "trace:rootName",
    "root.service.name": "trace:rootService",
    "service.name": "resource.service.name",
}
_NS_PER_MS: Final = NS_PER_S // 1_000
_SPECIAL: Final = frozenset(r"\.+*?()|[]{}^$")


def parse_logfmt(text: str) -> dict[str, str]:
    """Return the pairs of a text such as `http.url=api name="GET /"`.

    Raises:
        InvalidRequest: it is none, says a key twice, or has too many.
    """
    tags: dict[str, str] = {}
    place = 0
    while text[place:].strip():
        pair = _PAIR.match(text, place)
        if pair is None:
            raise InvalidRequest(f"invalid tags: unexpected {quoted(text[place : place + 1])} at pos {place + 1}")
        key, in_marks, word = pair.groups()
        if key in tags:
            raise InvalidRequest(f"invalid tags: tag {key} has been set twice")
        tags[key] = (word or "") if in_marks is None else _ESCAPED.sub(r"\1", in_marks)
        place = pair.end()
        if len(tags) > TAGS_MAX:
            raise InvalidRequest(f"invalid tags: more than {TAGS_MAX}")
    return tags


def traceql_of_tags(tags: dict[str, str], *, duration_min_ns: int | None, duration_max_ns: int | None) -> str:
    """Return the query that finds traces with each tag on some span, and with a duration in between.

    A value is matched as a part, in small or capital letters, as Tempo does.
    """
    filters = [f"{{ {_condition(key, value)} }}" for key, value in tags.items()]
    if duration_min_ns is not None:
        filters.append(f"{{ trace:duration >= {duration_min_ns // _NS_PER_MS}ms }}")
    if duration_max_ns is not None:
        filters.append(f"{{ trace:duration <= {duration_max_ns // _NS_PER_MS}ms }}")
    return " && ".join(filters) or "{ }"


def _condition(key: str, value: str) -> str:
    if key == "status.code" and value in ("ok", "error", "unset"):
        return f"status = {value}"
    if key == "error" and value == "true":
        return "status = error"
    field = _INTRINSICS.get(key) or f'."{_in_marks(key)}"'
    return f'{field} =~ "(?i).*{_in_marks(_literal(value))}.*"'


def _literal(text: str) -> str:
    """Return a pattern that matches this text."""
    return "".join(f"\\{letter}" if letter in _SPECIAL else letter for letter in text)


def _in_marks(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return escaped.replace("\n", "\\n").replace("\r", "\\r").replace("\t", "\\t")
