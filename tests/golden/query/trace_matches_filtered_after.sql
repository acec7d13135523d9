SELECT trace_id, toUnixTimestamp64Nano(max(ts)) AS newest_ns
FROM telemetry.spans
WHERE tenant = {tenant:String} AND ts BETWEEN fromUnixTimestamp64Nano({first_ns:Int64}, 'UTC') AND fromUnixTimestamp64Nano({last_ns:Int64}, 'UTC')
    AND toStartOfFiveMinutes(ts) BETWEEN toStartOfFiveMinutes(fromUnixTimestamp64Nano({first_ns:Int64}, 'UTC')) AND toStartOfFiveMinutes(fromUnixTimestamp64Nano({last_ns:Int64}, 'UTC'))
    AND service = {service:String}
    AND name = {operation:String}
    AND status_code = {status:Int32}
    AND duration_ns >= {duration_min_ns:Int64}
    AND duration_ns <= {duration_max_ns:Int64}
    AND segment <= {snapshot:UInt64}
    AND trace_id NOT IN (
        SELECT trace_id
        FROM telemetry.spans
        WHERE tenant = {tenant:String} AND ts BETWEEN fromUnixTimestamp64Nano({newer_ns:Int64}, 'UTC') AND fromUnixTimestamp64Nano({window_last_ns:Int64}, 'UTC')
    AND toStartOfFiveMinutes(ts) BETWEEN toStartOfFiveMinutes(fromUnixTimestamp64Nano({newer_ns:Int64}, 'UTC')) AND toStartOfFiveMinutes(fromUnixTimestamp64Nano({window_last_ns:Int64}, 'UTC'))
    AND service = {service:String}
    AND name = {operation:String}
    AND status_code = {status:Int32}
    AND duration_ns >= {duration_min_ns:Int64}
    AND duration_ns <= {duration_max_ns:Int64}
    AND segment <= {snapshot:UInt64}
    )
GROUP BY trace_id
HAVING (newest_ns, trace_id) < ({last_ns:Int64}, toFixedString(unhex({after_id:String}), 16))
ORDER BY newest_ns DESC, trace_id DESC
LIMIT {rows:UInt32}
