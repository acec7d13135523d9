SELECT trace_id, max(toUnixTimestamp64Nano(ts)) AS newest_ns, count() AS matched,
    groupArraySorted(3)((toUnixTimestamp64Nano(ts), span_id, duration_ns, name, source, attributes[{value_0:String}], substring(attribute_kinds, indexOf(mapKeys(attributes), {value_0:String}), 1))) AS spans
FROM telemetry.spans
WHERE tenant = {tenant:String} AND ts BETWEEN fromUnixTimestamp64Nano({first_ns:Int64}, 'UTC') AND fromUnixTimestamp64Nano({last_ns:Int64}, 'UTC')
    AND toStartOfFiveMinutes(ts) BETWEEN toStartOfFiveMinutes(fromUnixTimestamp64Nano({first_ns:Int64}, 'UTC')) AND toStartOfFiveMinutes(fromUnixTimestamp64Nano({last_ns:Int64}, 'UTC'))
    AND if(has(attributes.keys, {value_0:String}), (substring(attribute_kinds, indexOf(mapKeys(attributes), {value_0:String}), 1) = '1' AND NOT attributes[{value_0:String}] = {value_1:String}), source IN (SELECT source FROM telemetry.sources WHERE tenant = {tenant:String} AND (substring(resource_kinds, indexOf(mapKeys(resource), {value_0:String}), 1) = '1' AND NOT resource[{value_0:String}] = {value_1:String})))
GROUP BY trace_id
ORDER BY newest_ns DESC, trace_id DESC
LIMIT {rows:UInt32}
