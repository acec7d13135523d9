SELECT service, kind IN (2, 5) AS entry,
    count() AS spans, countIf(status_code = 2) AS errors,
    toUnixTimestamp64Nano(min(ts)) AS first_ns, toUnixTimestamp64Nano(max(ts)) AS last_ns,
    quantilesDD(0.005, 0.5, 0.95, 0.99)(greatest(duration_ns, 0)) AS quantiles_ns
FROM telemetry.spans
WHERE tenant = {tenant:String} AND ts BETWEEN fromUnixTimestamp64Nano({first_ns:Int64}, 'UTC') AND fromUnixTimestamp64Nano({last_ns:Int64}, 'UTC')
    AND toStartOfFiveMinutes(ts) BETWEEN toStartOfFiveMinutes(fromUnixTimestamp64Nano({first_ns:Int64}, 'UTC')) AND toStartOfFiveMinutes(fromUnixTimestamp64Nano({last_ns:Int64}, 'UTC'))
    AND service > {after:String}
GROUP BY service, entry
ORDER BY service, entry
LIMIT {rows:UInt32}
