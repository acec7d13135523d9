SELECT trace_id, parent_span_id,
    toUnixTimestamp64Nano(ts) AS start_ns,
    span_id AS span_id,
    duration_ns AS duration_ns,
    name AS span_name,
    source AS span_source,
    count() OVER (PARTITION BY trace_id) AS matched
FROM telemetry.spans
WHERE tenant = {tenant:String} AND ts BETWEEN fromUnixTimestamp64Nano({first_ns:Int64}, 'UTC') AND fromUnixTimestamp64Nano({last_ns:Int64}, 'UTC')
    AND toStartOfFiveMinutes(ts) BETWEEN toStartOfFiveMinutes(fromUnixTimestamp64Nano({first_ns:Int64}, 'UTC')) AND toStartOfFiveMinutes(fromUnixTimestamp64Nano({last_ns:Int64}, 'UTC'))
    AND trace_id IN (SELECT toFixedString(unhex(arrayJoin(splitByChar(',', {trace_ids:String}))), 16))
    AND ((arrayExists((item, item_kinds) -> substring(item_kinds, indexOf(mapKeys(item), {value_0:String}), 1) != '', `events.attributes`, `events.attribute_kinds`) AND NOT arrayExists((item, item_kinds) -> (substring(item_kinds, indexOf(mapKeys(item), {value_0:String}), 1) = '1' AND item[{value_0:String}] = {value_1:String}), `events.attributes`, `events.attribute_kinds`)) AND arrayExists(item -> (lower(hex(item)) = {value_2:String}), `links.trace_id`))
ORDER BY start_ns, span_id
LIMIT {spans:UInt32} BY trace_id
