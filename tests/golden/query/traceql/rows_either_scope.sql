SELECT trace_id, parent_span_id,
    toUnixTimestamp64Nano(ts) AS start_ns,
    span_id AS span_id,
    duration_ns AS duration_ns,
    name AS span_name,
    source AS span_source,
    attributes[{value_0:String}] AS shown_0,
    substring(attribute_kinds, indexOf(mapKeys(attributes), {value_0:String}), 1) AS shown_0_kind,
    count() OVER (PARTITION BY trace_id) AS matched
FROM telemetry.spans
WHERE tenant = {tenant:String} AND ts BETWEEN fromUnixTimestamp64Nano({first_ns:Int64}, 'UTC') AND fromUnixTimestamp64Nano({last_ns:Int64}, 'UTC')
    AND toStartOfFiveMinutes(ts) BETWEEN toStartOfFiveMinutes(fromUnixTimestamp64Nano({first_ns:Int64}, 'UTC')) AND toStartOfFiveMinutes(fromUnixTimestamp64Nano({last_ns:Int64}, 'UTC'))
    AND trace_id IN (SELECT toFixedString(unhex(arrayJoin(splitByChar(',', {trace_ids:String}))), 16))
    AND if(has(attributes.keys, {value_0:String}), (substring(attribute_kinds, indexOf(mapKeys(attributes), {value_0:String}), 1) = '1' AND NOT attributes[{value_0:String}] = {value_1:String}), source IN (SELECT source FROM telemetry.sources WHERE tenant = {tenant:String} AND (substring(resource_kinds, indexOf(mapKeys(resource), {value_0:String}), 1) = '1' AND NOT resource[{value_0:String}] = {value_1:String})))
ORDER BY start_ns, span_id
LIMIT {spans:UInt32} BY trace_id
