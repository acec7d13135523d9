WITH (
    SELECT min(time)
    FROM (
        SELECT ts AS time
        FROM telemetry.logs
        WHERE tenant = {tenant:String} AND ts BETWEEN fromUnixTimestamp64Nano({first_ns:Int64}, 'UTC') AND fromUnixTimestamp64Nano({before_ns:Int64}, 'UTC')
    AND toStartOfFiveMinutes(ts) BETWEEN toStartOfFiveMinutes(fromUnixTimestamp64Nano({first_ns:Int64}, 'UTC')) AND toStartOfFiveMinutes(fromUnixTimestamp64Nano({before_ns:Int64}, 'UTC'))
    AND service = {service:String}
    AND trace_id = unhex({trace_id:String})
    AND span_id = unhex({span_id:String})
    AND if(severity_number != 0, severity_number, transform(upper(severity_text), ['TRACE', 'DEBUG', 'INFO', 'NOTICE', 'WARN', 'WARNING', 'ERR', 'ERROR', 'CRITICAL', 'FATAL', 'EMERGENCY'], [1, 5, 9, 10, 13, 13, 17, 17, 18, 21, 21], 0)) >= {severity:Int32}
    AND hasAllTokens(body, {search:String})
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
    AND service = {service:String}
    AND trace_id = unhex({trace_id:String})
    AND span_id = unhex({span_id:String})
    AND if(severity_number != 0, severity_number, transform(upper(severity_text), ['TRACE', 'DEBUG', 'INFO', 'NOTICE', 'WARN', 'WARNING', 'ERR', 'ERROR', 'CRITICAL', 'FATAL', 'EMERGENCY'], [1, 5, 9, 10, 13, 13, 17, 17, 18, 21, 21], 0)) >= {severity:Int32}
    AND hasAllTokens(body, {search:String})
    AND (ts, segment, content) <= (fromUnixTimestamp64Nano({last_ns:Int64}, 'UTC'), {segment:UInt64}, {content:UInt64})
ORDER BY ts DESC, segment DESC, content DESC
LIMIT {rows:UInt32} OFFSET {skip:UInt32}
