SELECT trace_id, span_id, parent_span_id, toUnixTimestamp64Nano(ts) AS start_ns, duration_ns, service, name, kind, status_code, weight, source
FROM telemetry.spans
WHERE tenant = {tenant:String} AND ts BETWEEN fromUnixTimestamp64Nano({first_ns:Int64}, 'UTC') AND fromUnixTimestamp64Nano({last_ns:Int64}, 'UTC')
    AND toStartOfFiveMinutes(ts) BETWEEN toStartOfFiveMinutes(fromUnixTimestamp64Nano({first_ns:Int64}, 'UTC')) AND toStartOfFiveMinutes(fromUnixTimestamp64Nano({last_ns:Int64}, 'UTC'))
    AND trace_id <= toFixedString(unhex({trace_id_last:String}), 16)
    AND trace_id IN (SELECT toFixedString(unhex(arrayJoin(splitByChar(',', {trace_ids:String}))), 16))
LIMIT {rows:UInt32}
