"""The SQL about services and operations. It runs nothing; see `homeostat_server.query.sql` for the pieces it shares."""

from typing import Final

from homeostat_server.query.sql import also, during

LEVELS: Final = (0.5, 0.95, 0.99)
ACCURACY: Final = 0.005
"""Of a percentile, relative to its true value: a sketch of bounded size, however many spans there are
(https://www.vldb.org/pvldb/vol12/p2195-masson.pdf)."""

FIGURES: Final = f"""
    count() AS spans, countIf(status_code = 2) AS errors,
    toUnixTimestamp64Nano(min(ts)) AS first_ns, toUnixTimestamp64Nano(max(ts)) AS last_ns,
    quantilesDD({ACCURACY}, {", ".join(str(level) for level in LEVELS)})(greatest(duration_ns, 0)) AS quantiles_ns
""".strip()


def services(*, after: bool) -> str:
    """Return the question for the figures of each service, those of its entry spans in a row of their own.

    Entry spans are what a service does because somebody else asked: kinds SERVER (2) and CONSUMER (5).
    """
    return f"""
SELECT service, kind IN (2, 5) AS entry,
    {FIGURES}
FROM telemetry.spans
WHERE {during()}{also(["service > {after:String}"] if after else [])}
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
FROM telemetry.spans
WHERE {during()}{also(["service = {service:String}", *([place] if after else [])])}
GROUP BY name, kind
ORDER BY name, kind
LIMIT {{rows:UInt32}}
""".strip()
