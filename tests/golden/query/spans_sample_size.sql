SELECT count() AS spans
FROM telemetry.spans
WHERE tenant = {tenant:String} AND toStartOfFiveMinutes(ts) BETWEEN
    toStartOfFiveMinutes(fromUnixTimestamp64Nano({first_ns:Int64}, 'UTC'))
    AND toStartOfFiveMinutes(fromUnixTimestamp64Nano({last_ns:Int64}, 'UTC'))
    AND toStartOfFiveMinutes(ts) IN (SELECT toDateTime(toUInt32(arrayJoin(splitByChar(',', {sample_stretches:String}))), 'UTC')) AND trace_id < toFixedString(unhex({sample_end:String}), 16)
