SELECT trace_id, span_id, status_message,
    arrayFirst(a -> has(mapKeys(a), 'exception.type'), `events.attributes`) AS exception,
    exception['exception.type'] AS exception_type, exception['exception.message'] AS exception_message
FROM telemetry.spans
WHERE tenant = {tenant:String} AND ts BETWEEN fromUnixTimestamp64Nano({first_ns:Int64}, 'UTC') AND fromUnixTimestamp64Nano({last_ns:Int64}, 'UTC')
    AND toStartOfFiveMinutes(ts) BETWEEN toStartOfFiveMinutes(fromUnixTimestamp64Nano({first_ns:Int64}, 'UTC')) AND toStartOfFiveMinutes(fromUnixTimestamp64Nano({last_ns:Int64}, 'UTC'))
    AND trace_id < toFixedString(unhex({trace_id_end:String}), 16)
    AND status_code = 2
LIMIT {rows:UInt32}
