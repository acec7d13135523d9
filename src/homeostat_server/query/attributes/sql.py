"""The SQL about attributes. It runs nothing; see `homeostat_server.query.sql` for the pieces it shares."""

from collections.abc import Mapping, Sequence
from typing import Final

ITEMS: Final = "arrayMap((key, value) -> concat(key, '=', value), mapKeys(attributes), mapValues(attributes))"
"""The expression of the index `attribute_items`: the index is used where this very expression stands."""

SCOPE_COLUMNS: Final[Mapping[str, str]] = {
    "otel.scope.name": "scope_name",
    "otel.library.name": "scope_name",
    "otel.scope.version": "scope_version",
    "otel.library.version": "scope_version",
}
"""What a scope has beside its attributes, by the names that other formats give it."""


def has_any_item(items: Sequence[str]) -> str:
    """Return that a row has one of these `key=value` items; the index prunes by it."""
    return f"has({ITEMS}, {items[0]})" if len(items) == 1 else f"hasAny({ITEMS}, [{', '.join(items)}])"


def among(scope: str, condition: str) -> str:
    """Return a condition on a row of spans from one on what the attributes of a scope are kept in.

    Args:
        scope: `span`, `resource`, `scope`, `event` or `link`.
        condition: over the columns of `sources`, or over the map `item` of an event or a link.
    """
    if scope in ("resource", "scope"):
        return (
            "source IN (\n        SELECT source\n        FROM telemetry.sources\n"
            f"        WHERE tenant = {{tenant:String}} AND {condition}\n    )"
        )
    if scope in ("event", "link"):
        return f"arrayExists(item -> {condition}, `{scope}s.attributes`)"
    return condition


PATTERN: Final = "SELECT match('', {pattern:String}) AS found"
"""It fails when the pattern is no regular expression."""
