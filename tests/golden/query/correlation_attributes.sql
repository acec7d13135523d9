SELECT trace_id, span_id, mapKeys(attributes) AS keys, mapValues(attributes) AS values
FROM telemetry.spans
WHERE tenant = {tenant:String} AND ts BETWEEN fromUnixTimestamp64Nano({first_ns:Int64}, 'UTC') AND fromUnixTimestamp64Nano({last_ns:Int64}, 'UTC')
    AND toStartOfFiveMinutes(ts) BETWEEN toStartOfFiveMinutes(fromUnixTimestamp64Nano({first_ns:Int64}, 'UTC')) AND toStartOfFiveMinutes(fromUnixTimestamp64Nano({last_ns:Int64}, 'UTC'))
    AND trace_id < toFixedString(unhex({trace_id_end:String}), 16)
    AND toStartOfFiveMinutes(ts) IN (
        SELECT toDateTime(arrayJoin(range({slice_first_s:UInt64}, {slice_end_s:UInt64}, {period_s:UInt64})), 'UTC')
    )
    AND (service, name) IN (
        SELECT arrayJoin(arrayMap(
            place -> (unhex(splitByChar(':', place)[1]), unhex(splitByChar(':', place)[2])),
            splitByChar(',', {places:String})
        ))
    )
LIMIT {rows:UInt32}
