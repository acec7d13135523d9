SELECT intDiv(toUnixTimestamp64Nano(ts) - {origin_ns:Int64}, {step_ns:Int64}) AS step,
    if(assumeNotNull(toFloat64(duration_ns)) > 0, exp2(ceil(log2(assumeNotNull(toFloat64(duration_ns))))), 0) AS bucket,
    sum(weight) AS weights,
    sum(weight * assumeNotNull(toFloat64(duration_ns))) AS total,
    min(assumeNotNull(toFloat64(duration_ns))) AS lowest,
    max(assumeNotNull(toFloat64(duration_ns))) AS highest
FROM telemetry.spans
WHERE tenant = {tenant:String} AND ts BETWEEN fromUnixTimestamp64Nano({first_ns:Int64}, 'UTC') AND fromUnixTimestamp64Nano({last_ns:Int64}, 'UTC')
    AND toStartOfFiveMinutes(ts) BETWEEN toStartOfFiveMinutes(fromUnixTimestamp64Nano({first_ns:Int64}, 'UTC')) AND toStartOfFiveMinutes(fromUnixTimestamp64Nano({last_ns:Int64}, 'UTC'))
    AND isNotNull(toFloat64(duration_ns))
GROUP BY step, bucket
