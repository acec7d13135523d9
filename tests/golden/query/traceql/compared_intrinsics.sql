SELECT status_code = 2 AS selected, intDiv(toUnixTimestamp64Nano(ts) - {origin_ns:Int64}, {step_ns:Int64}) AS step,
    name AS span_name, status_code AS span_status, kind AS span_kind, sum(weight) AS weights
FROM telemetry.spans
WHERE tenant = {tenant:String} AND ts BETWEEN fromUnixTimestamp64Nano({first_ns:Int64}, 'UTC') AND fromUnixTimestamp64Nano({last_ns:Int64}, 'UTC')
    AND toStartOfFiveMinutes(ts) BETWEEN toStartOfFiveMinutes(fromUnixTimestamp64Nano({first_ns:Int64}, 'UTC')) AND toStartOfFiveMinutes(fromUnixTimestamp64Nano({last_ns:Int64}, 'UTC'))
    AND (kind = 2)
GROUP BY selected, step, span_name, span_status, span_kind
