WITH (
    SELECT min(time)
    FROM (
        SELECT ts AS time
        FROM telemetry.logs
        WHERE tenant = {tenant:String} AND ts BETWEEN fromUnixTimestamp64Nano({first_ns:Int64}, 'UTC') AND fromUnixTimestamp64Nano({before_ns:Int64}, 'UTC')
    AND toStartOfFiveMinutes(ts) BETWEEN toStartOfFiveMinutes(fromUnixTimestamp64Nano({first_ns:Int64}, 'UTC')) AND toStartOfFiveMinutes(fromUnixTimestamp64Nano({before_ns:Int64}, 'UTC'))
        ORDER BY toStartOfFiveMinutes(ts) DESC, ts DESC
        LIMIT {rows:UInt32}
    )
) AS oldest
SELECT toUnixTimestamp64Nano(ts) AS time_ns, segment, cityHash64(observed_ts, ts_origin, trace_id, span_id, flags, severity_number, severity_text, event_name, body, body_kind, service, source, attributes, attribute_kinds, dropped_attributes) AS content,
    toUnixTimestamp64Nano(observed_ts) AS observed_ns, toInt8(ts_origin) AS time_origin, trace_id, span_id, flags,
    severity_number, severity_text, event_name, body, body_kind, service, source, attributes, attribute_kinds,
    dropped_attributes
FROM telemetry.logs
WHERE tenant = {tenant:String} AND ts BETWEEN fromUnixTimestamp64Nano({first_ns:Int64}, 'UTC') AND fromUnixTimestamp64Nano({last_ns:Int64}, 'UTC')
    AND toStartOfFiveMinutes(ts) BETWEEN toStartOfFiveMinutes(fromUnixTimestamp64Nano({first_ns:Int64}, 'UTC')) AND toStartOfFiveMinutes(fromUnixTimestamp64Nano({last_ns:Int64}, 'UTC'))
    AND ts >= oldest AND toStartOfFiveMinutes(ts) >= toStartOfFiveMinutes(oldest)
ORDER BY ts DESC, segment DESC, content DESC
LIMIT {rows:UInt32} OFFSET {skip:UInt32}
