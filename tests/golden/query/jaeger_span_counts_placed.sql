SELECT trace_id, count() AS spans
FROM telemetry.spans
PREWHERE tenant = {tenant:String} AND ts BETWEEN fromUnixTimestamp64Nano({first_ns:Int64}, 'UTC') AND fromUnixTimestamp64Nano({last_ns:Int64}, 'UTC')
    AND toStartOfFiveMinutes(ts) BETWEEN toStartOfFiveMinutes(fromUnixTimestamp64Nano({first_ns:Int64}, 'UTC')) AND toStartOfFiveMinutes(fromUnixTimestamp64Nano({last_ns:Int64}, 'UTC'))
    AND (toStartOfFiveMinutes(ts), trace_id) IN (
        SELECT toDateTime(toUInt32(splitByChar('.', place)[1]), 'UTC'),
            toFixedString(unhex(splitByChar('.', place)[2]), 16)
        FROM (SELECT arrayJoin(splitByChar(',', {places:String})) AS place)
    )
GROUP BY trace_id
