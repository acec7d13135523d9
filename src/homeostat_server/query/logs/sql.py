"""The SQL about log records. It runs nothing; see `homeostat_server.query.sql` for the pieces it shares."""

from collections.abc import Sequence
from typing import Final

from homeostat_server.query.sql import also, during

COLUMNS: Final = """
    toUnixTimestamp64Nano(observed_ts) AS observed_ns, toInt8(ts_origin) AS time_origin, trace_id, span_id, flags,
    severity_number, severity_text, event_name, body, body_kind, service, source, attributes, attribute_kinds,
    dropped_attributes
""".strip()

CONTENT: Final = (
    "cityHash64(observed_ts, ts_origin, trace_id, span_id, flags, severity_number, severity_text, event_name, body,"
    " body_kind, service, source, attributes, attribute_kinds, dropped_attributes)"
)
"""Tells records of one time and one segment apart; those that it does not are equal in every field."""

SEVERITY: Final = (
    "if(severity_number != 0, severity_number, transform(upper(severity_text),"
    " ['TRACE', 'DEBUG', 'INFO', 'NOTICE', 'WARN', 'WARNING', 'ERR', 'ERROR', 'CRITICAL', 'FATAL', 'EMERGENCY'],"
    " [1, 5, 9, 10, 13, 13, 17, 17, 18, 21, 21], 0)) >= {severity:Int32}"
)
"""Some senders say the severity in words only."""

SEARCH: Final = "hasAllTokens(body, {search:String})"
"""Served by the text index, whose tokens are runs of letters, digits and everything beyond ASCII."""


def records(conditions: Sequence[str], *, after: bool) -> str:
    """Return the question for the next records, newest first.

    Their order is (time, segment, content), so that every record has one place, and records that share it are equal and
    are skipped by number. First the time of the oldest record on the page is found, from the narrow columns and the
    newest bucket on; then only what is not older is read in full and sorted. Records of the cursor's own time do not
    count for that, since some of them may have been given already.
    """
    asked = also(conditions)
    last = "fromUnixTimestamp64Nano({last_ns:Int64}, 'UTC'), {segment:UInt64}, {content:UInt64}"
    place = f"(ts, segment, content) <= ({last})"
    return f"""
WITH (
    SELECT min(time)
    FROM (
        SELECT ts AS time
        FROM telemetry.logs
        WHERE {during("first_ns", "before_ns")}{asked}
        ORDER BY toStartOfFiveMinutes(ts) DESC, ts DESC
        LIMIT {{rows:UInt32}}
    )
) AS oldest
SELECT toUnixTimestamp64Nano(ts) AS time_ns, segment, {CONTENT} AS content,
    {COLUMNS}
FROM telemetry.logs
WHERE {during()}
    AND ts >= oldest AND toStartOfFiveMinutes(ts) >= toStartOfFiveMinutes(oldest){asked}{also([place] if after else [])}
ORDER BY ts DESC, segment DESC, content DESC
LIMIT {{rows:UInt32}} OFFSET {{skip:UInt32}}
""".strip()
