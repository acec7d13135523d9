SELECT name AS value, count() AS times
FROM telemetry.spans
PREWHERE tenant = {tenant:String} AND ts BETWEEN fromUnixTimestamp64Nano({first_ns:Int64}, 'UTC') AND fromUnixTimestamp64Nano({last_ns:Int64}, 'UTC')
    AND toStartOfFiveMinutes(ts) BETWEEN toStartOfFiveMinutes(fromUnixTimestamp64Nano({first_ns:Int64}, 'UTC')) AND toStartOfFiveMinutes(fromUnixTimestamp64Nano({last_ns:Int64}, 'UTC'))
    AND parent_span_id = toFixedString('', 8)
GROUP BY value
HAVING value != ''
ORDER BY times DESC, value
LIMIT {rows:UInt32}
