SELECT trace_id, max(toUnixTimestamp64Nano(ts)) AS newest_ns, count() AS matched,
    groupArraySorted(3)((toUnixTimestamp64Nano(ts), span_id, duration_ns, name, source)) AS spans
FROM telemetry.spans
WHERE tenant = {tenant:String} AND ts BETWEEN fromUnixTimestamp64Nano({first_ns:Int64}, 'UTC') AND fromUnixTimestamp64Nano({last_ns:Int64}, 'UTC')
    AND toStartOfFiveMinutes(ts) BETWEEN toStartOfFiveMinutes(fromUnixTimestamp64Nano({first_ns:Int64}, 'UTC')) AND toStartOfFiveMinutes(fromUnixTimestamp64Nano({last_ns:Int64}, 'UTC'))
    AND ((arrayExists((item, item_kinds) -> substring(item_kinds, indexOf(mapKeys(item), {value_0:String}), 1) != '', `events.attributes`, `events.attribute_kinds`) AND NOT arrayExists((item, item_kinds) -> (substring(item_kinds, indexOf(mapKeys(item), {value_0:String}), 1) = '1' AND item[{value_0:String}] = {value_1:String}), `events.attributes`, `events.attribute_kinds`)) AND arrayExists(item -> (lower(hex(item)) = {value_2:String}), `links.trace_id`))
GROUP BY trace_id
ORDER BY newest_ns DESC, trace_id DESC
LIMIT {rows:UInt32}
