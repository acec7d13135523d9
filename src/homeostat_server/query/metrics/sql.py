"""The SQL about metrics and their newest points. It runs nothing; see also `homeostat_server.query.sql`."""

from collections.abc import Sequence
from typing import Final

from homeostat_server.query.sql import also

ACTIVE: Final = """
tenant = {tenant:String}
    AND last_seen >= toStartOfHour(fromUnixTimestamp64Nano({first_ns:Int64}, 'UTC'))
    AND first_seen <= fromUnixTimestamp64Nano({last_ns:Int64}, 'UTC')
""".strip()
"""A series is written down once an hour, so it is known to the hour when it was last seen."""

POINTS: Final = """
tenant = {tenant:String}
    AND ts BETWEEN fromUnixTimestamp64Nano({first_ns:Int64}, 'UTC') AND fromUnixTimestamp64Nano({last_ns:Int64}, 'UTC')
""".strip()

KNOWN: Final = "SELECT 1 FROM telemetry.series WHERE tenant = {tenant:String} AND metric = {metric:String} LIMIT 1"

NEWEST: Final = {
    "samples": ("value", "integer"),
    "histograms": ("count", "sum", "min", "max", "bounds", "buckets"),
    "exponential_histograms": (
        "count",
        "sum",
        "min",
        "max",
        "scale",
        "zero_count",
        "zero_threshold",
        "positive_offset",
        "positive_buckets",
        "negative_offset",
        "negative_buckets",
    ),
    "summaries": ("count", "sum", "quantiles", "quantile_values"),
}
"""Which columns of which table say what a point says."""


def metrics(conditions: Sequence[str]) -> str:
    """Return the question for the metrics that have series in the window, by name."""
    return f"""
SELECT metric, arraySort(groupUniqArray(10)(toInt8(kind))) AS kinds, arraySort(groupUniqArray(10)(unit)) AS units,
    arraySort(groupUniqArray(10)(temporality)) AS temporalities, max(monotonic) AS monotonic,
    max(description) AS description, uniqExact(series) AS series_count
FROM telemetry.series
WHERE {ACTIVE}{also(conditions)}
GROUP BY metric
ORDER BY metric
LIMIT {{rows:UInt32}}
""".strip()


def series(conditions: Sequence[str]) -> str:
    """Return the question for the series of a metric that are in the window, by number."""
    return f"""
SELECT series, toInt8(kind) AS kind, unit, description, temporality, monotonic, metadata, metadata_kinds, service,
    source, attributes, attribute_kinds
FROM telemetry.series
WHERE {ACTIVE}
    AND metric = {{metric:String}}{also(conditions)}
ORDER BY series
LIMIT 1 BY series
LIMIT {{rows:UInt32}}
""".strip()


def newest_of_metrics(table: str) -> str:
    """Return the question for the newest point of each of some metrics."""
    return f"""
SELECT metric, toUnixTimestamp64Nano(max(ts)) AS time_ns, {_newest_columns(table, "(ts, series)")}
FROM telemetry.{table}
WHERE {POINTS}
    AND metric IN (SELECT arrayJoin(JSONExtract({{metrics:String}}, 'Array(String)')))
GROUP BY metric
""".strip()


def newest_of_series(table: str) -> str:
    """Return the question for the newest point of each series of a metric between two numbers."""
    return f"""
SELECT series, toUnixTimestamp64Nano(max(ts)) AS time_ns, {_newest_columns(table, "ts")}
FROM telemetry.{table}
WHERE {POINTS}
    AND metric = {{metric:String}} AND series BETWEEN {{first_series:UInt64}} AND {{last_series:UInt64}}
GROUP BY series
""".strip()


def _newest_columns(table: str, moment: str) -> str:
    # Together, so that all are of one point; and as one tuple, since argMax passes over NULL.
    columns = {
        "flags": "flags",
        "start_ns": "toUnixTimestamp64Nano(start_ts)",
        **{name: name for name in NEWEST[table]},
    }
    each = ", ".join(f"tupleElement(newest, {number}) AS newest_{name}" for number, name in enumerate(columns, 1))
    return f"argMax(({', '.join(columns.values())}), {moment}) AS newest, {each}"
