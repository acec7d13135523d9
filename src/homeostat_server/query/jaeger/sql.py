"""The SQL of Jaeger's questions. It runs nothing; see `homeostat_server.query.sql` for the pieces it shares."""

from collections.abc import Sequence
from typing import Final

from homeostat_server.query.sql import SOME_TRACES, also, during
from homeostat_server.query.traces.sql import SPAN_COLUMNS

SERVICES: Final = f"""
SELECT service
FROM telemetry.spans
WHERE {during()}
GROUP BY service
ORDER BY service
LIMIT {{rows:UInt32}}
""".strip()

SPAN_COUNTS: Final = f"""
SELECT trace_id, count() AS spans
FROM telemetry.spans
WHERE {during()}
    AND {SOME_TRACES}
GROUP BY trace_id
""".strip()

SPANS: Final = f"""
SELECT trace_id, {SPAN_COLUMNS}
FROM telemetry.spans
WHERE {during()}
    AND {SOME_TRACES}
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


def matches(conditions: Sequence[str]) -> str:
    """Return the question for traces by their newest span that fulfils the conditions, newest first."""
    return f"""
SELECT trace_id, toUnixTimestamp64Nano(max(ts)) AS newest_ns
FROM telemetry.spans
WHERE {during()}{also(conditions)}
GROUP BY trace_id
ORDER BY newest_ns DESC, trace_id DESC
LIMIT {{rows:UInt32}}
""".strip()
