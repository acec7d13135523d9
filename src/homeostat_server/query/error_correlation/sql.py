"""The SQL of error correlation. It runs nothing; see `homeostat_server.query.sql` for the pieces it shares."""

from collections.abc import Sequence
from typing import Final

from homeostat_server.query.forest.forest import FOREST_COLUMNS
from homeostat_server.query.sql import also, during

SIZE: Final = f"""
SELECT count() AS spans
FROM telemetry.spans
WHERE {during()}
""".strip()

BY_KEY: Final = "trace_id < toFixedString(unhex({trace_id_end:String}), 16)"
"""The condition that a trace is in a share of all: trace ids are random, and the sorting key has them behind the bucket
of five minutes, so that as much of each bucket is read."""

BY_HASH: Final = "cityHash64(trace_id) % {one_of:UInt64} = 0"
"""The same where trace ids are not random; it reads the ids of all spans."""

IN_SLICES: Final = """
toStartOfFiveMinutes(ts) IN (
        SELECT toDateTime(arrayJoin(range({slice_first_s:UInt64}, {slice_end_s:UInt64}, {period_s:UInt64})), 'UTC')
    )
""".strip()
"""The condition that a span lies in every so many-th bucket: a set of buckets is looked up in the index, a condition on
the remainder of the time is not."""


def spans(share: Sequence[str]) -> str:
    """Return the question for the spans of a share of the traces, which conditions say."""
    return f"""
SELECT {FOREST_COLUMNS}
FROM telemetry.spans
WHERE {during()}{also(share)}
LIMIT {{rows:UInt32}}
""".strip()


def attributes(share: Sequence[str]) -> str:
    """Return the question for the attributes of the spans of some places of a share of the traces."""
    place = (
        "(service, name) IN (\n        SELECT arrayJoin(arrayMap(\n"
        "            place -> (unhex(splitByChar(':', place)[1]), unhex(splitByChar(':', place)[2])),\n"
        "            splitByChar(',', {places:String})\n        ))\n    )"
    )
    return f"""
SELECT trace_id, span_id, mapKeys(attributes) AS keys, mapValues(attributes) AS values
FROM telemetry.spans
WHERE {during()}{also([*share, place])}
LIMIT {{rows:UInt32}}
""".strip()


def failures(share: Sequence[str]) -> str:
    """Return the question for what the failed spans of a share of the traces say of their failure."""
    return f"""
SELECT trace_id, span_id, status_message,
    arrayFirst(a -> has(mapKeys(a), 'exception.type'), `events.attributes`) AS exception,
    exception['exception.type'] AS exception_type, exception['exception.message'] AS exception_message
FROM telemetry.spans
WHERE {during()}{also([*share, "status_code = 2"])}
LIMIT {{rows:UInt32}}
""".strip()


RESOURCES: Final = """
SELECT source, service, mapKeys(resource) AS keys, mapValues(resource) AS values
FROM telemetry.sources
WHERE tenant = {tenant:String} AND last_seen >= fromUnixTimestamp64Nano({first_ns:Int64}, 'UTC') - INTERVAL 1 DAY
LIMIT 1 BY source
LIMIT {rows:UInt32}
""".strip()
