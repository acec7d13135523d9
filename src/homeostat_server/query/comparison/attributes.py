"""Which attributes of one trace's spans are not those of another's. It reads spans that have a path to themselves."""

from dataclasses import dataclass
from typing import Final

from homeostat_server.model.tenant import Tenant
from homeostat_server.query.comparison import sql
from homeostat_server.query.comparison.paths import Costs, Path
from homeostat_server.query.comparison.sides import SPANS_MAX, Side
from homeostat_server.query.semconv import newest
from homeostat_server.store.ports import TelemetryReader

ATTRIBUTES_MAX: Final = 20
"""Of one path."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AttributeDifference:
    """Hold what an attribute, by its newest name, says on each side; None where it is not there."""

    key: str
    left: str | None
    right: str | None


def attribute_differences(
    reader: TelemetryReader, *, tenant: Tenant, left: tuple[Side, Costs], right: tuple[Side, Costs]
) -> dict[Path, list[AttributeDifference]]:
    """Return by path which attributes of two traces differ, where each has one span on the path."""
    said_left, said_right = (_said(reader, tenant, side, costs) for side, costs in (left, right))
    found = {}
    for path in said_left.keys() & said_right.keys():
        ours, theirs = said_left[path], said_right[path]
        keys = [key for key in sorted(ours.keys() | theirs.keys()) if ours.get(key) != theirs.get(key)]
        if keys:
            found[path] = [
                AttributeDifference(key=key, left=ours.get(key), right=theirs.get(key)) for key in keys[:ATTRIBUTES_MAX]
            ]
    return found


def _said(reader: TelemetryReader, tenant: Tenant, side: Side, costs: Costs) -> dict[Path, dict[str, str]]:
    table = reader.read_table(
        tenant,
        sql.ATTRIBUTES,
        {
            "tenant": tenant,
            "first_ns": side.first_ns,
            "last_ns": side.last_ns,
            "trace_ids": ",".join(side.trace_ids),
            "rows": SPANS_MAX,
        },
    )
    attributes = {
        span_id: {newest(_text(key)): _text(value) for key, value in zip(keys, values, strict=True)}
        for span_id, keys, values in zip(
            table["span_id"].to_pylist(), table["keys"].to_pylist(), table["values"].to_pylist(), strict=True
        )
    }
    span_ids = side.forest.span_ids
    alone = {path: int(span) for path, span in zip(costs.paths, costs.only_span, strict=True) if span >= 0}
    return {path: attributes.get(bytes(span_ids[span]), {}) for path, span in alone.items()}


def _text(stored: bytes) -> str:
    return stored.decode("utf-8", "replace")
