SELECT trace_id, toUnixTimestamp64Second(min(first_ts)) AS first_s, toUnixTimestamp64Second(max(last_ts)) AS last_s
FROM telemetry.trace_bounds
WHERE tenant = {tenant:String}
    AND trace_id IN (
        SELECT trace_id FROM telemetry.spans WHERE tenant = {tenant:String} AND ts BETWEEN fromUnixTimestamp64Nano({first_ns:Int64}, 'UTC') AND fromUnixTimestamp64Nano({last_ns:Int64}, 'UTC')
    AND toStartOfFiveMinutes(ts) BETWEEN toStartOfFiveMinutes(fromUnixTimestamp64Nano({first_ns:Int64}, 'UTC')) AND toStartOfFiveMinutes(fromUnixTimestamp64Nano({last_ns:Int64}, 'UTC'))
    )
GROUP BY trace_id
HAVING first_s < intDiv({first_ns:Int64}, 1000000000) OR last_s > intDiv({last_ns:Int64}, 1000000000)
ORDER BY trace_id
LIMIT {rows:UInt32}
