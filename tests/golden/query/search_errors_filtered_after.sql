SELECT trace_id, count() AS rank, count() AS matched_spans, toUnixTimestamp64Nano(max(ts)) AS newest_match_ns, max(duration_ns) AS longest_match_ns
FROM telemetry.spans
WHERE tenant = {tenant:String} AND ts BETWEEN fromUnixTimestamp64Nano({first_ns:Int64}, 'UTC') AND fromUnixTimestamp64Nano({last_ns:Int64}, 'UTC')
    AND toStartOfFiveMinutes(ts) BETWEEN toStartOfFiveMinutes(fromUnixTimestamp64Nano({first_ns:Int64}, 'UTC')) AND toStartOfFiveMinutes(fromUnixTimestamp64Nano({last_ns:Int64}, 'UTC'))
    AND status_code = 2
    AND segment <= {snapshot:UInt64}
    AND trace_id IN (
        SELECT trace_id
        FROM telemetry.spans
        WHERE tenant = {tenant:String} AND ts BETWEEN fromUnixTimestamp64Nano({first_ns:Int64}, 'UTC') AND fromUnixTimestamp64Nano({last_ns:Int64}, 'UTC')
            AND toStartOfFiveMinutes(ts) BETWEEN toStartOfFiveMinutes(fromUnixTimestamp64Nano({first_ns:Int64}, 'UTC')) AND toStartOfFiveMinutes(fromUnixTimestamp64Nano({last_ns:Int64}, 'UTC'))
            AND service = {value_0:String}
            AND name = {value_0:String}
            AND has(`events.name`, {value_0:String})
            AND has(`links.trace_id`, toFixedString(unhex({value_0:String}), 16))
            AND kind = {value_1:Int64}
            AND status_code = {value_1:Int64}
            AND duration_ns >= {value_2:Int64}
            AND duration_ns <= {value_3:Int64}
            AND segment <= {snapshot:UInt64}
    )
GROUP BY trace_id
HAVING (rank, trace_id) < ({after_rank:Int64}, toFixedString(unhex({after_id:String}), 16))
ORDER BY rank DESC, trace_id DESC
LIMIT {rows:UInt32}
