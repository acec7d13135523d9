"""The SQL of summaries: the spans of a bucket, what crosses its borders, and what is stored of it. It runs nothing."""

from typing import Final

from homeostat_server.query.forest.forest import FOREST_COLUMNS
from homeostat_server.query.sql import SOME_TRACES, also, during

SEPARATOR: Final = "\\x1f"


def _value(*keys: str) -> str:
    """Return the expression that gives the first of several attributes that a span has, else an empty text.

    Over keys and values apart the engine looks a name up once in a dictionary: half the time of `attributes[…]`.
    """
    found = "''"
    for key in reversed(keys):
        found = f"if(has(attributes.keys, '{key}'), attributes.values[indexOf(attributes.keys, '{key}')], {found})"
    return found


def _said(mark: str, *values: str) -> str:
    words = "".join(f", '{SEPARATOR}', {value}" for value in values)
    return f"concat('{mark}'{words})"


_PEER_SERVICE: Final = _value("service.peer.name", "peer.service")
_ADDRESS: Final = _value("server.address", "net.peer.name", "net.peer.ip", "http.host")

_QUEUE: Final = _said(
    "messaging",
    _value("messaging.system"),
    _value("messaging.destination.template", "messaging.destination.name", "messaging.destination"),
)
_DATABASE: Final = _said(
    "database",
    _PEER_SERVICE,
    _value("db.system.name", "db.system"),
    _ADDRESS,
    _value("db.namespace", "db.name"),
)
_EXTERNAL: Final = _said("external", _PEER_SERVICE, _ADDRESS, _value("rpc.service"))

PEER: Final = f"""
    multiIf(
        kind NOT IN (3, 4, 5), '',
        has(attributes.keys, 'messaging.system'), {_QUEUE},
        kind = 5, '',
        has(attributes.keys, 'db.system.name') OR has(attributes.keys, 'db.system'), {_DATABASE},
        {_EXTERNAL}
    ) AS peer
""".strip()
"""What a span says of the other end of its call, by old and new names, as words with separators between them."""

IN_SLICE: Final = "trace_id BETWEEN unhex({first_trace:String}) AND unhex({last_trace:String})"


def spans(*, sliced: bool) -> str:
    """Return the question for the spans of a stretch of time, or for those of a range of its traces."""
    return f"""
SELECT {FOREST_COLUMNS},
    {PEER}
FROM telemetry.spans
WHERE {during()}{also([IN_SLICE] if sliced else [])}
""".strip()


def crossing(*, sliced: bool) -> str:
    """Return the question for the traces of a stretch of time that begin before or end after it."""
    return f"""
SELECT trace_id, toUnixTimestamp64Second(min(first_ts)) AS first_s, toUnixTimestamp64Second(max(last_ts)) AS last_s
FROM telemetry.trace_bounds
WHERE tenant = {{tenant:String}}
    AND trace_id IN (
        SELECT trace_id FROM telemetry.spans WHERE {during()}{also([IN_SLICE] if sliced else [])}
    )
GROUP BY trace_id
HAVING first_s < intDiv({{first_ns:Int64}}, 1000000000) OR last_s > intDiv({{last_ns:Int64}}, 1000000000)
ORDER BY trace_id
LIMIT {{rows:UInt32}}
""".strip()


ELSEWHERE: Final = f"""
SELECT {FOREST_COLUMNS},
    {PEER}
FROM telemetry.spans
WHERE tenant = {{tenant:String}} AND {SOME_TRACES}
    AND toStartOfFiveMinutes(ts) IN (SELECT toDateTime(arrayJoin(splitByChar(',', {{buckets:String}}))::UInt32, 'UTC'))
    AND NOT (toUnixTimestamp64Nano(ts) BETWEEN {{first_ns:Int64}} AND {{last_ns:Int64}})
LIMIT {{rows:UInt32}}
""".strip()
"""The spans of some traces in some buckets, those of a stretch of time left out."""

SAMPLE: Final = f"""
SELECT trace_id
FROM telemetry.spans
WHERE {during()}
    AND cityHash64(trace_id, span_id) % {{one_in:UInt64}} = 0
ORDER BY trace_id
""".strip()
"""The traces of one span in so many: where these lie, all lie."""

GIANTS: Final = f"""
SELECT trace_id, count() AS spans
FROM telemetry.spans
WHERE {during()}
GROUP BY trace_id
HAVING spans > {{spans_max:UInt64}}
ORDER BY trace_id
""".strip()

STATES: Final = f"""
SELECT toUnixTimestamp(toStartOfFiveMinutes(ts)) AS bucket_s, count() AS rows, max(segment) AS through
FROM telemetry.spans
WHERE {during()}
GROUP BY bucket_s
ORDER BY bucket_s
""".strip()
"""What there is of each bucket; `freshness` says what of it makes a summary old."""


def stored(columns: str) -> str:
    """Return the question for some columns of the newest stored summaries of a stretch of buckets."""
    buckets = (
        "tenant = {tenant:String} AND bucket BETWEEN toDateTime({first_s:UInt32}, 'UTC')"
        " AND toDateTime({last_s:UInt32}, 'UTC') AND form = {form:UInt16}"
    )
    return f"""
SELECT toUnixTimestamp(bucket) AS bucket_s, rows, through, {columns}
FROM telemetry.trace_summaries
WHERE {buckets}
    AND (bucket, version) IN (
        SELECT bucket, max(version) FROM telemetry.trace_summaries WHERE {buckets} GROUP BY bucket
    )
ORDER BY bucket, part
""".strip()


STORED_STATE: Final = """
SELECT version, rows, through
FROM telemetry.trace_summaries
WHERE tenant = {tenant:String} AND bucket = toDateTime({bucket_s:UInt32}, 'UTC') AND form = {form:UInt16}
ORDER BY version DESC
LIMIT 1
""".strip()
"""What the newest summary of a bucket has seen, and when it was made."""
