"""Pieces of SQL that several questions share, and the questions about sources. It runs nothing.

Invariant: whatever a caller says is a bound parameter; text is put together from constants of this package only.
"""

from collections.abc import Iterable
from typing import Final

SOURCES: Final = """
SELECT source, service, resource, resource_kinds, resource_dropped_attributes, resource_entities, resource_schema_url,
    scope_name, scope_version, scope, scope_kinds, scope_dropped_attributes, scope_schema_url
FROM telemetry.sources
WHERE tenant = {tenant:String}
    AND source IN (SELECT toUInt64(arrayJoin(splitByChar(',', {sources:String}))))
LIMIT 1 BY source
""".strip()

ONE_TRACE: Final = "trace_id = unhex({trace_id:String})"
"""The condition that a row is of one trace; a millisecond quicker than one of `SOME_TRACES`."""

SOME_TRACES: Final = "trace_id IN (SELECT toFixedString(unhex(arrayJoin(splitByChar(',', {trace_ids:String}))), 16))"
"""The condition that a row is of one of several traces, given as hexadecimal ids with commas between."""


TRACE_BOUNDS: Final = f"""
SELECT toUnixTimestamp64Second(first_ts) AS first_s, toUnixTimestamp64Second(last_ts) AS last_s
FROM telemetry.trace_bounds
PREWHERE tenant = {{tenant:String}}
    AND {ONE_TRACE}
""".strip()
"""First and last seconds of one trace, a row for each part of the table that has some: to aggregate the few rows in the
engine costs more than to read them."""


BOUNDS_OF_TRACES: Final = f"""
SELECT toUnixTimestamp64Second(min(first_ts)) AS first_s, toUnixTimestamp64Second(max(last_ts)) AS last_s
FROM telemetry.trace_bounds
WHERE tenant = {{tenant:String}}
    AND {SOME_TRACES}
HAVING count() > 0
""".strip()
"""The first and the last second of all of several traces; no trace is no row."""


def during(first: str = "first_ns", last: str = "last_ns") -> str:
    """Return the condition that a row lies between two moments, both included, given as parameters of these names.

    The five-minute bucket is bounded beside the time: the engine derives no range of the bucket from one of `ts`, and
    without it the sorting key prunes nothing.
    """
    begin = f"fromUnixTimestamp64Nano({{{first}:Int64}}, 'UTC')"
    end = f"fromUnixTimestamp64Nano({{{last}:Int64}}, 'UTC')"
    return (
        f"tenant = {{tenant:String}} AND ts BETWEEN {begin} AND {end}\n"
        f"    AND toStartOfFiveMinutes(ts) BETWEEN toStartOfFiveMinutes({begin}) AND toStartOfFiveMinutes({end})"
    )


def also(conditions: Iterable[str]) -> str:
    """Return further conditions as they stand behind a first one."""
    return "".join(f"\n    AND {condition}" for condition in conditions)
