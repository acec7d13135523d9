SELECT value, kind, sum(items) AS times
FROM (
    SELECT greatest(indexOf(keys, {value_7:String}), indexOf(keys, {value_8:String})) AS position, vals[position] AS value, substring(kinds, position, 1) AS kind, items
    FROM (
        SELECT mapKeys(resource) AS keys, mapValues(resource) AS vals, resource_kinds AS kinds, counted.spans AS items
        FROM (
            SELECT toUInt64(source) AS source, count() AS spans
            FROM telemetry.spans
            PREWHERE tenant = {tenant:String} AND ts BETWEEN fromUnixTimestamp64Nano({first_ns:Int64}, 'UTC') AND fromUnixTimestamp64Nano({last_ns:Int64}, 'UTC')
                AND toStartOfFiveMinutes(ts) BETWEEN toStartOfFiveMinutes(fromUnixTimestamp64Nano({first_ns:Int64}, 'UTC')) AND toStartOfFiveMinutes(fromUnixTimestamp64Nano({last_ns:Int64}, 'UTC'))
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
            GROUP BY source
        ) AS counted
        INNER JOIN (
            SELECT source, resource, resource_kinds, scope, scope_kinds, scope_name, scope_version
            FROM telemetry.sources
            WHERE tenant = {tenant:String}
            LIMIT 1 BY source
        ) AS described USING (source)
    )
)
WHERE position > 0 AND kind IN ('1', '2', '3', '4') AND startsWith(value, {value_9:String})
GROUP BY value, kind
ORDER BY times DESC, value, kind
LIMIT {rows:UInt32}
