SELECT name, kind,
    sum(spans) AS spans, sum(weight) AS requests, sum(errors) AS errors,
    toUnixTimestamp64Nano(min(first)) AS first_ns, toUnixTimestamp64Nano(max(last)) AS last_ns,
    groupArray(bin) AS bins, groupArray(weight) AS weights
FROM (
    SELECT name, kind,
        if(duration_ns > 0, toUInt16(ceil(log(duration_ns) / 0.010000083334583179 - 1e-09)) + 1, 0) AS bin,
        count() AS spans, sum(weight) AS weight, sumIf(spans.weight, status_code = 2) AS errors,
        min(ts) AS first, max(ts) AS last
    FROM telemetry.spans
    WHERE tenant = {tenant:String} AND ts BETWEEN fromUnixTimestamp64Nano({first_ns:Int64}, 'UTC') AND fromUnixTimestamp64Nano({last_ns:Int64}, 'UTC')
    AND toStartOfFiveMinutes(ts) BETWEEN toStartOfFiveMinutes(fromUnixTimestamp64Nano({first_ns:Int64}, 'UTC')) AND toStartOfFiveMinutes(fromUnixTimestamp64Nano({last_ns:Int64}, 'UTC'))
    AND service = {service:String}
    AND (name, kind) > ({after_name:String}, {after_kind:Int32})
    GROUP BY name, kind, bin
)
GROUP BY name, kind
ORDER BY name, kind
LIMIT {rows:UInt32}
