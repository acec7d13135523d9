SELECT trace_id, max(toUnixTimestamp64Nano(ts)) AS newest_ns, count() AS matched,
    groupArraySorted(3)((toUnixTimestamp64Nano(ts), span_id, duration_ns, name, source)) AS spans
FROM telemetry.spans
WHERE tenant = {tenant:String} AND ts BETWEEN fromUnixTimestamp64Nano({first_ns:Int64}, 'UTC') AND fromUnixTimestamp64Nano({last_ns:Int64}, 'UTC')
    AND toStartOfFiveMinutes(ts) BETWEEN toStartOfFiveMinutes(fromUnixTimestamp64Nano({first_ns:Int64}, 'UTC')) AND toStartOfFiveMinutes(fromUnixTimestamp64Nano({last_ns:Int64}, 'UTC'))
    AND (source IN (SELECT source FROM telemetry.sources WHERE tenant = {tenant:String} AND (substring(resource_kinds, indexOf(mapKeys(resource), {value_0:String}), 1) = '1' AND match(resource[{value_0:String}], {value_2:String}))) AND source IN (SELECT source FROM telemetry.sources WHERE tenant = {tenant:String} AND (scope_name = {value_3:String})))
GROUP BY trace_id
ORDER BY newest_ns DESC, trace_id DESC
LIMIT {rows:UInt32}
