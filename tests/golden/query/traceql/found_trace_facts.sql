SELECT trace_id, max(toUnixTimestamp64Nano(ts)) AS newest_ns, count() AS matched,
    groupArraySorted(3)((toUnixTimestamp64Nano(ts), span_id, duration_ns, name, source, trace_root_service, trace_duration_ns)) AS spans
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
    AND (ifNull((trace_root_service = {value_0:String}), 0) AND (trace_duration_ns > {value_1:Int64}))
GROUP BY trace_id
ORDER BY newest_ns DESC, trace_id DESC
LIMIT {rows:UInt32}
