"""The SQL about attribute keys and values. It runs nothing; see `homeostat_server.query.sql` for shared pieces."""

from collections.abc import Mapping, Sequence
from typing import Final

from homeostat_server.query.attributes.conditions import AttributeScope
from homeostat_server.query.search.filters import Choice
from homeostat_server.query.sql import also, during

IN_SAMPLE: Final = (
    "toStartOfFiveMinutes(ts) IN ("
    "SELECT toDateTime(toUInt32(arrayJoin(splitByChar(',', {sample_stretches:String}))), 'UTC'))"
    " AND trace_id < toFixedString(unhex({sample_end:String}), 16)"
)
"""The condition that a span is of the sample: rows are sorted by both, so the rest is not read."""

SIZE: Final = """
SELECT count() AS spans
FROM telemetry.spans
WHERE tenant = {tenant:String} AND toStartOfFiveMinutes(ts) BETWEEN
    toStartOfFiveMinutes(fromUnixTimestamp64Nano({first_ns:Int64}, 'UTC'))
    AND toStartOfFiveMinutes(fromUnixTimestamp64Nano({last_ns:Int64}, 'UTC'))
""".strip()
"""About how many spans a window has, for nothing: whole stretches of five minutes are counted by the index."""

SAMPLE_SIZE: Final = f"{SIZE}\n    AND {IN_SAMPLE}"
"""How many of them are in the sample."""

_SCALARS: Final = "('1', '2', '3', '4')"
"""Kinds of values that are one text: arrays, maps and bytes are kept as bytes."""

_SCOPE_KEYS: Final = "arrayConcat(mapKeys(scope), ['otel.scope.name', 'otel.scope.version'])"
_SCOPE_VALUES: Final = "arrayConcat(mapValues(scope), [scope_name, scope_version])"
_SCOPE_KINDS: Final = "concat(scope_kinds, if(scope_name = '', '0', '1'), if(scope_version = '', '0', '1'))"
"""A scope's name and version as the attributes that other formats make of them, not set when they are empty."""

_OF_SOURCES: Final[Mapping[str, tuple[str, str, str]]] = {
    AttributeScope.RESOURCE: ("mapKeys(resource)", "mapValues(resource)", "resource_kinds"),
    AttributeScope.SCOPE: (_SCOPE_KEYS, _SCOPE_VALUES, _SCOPE_KINDS),
}
_OF_ITEMS: Final[Mapping[str, str]] = {AttributeScope.EVENT: "events", AttributeScope.LINK: "links"}


def keys(scope: AttributeScope, choice: Choice, *, sampled: bool) -> str:
    """Return the question for the keys of a scope's attributes, the most frequent first."""
    return f"""
SELECT key, kind, sum(items) AS times
FROM (
    SELECT keys, kinds, sum(items) AS items
    FROM (
        {_indented(_attributes(scope, choice, sampled=sampled, values=False))}
    )
    GROUP BY keys, kinds
)
ARRAY JOIN keys AS key, splitByString('', kinds) AS kind
GROUP BY key, kind
ORDER BY times DESC, key, kind
LIMIT {{rows:UInt32}}
""".strip()


def values(scope: AttributeScope, choice: Choice, *, names: Sequence[str], prefix: str, sampled: bool) -> str:
    """Return the question for the values of an attribute, the most frequent first.

    Args:
        scope: what it is an attribute of.
        choice: what a span has to fulfil.
        names: the SQL of each of its names.
        prefix: the SQL of how a value begins.
        sampled: whether to look at the sample only.
    """
    if scope is AttributeScope.SPAN:
        there = " OR ".join(f"has(attributes.keys, {name})" for name in names)
        choice = Choice(cheap=(*choice.cheap, f"({there})"), exact=choice.exact)
    positions = [f"indexOf(keys, {name})" for name in names]
    position = positions[0] if len(positions) == 1 else f"greatest({', '.join(positions)})"
    return f"""
SELECT value, kind, sum(items) AS times
FROM (
    SELECT {position} AS position, vals[position] AS value, substring(kinds, position, 1) AS kind, items
    FROM (
        {_indented(_attributes(scope, choice, sampled=sampled, values=True))}
    )
)
WHERE position > 0 AND kind IN {_SCALARS} AND startsWith(value, {prefix})
GROUP BY value, kind
ORDER BY times DESC, value, kind
LIMIT {{rows:UInt32}}
""".strip()


def _attributes(scope: AttributeScope, choice: Choice, *, sampled: bool, values: bool) -> str:
    """Return the question for the maps of a scope: keys, values and kinds, and how many items each row stands for."""
    where = f"PREWHERE {during()}{also([*([IN_SAMPLE] if sampled else []), *choice.cheap])}"
    if choice.exact:
        where += f"\nWHERE {' AND '.join(choice.exact)}"
    if scope in _OF_SOURCES:
        return _of_sources(*_OF_SOURCES[scope], where)
    if scope in _OF_ITEMS:
        items = _OF_ITEMS[scope]
        columns = "mapKeys(item) AS keys, " + ("mapValues(item) AS vals, " if values else "") + "kinds, 1 AS items"
        return (
            f"SELECT {columns}\nFROM telemetry.spans\n"
            f"ARRAY JOIN `{items}.attributes` AS item, `{items}.attribute_kinds` AS kinds\n{where}"
        )
    columns = "attributes.keys AS keys, " + ("attributes.values AS vals, " if values else "")
    return f"SELECT {columns}attribute_kinds AS kinds, 1 AS items\nFROM telemetry.spans\n{where}"


def _of_sources(keys: str, values: str, kinds: str, where: str) -> str:
    return f"""
SELECT {keys} AS keys, {values} AS vals, {kinds} AS kinds, counted.spans AS items
FROM (
    SELECT toUInt64(source) AS source, count() AS spans
    FROM telemetry.spans
    {_indented(where, by=4)}
    GROUP BY source
) AS counted
INNER JOIN (
    SELECT source, resource, resource_kinds, scope, scope_kinds, scope_name, scope_version
    FROM telemetry.sources
    WHERE tenant = {{tenant:String}}
    LIMIT 1 BY source
) AS described USING (source)
""".strip()


def _indented(text: str, *, by: int = 8) -> str:
    return text.replace("\n", "\n" + " " * by)
