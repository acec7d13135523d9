SELECT trace_id, max(toUnixTimestamp64Nano(ts)) AS newest_ns, count() AS matched,
    groupArraySorted(3)((toUnixTimestamp64Nano(ts), span_id, duration_ns, name, source, toInt64(child_count))) AS spans
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
    AND (toInt64(child_count) > {value_0:Int64})
GROUP BY trace_id
ORDER BY newest_ns DESC, trace_id DESC
LIMIT {rows:UInt32}
