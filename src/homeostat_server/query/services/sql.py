"""The SQL about services and operations. It runs nothing; see `homeostat_server.query.sql` for the pieces it shares."""

from typing import Final

from homeostat_server.query.sql import also, during
from homeostat_server.query.summaries.histograms import bin_of

FIGURES: Final = """
    sum(spans) AS spans, sum(weight) AS requests, sum(errors) AS errors,
    toUnixTimestamp64Nano(min(first)) AS first_ns, toUnixTimestamp64Nano(max(last)) AS last_ns,
    groupArray(bin) AS bins, groupArray(weight) AS weights
""".strip()

OF_BIN: Final = f"""
        {bin_of("duration_ns")} AS bin,
        count() AS spans, sum(weight) AS weight, sumIf(spans.weight, status_code = 2) AS errors,
        min(ts) AS first, max(ts) AS last
""".strip()
"""By the bins of durations first: no percentile of the engine takes weights that are not whole."""


def services(*, after: bool) -> str:
    """Return the question for the figures of each service, those of its entry spans in a row of their own.

    Entry spans are what a service does because somebody else asked: kinds SERVER (2) and CONSUMER (5).
    """
    return f"""
SELECT service, entry,
    {FIGURES}
FROM (
    SELECT service, kind IN (2, 5) AS entry,
        {OF_BIN}
    FROM telemetry.spans
    WHERE {during()}{also(["service > {after:String}"] if after else [])}
    GROUP BY service, entry, bin
)
GROUP BY service, entry
ORDER BY service, entry
LIMIT {{rows:UInt32}}
""".strip()


def operations(*, after: bool) -> str:
    """Return the question for the figures of each operation of a service, by name and kind."""
    place = "(name, kind) > ({after_name:String}, {after_kind:Int32})"
    return f"""
SELECT name, kind,
    {FIGURES}
FROM (
    SELECT name, kind,
        {OF_BIN}
    FROM telemetry.spans
    WHERE {during()}{also(["service = {service:String}", *([place] if after else [])])}
    GROUP BY name, kind, bin
)
GROUP BY name, kind
ORDER BY name, kind
LIMIT {{rows:UInt32}}
""".strip()
