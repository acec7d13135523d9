SELECT trace_id, max(toUnixTimestamp64Nano(ts)) AS newest_ns, count() AS matched,
    groupArraySorted(3)((toUnixTimestamp64Nano(ts), span_id, duration_ns, name, source, multiIf(has(attributes.keys, {value_0:String}), attributes[{value_0:String}], has(attributes.keys, {value_1:String}), attributes[{value_1:String}], ''), multiIf(has(attributes.keys, {value_0:String}), substring(attribute_kinds, indexOf(mapKeys(attributes), {value_0:String}), 1), has(attributes.keys, {value_1:String}), substring(attribute_kinds, indexOf(mapKeys(attributes), {value_1:String}), 1), ''))) AS spans
FROM telemetry.spans
PREWHERE tenant = {tenant:String} AND ts BETWEEN fromUnixTimestamp64Nano({first_ns:Int64}, 'UTC') AND fromUnixTimestamp64Nano({last_ns:Int64}, 'UTC')
    AND toStartOfFiveMinutes(ts) BETWEEN toStartOfFiveMinutes(fromUnixTimestamp64Nano({first_ns:Int64}, 'UTC')) AND toStartOfFiveMinutes(fromUnixTimestamp64Nano({last_ns:Int64}, 'UTC'))
    AND (multiIf(has(attributes.keys, {value_0:String}), substring(attribute_kinds, indexOf(mapKeys(attributes), {value_0:String}), 1), has(attributes.keys, {value_1:String}), substring(attribute_kinds, indexOf(mapKeys(attributes), {value_1:String}), 1), '') = '1' AND multiIf(has(attributes.keys, {value_0:String}), attributes[{value_0:String}], has(attributes.keys, {value_1:String}), attributes[{value_1:String}], '') = {value_2:String})
WHERE hasAny(arrayMap((key, value) -> concat(key, '=', value), mapKeys(attributes), mapValues(attributes)), [{value_3:String}, {value_4:String}])
GROUP BY trace_id
ORDER BY newest_ns DESC, trace_id DESC
LIMIT {rows:UInt32}
