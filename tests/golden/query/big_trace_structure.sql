SELECT trace_id, span_id, parent_span_id, toUnixTimestamp64Nano(ts) AS start_ns, duration_ns, service, name, kind, status_code, weight, source
FROM telemetry.spans
WHERE tenant = {tenant:String} AND ts BETWEEN fromUnixTimestamp64Nano({first_ns:Int64}, 'UTC') AND fromUnixTimestamp64Nano({last_ns:Int64}, 'UTC')
    AND toStartOfFiveMinutes(ts) BETWEEN toStartOfFiveMinutes(fromUnixTimestamp64Nano({first_ns:Int64}, 'UTC')) AND toStartOfFiveMinutes(fromUnixTimestamp64Nano({last_ns:Int64}, 'UTC'))
    AND trace_id = unhex({trace_id:String})
ORDER BY ts, span_id
LIMIT {rows:UInt32} WITH TIES
