SELECT trace_id, parent_span_id,
    toUnixTimestamp64Nano(ts) AS start_ns,
    span_id AS span_id,
    duration_ns AS duration_ns,
    name AS span_name,
    source AS span_source,
    trace_root_service AS shown_0,
    trace_duration_ns AS shown_1,
    count() OVER (PARTITION BY trace_id) AS matched
FROM telemetry.spans
LEFT ANY JOIN (
    SELECT trace_id AS facts_trace_id,
        max(toUnixTimestamp64Nano(ts) + greatest(duration_ns, 0)) - min(toUnixTimestamp64Nano(ts)) AS trace_duration_ns,
        if(countIf(parent_span_id = toFixedString('', 8)) > 0, argMinIf(name, (ts, span_id), parent_span_id = toFixedString('', 8)), NULL) AS trace_root_name,
        if(countIf(parent_span_id = toFixedString('', 8)) > 0, argMinIf(service, (ts, span_id), parent_span_id = toFixedString('', 8)), NULL) AS trace_root_service
    FROM telemetry.spans
    WHERE tenant = {tenant:String} AND ts BETWEEN fromUnixTimestamp64Nano({wide_first_ns:Int64}, 'UTC') AND fromUnixTimestamp64Nano({wide_last_ns:Int64}, 'UTC')
    AND toStartOfFiveMinutes(ts) BETWEEN toStartOfFiveMinutes(fromUnixTimestamp64Nano({wide_first_ns:Int64}, 'UTC')) AND toStartOfFiveMinutes(fromUnixTimestamp64Nano({wide_last_ns:Int64}, 'UTC'))
    GROUP BY trace_id
) AS trace_facts ON trace_id = facts_trace_id
WHERE tenant = {tenant:String} AND ts BETWEEN fromUnixTimestamp64Nano({first_ns:Int64}, 'UTC') AND fromUnixTimestamp64Nano({last_ns:Int64}, 'UTC')
    AND toStartOfFiveMinutes(ts) BETWEEN toStartOfFiveMinutes(fromUnixTimestamp64Nano({first_ns:Int64}, 'UTC')) AND toStartOfFiveMinutes(fromUnixTimestamp64Nano({last_ns:Int64}, 'UTC'))
    AND trace_id IN (SELECT toFixedString(unhex(arrayJoin(splitByChar(',', {trace_ids:String}))), 16))
    AND (ifNull((trace_root_service = {value_0:String}), 0) AND (trace_duration_ns > {value_1:Int64}))
ORDER BY start_ns, span_id
LIMIT {spans:UInt32} BY trace_id
