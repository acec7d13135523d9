"""The SQL of comparison. It runs nothing; see `homeostat_server.query.sql` for the pieces it shares."""

from collections.abc import Sequence
from typing import Final

from homeostat_server.query.forest.forest import FOREST_COLUMNS
from homeostat_server.query.sql import SOME_TRACES, also, during

BELOW: Final = "trace_id < toFixedString(unhex({trace_id_end:String}), 16)"
"""The condition that a trace is in a share of all, which the sorting key finds quickly; ids are random."""


def members(conditions: Sequence[str], *, others: bool, below: bool) -> str:
    """Return the question for the first traces, by id, with a span that fulfils conditions; or for the others."""
    chosen = also(conditions)
    if others:
        inner = f"SELECT trace_id\n        FROM telemetry.spans\n        WHERE {during()}{chosen}"
        chosen = also([f"trace_id NOT IN (\n        {inner}\n    )"])
    return f"""
SELECT trace_id
FROM telemetry.spans
WHERE {during()}{also([BELOW]) if below else ""}{chosen}
GROUP BY trace_id
ORDER BY trace_id
LIMIT {{rows:UInt32}}
""".strip()


SPANS: Final = f"""
SELECT {FOREST_COLUMNS}
FROM telemetry.spans
WHERE {during()}
    AND trace_id <= toFixedString(unhex({{trace_id_last:String}}), 16)
    AND {SOME_TRACES}
LIMIT {{rows:UInt32}}
""".strip()

ATTRIBUTES: Final = f"""
SELECT trace_id, span_id, mapKeys(attributes) AS keys, mapValues(attributes) AS values
FROM telemetry.spans
WHERE {during()}
    AND {SOME_TRACES}
LIMIT {{rows:UInt32}}
""".strip()
