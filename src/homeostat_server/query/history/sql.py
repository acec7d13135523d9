"""The SQL of a span's history. It runs nothing; see `homeostat_server.query.sql` for the pieces it shares."""

from typing import Final

from homeostat_server.query.sql import ONE_TRACE, during

LEVELS: Final = (0.5, 0.95, 0.99)

SPAN: Final = f"""
SELECT toUnixTimestamp64Nano(ts) AS start_ns, duration_ns, service, name, kind, status_code
FROM telemetry.spans
WHERE {during()}
    AND {ONE_TRACE}
    AND span_id = unhex({{span_id:String}})
ORDER BY ts
LIMIT 1
""".strip()

BINS_OF_A_NANOSECOND: Final = 200
"""Bins of durations: each is 0.5 % wider than the one before, which is how exactly percentiles are told."""

HISTORY: Final = f"""
SELECT count() AS spans, sum(weight) AS weights, sum(weight * weight) AS squares,
    sumIf(weight, duration_ns < {{duration_ns:Int64}}) AS below,
    sumIf(weight, duration_ns = {{duration_ns:Int64}}) AS equal,
    sumIf(weight, status_code = 2) AS errors,
    sumMap([toInt32(floor(log(greatest(duration_ns, 1)) * {BINS_OF_A_NANOSECOND}))], [weight]) AS bins,
    bins.1 AS bin_numbers, bins.2 AS bin_weights,
    min(duration_ns) AS min_ns, max(duration_ns) AS max_ns
FROM telemetry.spans
WHERE {during()}
    AND service = {{service:String}}
    AND name = {{operation:String}}
    AND kind = {{kind:Int32}}
""".strip()
"""The rank is exact; weights are not whole, which the engine's own sketches need, so percentiles come from bins."""
