SELECT trace_id, parent_span_id,
    toUnixTimestamp64Nano(ts) AS start_ns,
    span_id AS span_id,
    duration_ns AS duration_ns,
    name AS span_name,
    source AS span_source,
    toInt64(child_count) AS shown_0,
    count() OVER (PARTITION BY trace_id) AS matched
FROM telemetry.spans
LEFT ANY JOIN (
    SELECT trace_id AS child_trace_id, parent_span_id AS child_parent_id, count() AS child_count
    FROM telemetry.spans
    WHERE tenant = {tenant:String} AND ts BETWEEN fromUnixTimestamp64Nano({wide_first_ns:Int64}, 'UTC') AND fromUnixTimestamp64Nano({wide_last_ns:Int64}, 'UTC')
    AND toStartOfFiveMinutes(ts) BETWEEN toStartOfFiveMinutes(fromUnixTimestamp64Nano({wide_first_ns:Int64}, 'UTC')) AND toStartOfFiveMinutes(fromUnixTimestamp64Nano({wide_last_ns:Int64}, 'UTC')) AND NOT parent_span_id = toFixedString('', 8)
    GROUP BY trace_id, parent_span_id
) AS children ON trace_id = child_trace_id AND span_id = child_parent_id
WHERE tenant = {tenant:String} AND ts BETWEEN fromUnixTimestamp64Nano({first_ns:Int64}, 'UTC') AND fromUnixTimestamp64Nano({last_ns:Int64}, 'UTC')
    AND toStartOfFiveMinutes(ts) BETWEEN toStartOfFiveMinutes(fromUnixTimestamp64Nano({first_ns:Int64}, 'UTC')) AND toStartOfFiveMinutes(fromUnixTimestamp64Nano({last_ns:Int64}, 'UTC'))
    AND trace_id IN (SELECT toFixedString(unhex(arrayJoin(splitByChar(',', {trace_ids:String}))), 16))
    AND (toInt64(child_count) > {value_0:Int64})
ORDER BY start_ns, span_id
LIMIT {spans:UInt32} BY trace_id
