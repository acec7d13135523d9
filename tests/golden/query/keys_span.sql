SELECT key, kind, sum(items) AS times
FROM (
    SELECT keys, kinds, sum(items) AS items
    FROM (
        SELECT attributes.keys AS keys, attribute_kinds AS kinds, 1 AS items
        FROM telemetry.spans
        PREWHERE tenant = {tenant:String} AND ts BETWEEN fromUnixTimestamp64Nano({first_ns:Int64}, 'UTC') AND fromUnixTimestamp64Nano({last_ns:Int64}, 'UTC')
            AND toStartOfFiveMinutes(ts) BETWEEN toStartOfFiveMinutes(fromUnixTimestamp64Nano({first_ns:Int64}, 'UTC')) AND toStartOfFiveMinutes(fromUnixTimestamp64Nano({last_ns:Int64}, 'UTC'))
            AND toStartOfFiveMinutes(ts) IN (SELECT toDateTime(toUInt32(arrayJoin(splitByChar(',', {sample_stretches:String}))), 'UTC')) AND trace_id < toFixedString(unhex({sample_end:String}), 16)
    )
    GROUP BY keys, kinds
)
ARRAY JOIN keys AS key, splitByString('', kinds) AS kind
GROUP BY key, kind
ORDER BY times DESC, key, kind
LIMIT {rows:UInt32}
