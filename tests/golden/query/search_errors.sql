SELECT trace_id, count() AS rank, count() AS matched_spans, toUnixTimestamp64Nano(max(ts)) AS newest_match_ns, max(duration_ns) AS longest_match_ns
FROM telemetry.spans
WHERE tenant = {tenant:String} AND ts BETWEEN fromUnixTimestamp64Nano({first_ns:Int64}, 'UTC') AND fromUnixTimestamp64Nano({last_ns:Int64}, 'UTC')
    AND toStartOfFiveMinutes(ts) BETWEEN toStartOfFiveMinutes(fromUnixTimestamp64Nano({first_ns:Int64}, 'UTC')) AND toStartOfFiveMinutes(fromUnixTimestamp64Nano({last_ns:Int64}, 'UTC'))
    AND status_code = 2
GROUP BY trace_id
ORDER BY rank DESC, trace_id DESC
LIMIT {rows:UInt32}
