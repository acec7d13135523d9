SELECT trace_id, count() AS matched_spans, toUnixTimestamp64Nano(max(ts)) AS newest_match_ns, max(duration_ns) AS longest_match_ns
FROM telemetry.spans
PREWHERE tenant = {tenant:String} AND ts BETWEEN fromUnixTimestamp64Nano({first_ns:Int64}, 'UTC') AND fromUnixTimestamp64Nano({last_ns:Int64}, 'UTC')
    AND toStartOfFiveMinutes(ts) BETWEEN toStartOfFiveMinutes(fromUnixTimestamp64Nano({first_ns:Int64}, 'UTC')) AND toStartOfFiveMinutes(fromUnixTimestamp64Nano({last_ns:Int64}, 'UTC'))
    AND (toStartOfFiveMinutes(ts), trace_id) IN (
        SELECT toDateTime(toUInt32(splitByChar('.', place)[1]), 'UTC'),
            toFixedString(unhex(splitByChar('.', place)[2]), 16)
        FROM (SELECT arrayJoin(splitByChar(',', {places:String})) AS place)
    )
    AND source IN (
        SELECT source
        FROM telemetry.sources
        WHERE tenant = {tenant:String} AND ((mapContains(resource, {value_0:String}) OR mapContains(resource, {value_1:String})) AND NOT ((mapContains(resource, {value_0:String}) AND resource[{value_0:String}] IN ({value_2:String})) OR (mapContains(resource, {value_1:String}) AND resource[{value_1:String}] IN ({value_2:String}))))
    )
    AND source IN (
        SELECT source
        FROM telemetry.sources
        WHERE tenant = {tenant:String} AND ((mapContains(scope, {value_0:String}) AND match(scope[{value_0:String}], {value_2:String})) OR (mapContains(scope, {value_1:String}) AND match(scope[{value_1:String}], {value_2:String})))
    )
WHERE hasAny(arrayMap((key, value) -> concat(key, '=', value), mapKeys(attributes), mapValues(attributes)), [{value_3:String}, {value_4:String}]) AND arrayExists(item -> ((mapContains(item, {value_0:String}) OR mapContains(item, {value_1:String})) AND NOT ((mapContains(item, {value_0:String}) AND match(item[{value_0:String}], {value_2:String})) OR (mapContains(item, {value_1:String}) AND match(item[{value_1:String}], {value_2:String})))), `events.attributes`) AND arrayExists(item -> (toFloat64OrDefault(item[{value_0:String}], nan) < {value_5:Float64} OR toFloat64OrDefault(item[{value_1:String}], nan) < {value_5:Float64}), `links.attributes`)
GROUP BY trace_id
