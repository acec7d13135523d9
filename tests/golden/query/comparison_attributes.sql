SELECT trace_id, span_id, mapKeys(attributes) AS keys, mapValues(attributes) AS values
FROM telemetry.spans
WHERE tenant = {tenant:String} AND ts BETWEEN fromUnixTimestamp64Nano({first_ns:Int64}, 'UTC') AND fromUnixTimestamp64Nano({last_ns:Int64}, 'UTC')
    AND toStartOfFiveMinutes(ts) BETWEEN toStartOfFiveMinutes(fromUnixTimestamp64Nano({first_ns:Int64}, 'UTC')) AND toStartOfFiveMinutes(fromUnixTimestamp64Nano({last_ns:Int64}, 'UTC'))
    AND trace_id IN (SELECT toFixedString(unhex(arrayJoin(splitByChar(',', {trace_ids:String}))), 16))
LIMIT {rows:UInt32}
