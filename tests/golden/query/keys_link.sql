SELECT key, kind, sum(items) AS times
FROM (
    SELECT keys, kinds, sum(items) AS items
    FROM (
        SELECT mapKeys(item) AS keys, kinds, 1 AS items
        FROM telemetry.spans
        ARRAY JOIN `links.attributes` AS item, `links.attribute_kinds` AS kinds
        PREWHERE tenant = {tenant:String} AND ts BETWEEN fromUnixTimestamp64Nano({first_ns:Int64}, 'UTC') AND fromUnixTimestamp64Nano({last_ns:Int64}, 'UTC')
            AND toStartOfFiveMinutes(ts) BETWEEN toStartOfFiveMinutes(fromUnixTimestamp64Nano({first_ns:Int64}, 'UTC')) AND toStartOfFiveMinutes(fromUnixTimestamp64Nano({last_ns:Int64}, 'UTC'))
            AND toStartOfFiveMinutes(ts) IN (SELECT toDateTime(toUInt32(arrayJoin(splitByChar(',', {sample_stretches:String}))), 'UTC')) AND trace_id < toFixedString(unhex({sample_end:String}), 16)
            AND service = {value_0:String}
            AND name = {value_0:String}
            AND has(`events.name`, {value_0:String})
            AND has(`links.trace_id`, toFixedString(unhex({value_0:String}), 16))
            AND kind = {value_1:Int64}
            AND status_code = {value_1:Int64}
            AND duration_ns >= {value_2:Int64}
            AND duration_ns <= {value_3:Int64}
    )
    GROUP BY keys, kinds
)
ARRAY JOIN keys AS key, splitByString('', kinds) AS kind
GROUP BY key, kind
ORDER BY times DESC, key, kind
LIMIT {rows:UInt32}
