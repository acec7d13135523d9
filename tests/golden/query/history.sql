SELECT count() AS spans, sum(weight) AS weights, sum(weight * weight) AS squares,
    sumIf(weight, duration_ns < {duration_ns:Int64}) AS below,
    sumIf(weight, duration_ns = {duration_ns:Int64}) AS equal,
    sumIf(weight, status_code = 2) AS errors,
    sumMap([toInt32(floor(log(greatest(duration_ns, 1)) * 200))], [weight]) AS bins,
    bins.1 AS bin_numbers, bins.2 AS bin_weights,
    min(duration_ns) AS min_ns, max(duration_ns) AS max_ns
FROM telemetry.spans
WHERE tenant = {tenant:String} AND ts BETWEEN fromUnixTimestamp64Nano({first_ns:Int64}, 'UTC') AND fromUnixTimestamp64Nano({last_ns:Int64}, 'UTC')
    AND toStartOfFiveMinutes(ts) BETWEEN toStartOfFiveMinutes(fromUnixTimestamp64Nano({first_ns:Int64}, 'UTC')) AND toStartOfFiveMinutes(fromUnixTimestamp64Nano({last_ns:Int64}, 'UTC'))
    AND service = {service:String}
    AND name = {operation:String}
    AND kind = {kind:Int32}
