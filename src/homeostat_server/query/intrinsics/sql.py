"""The SQL about what spans have beside attributes. It runs nothing."""

from collections.abc import Mapping
from typing import Final

from homeostat_server.query.search.filters import Choice
from homeostat_server.query.sql import also, during

_ROOT: Final = "parent_span_id = toFixedString('', 8)"

COLUMNS: Final[Mapping[str, tuple[str, str]]] = {
    "name": ("name", ""),
    "status_message": ("status_message", ""),
    "root_name": ("name", _ROOT),
    "root_service": ("service", _ROOT),
    "event_name": ("arrayJoin(`events.name`)", "notEmpty(`events.name`)"),
}
"""What each is of a row, and which rows are looked at for it."""


def values(field: str, choice: Choice) -> str:
    """Return the question for the values of a field, the most frequent first; empty ones are none."""
    column, condition = COLUMNS[field]
    where = f"\nWHERE {' AND '.join(choice.exact)}" if choice.exact else ""
    return f"""
SELECT {column} AS value, count() AS times
FROM telemetry.spans
PREWHERE {during()}{also([*([condition] if condition else []), *choice.cheap])}{where}
GROUP BY value
HAVING value != ''
ORDER BY times DESC, value
LIMIT {{rows:UInt32}}
""".strip()
