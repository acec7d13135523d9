SELECT trace_id, toUnixTimestamp64Nano(max(ts)) AS newest_ns
FROM telemetry.spans
PREWHERE tenant = {tenant:String} AND ts BETWEEN fromUnixTimestamp64Nano({first_ns:Int64}, 'UTC') AND fromUnixTimestamp64Nano({last_ns:Int64}, 'UTC')
    AND toStartOfFiveMinutes(ts) BETWEEN toStartOfFiveMinutes(fromUnixTimestamp64Nano({first_ns:Int64}, 'UTC')) AND toStartOfFiveMinutes(fromUnixTimestamp64Nano({last_ns:Int64}, 'UTC'))
    AND service = {value_0:String}
    AND name = {value_1:String}
    AND duration_ns >= {value_2:Int64}
    AND duration_ns <= {value_3:Int64}
WHERE (status_code = 2) AND (hasAny(arrayMap((key, value) -> concat(key, '=', value), mapKeys(attributes), mapValues(attributes)), [{value_6:String}, {value_7:String}]) OR source IN (
        SELECT source
        FROM telemetry.sources
        WHERE tenant = {tenant:String} AND ((mapContains(resource, {value_4:String}) AND resource[{value_4:String}] IN ({value_8:String})) OR (mapContains(resource, {value_5:String}) AND resource[{value_5:String}] IN ({value_8:String})))
    ) OR source IN (
        SELECT source
        FROM telemetry.sources
        WHERE tenant = {tenant:String} AND ((mapContains(scope, {value_4:String}) AND scope[{value_4:String}] IN ({value_8:String})) OR (mapContains(scope, {value_5:String}) AND scope[{value_5:String}] IN ({value_8:String})))
    ) OR arrayExists(item -> ((mapContains(item, {value_4:String}) AND item[{value_4:String}] IN ({value_8:String})) OR (mapContains(item, {value_5:String}) AND item[{value_5:String}] IN ({value_8:String}))), `events.attributes`))
GROUP BY trace_id
ORDER BY newest_ns DESC, trace_id DESC
LIMIT {rows:UInt32}
