"""The SQL about the structure of one trace. It runs nothing; see `homeostat_server.query.sql` for shared pieces."""

from typing import Final

from homeostat_server.query.forest.forest import FOREST_COLUMNS
from homeostat_server.query.sql import ONE_TRACE, also, during

VERSION: Final = f"""
SELECT count() AS spans, max(segment) AS newest
FROM telemetry.spans
WHERE {during()}
    AND {ONE_TRACE}
""".strip()
"""What changes when a span of the trace arrives or expires."""


def structure(*, after: bool) -> str:
    """Return the question for the structure of the next spans of a trace in the order of (start, span id)."""
    begin = (
        "(ts, span_id) > (fromUnixTimestamp64Nano({after_ns:Int64}, 'UTC'), toFixedString(unhex({after_id:String}), 8))"
    )
    return f"""
SELECT {FOREST_COLUMNS}
FROM telemetry.spans
WHERE {during()}
    AND {ONE_TRACE}{also([begin] if after else [])}
ORDER BY ts, span_id
LIMIT {{rows:UInt32}} WITH TIES
""".strip()
