"""The SQL of Jaeger's questions. It runs nothing; see `homeostat_server.query.sql` for the pieces it shares."""

from collections.abc import Sequence
from typing import Final

from homeostat_server.query.search.sql import SOME_PLACES
from homeostat_server.query.sql import SOME_TRACES, also, during
from homeostat_server.query.traces.sql import SPAN_COLUMNS

SERVICES: Final = """
SELECT service
FROM telemetry.sources
WHERE tenant = {tenant:String} AND last_seen >= toDateTime({since_s:Int64}, 'UTC')
GROUP BY service
ORDER BY service
LIMIT {rows:UInt32}
""".strip()
"""Of all signals: the spans themselves would have to be read for who sent any, a hundred times as many rows."""


def span_counts(*, placed: bool) -> str:
    """Return the question for how many spans some traces have; `placed` when their places are known."""
    return f"""
SELECT trace_id, count() AS spans
FROM telemetry.spans
PREWHERE {during()}
    AND {SOME_PLACES if placed else SOME_TRACES}
GROUP BY trace_id
""".strip()


def spans(*, placed: bool) -> str:
    """Return the question for the first spans of some traces; `placed` when their places are known."""
    return f"""
SELECT trace_id, {SPAN_COLUMNS}
FROM telemetry.spans
PREWHERE {during()}
    AND {SOME_PLACES if placed else SOME_TRACES}
ORDER BY trace_id, ts, span_id
LIMIT {{spans:UInt32}} BY trace_id
""".strip()


def operations(*, of_kind: bool) -> str:
    """Return the question for the operations of a service, each with its kind."""
    return f"""
SELECT name, kind
FROM telemetry.spans
WHERE {during()}{also(["service = {service:String}", *(["kind = {kind:Int32}"] if of_kind else [])])}
GROUP BY name, kind
ORDER BY name, kind
LIMIT {{rows:UInt32}}
""".strip()


def matches(columns: Sequence[str], contents: Sequence[str]) -> str:
    """Return the question for traces by their newest span that fulfils the conditions, newest first.

    Args:
        columns: conditions on plain columns; rows that do not fulfil them are not read further.
        contents: conditions on maps and arrays, each of which costs a microsecond a row.
    """
    where = f"\nWHERE {' AND '.join(contents)}" if contents else ""
    return f"""
SELECT trace_id, toUnixTimestamp64Nano(max(ts)) AS newest_ns
FROM telemetry.spans
PREWHERE {during()}{also(columns)}{where}
GROUP BY trace_id
ORDER BY newest_ns DESC, trace_id DESC
LIMIT {{rows:UInt32}}
""".strip()
