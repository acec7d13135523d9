SELECT key, kind, sum(items) AS times
FROM (
    SELECT keys, kinds, sum(items) AS items
    FROM (
        SELECT arrayConcat(mapKeys(scope), ['otel.scope.name', 'otel.scope.version']) AS keys, arrayConcat(mapValues(scope), [scope_name, scope_version]) AS vals, concat(scope_kinds, if(scope_name = '', '0', '1'), if(scope_version = '', '0', '1')) AS kinds, counted.spans AS items
        FROM (
            SELECT toUInt64(source) AS source, count() AS spans
            FROM telemetry.spans
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
            GROUP BY source
        ) AS counted
        INNER JOIN (
            SELECT source, resource, resource_kinds, scope, scope_kinds, scope_name, scope_version
            FROM telemetry.sources
            WHERE tenant = {tenant:String}
            LIMIT 1 BY source
        ) AS described USING (source)
    )
    GROUP BY keys, kinds
)
ARRAY JOIN keys AS key, splitByString('', kinds) AS kind
GROUP BY key, kind
ORDER BY times DESC, key, kind
LIMIT {rows:UInt32}
