SELECT trace_id, max(toUnixTimestamp64Nano(ts)) AS newest_ns
FROM telemetry.spans
WHERE tenant = {tenant:String} AND ts BETWEEN fromUnixTimestamp64Nano({first_ns:Int64}, 'UTC') AND fromUnixTimestamp64Nano({last_ns:Int64}, 'UTC')
    AND toStartOfFiveMinutes(ts) BETWEEN toStartOfFiveMinutes(fromUnixTimestamp64Nano({first_ns:Int64}, 'UTC')) AND toStartOfFiveMinutes(fromUnixTimestamp64Nano({last_ns:Int64}, 'UTC'))
    AND ((name = {value_0:String}) OR (name = {value_1:String}))
GROUP BY trace_id
HAVING (((countIf((name = {value_0:String})) > 0 AND countIf((name = {value_1:String})) > 0) AND (toFloat64(countIf(((name = {value_0:String}) OR (name = {value_1:String})))) > {value_2:Float64})) AND (newest_ns, trace_id) < ({after_ns:Int64}, toFixedString(unhex({after_id:String}), 16)))
ORDER BY newest_ns DESC, trace_id DESC
LIMIT {rows:UInt32}
