SELECT trace_id, parent_span_id,
    toUnixTimestamp64Nano(ts) AS start_ns,
    span_id AS span_id,
    duration_ns AS duration_ns,
    name AS span_name,
    source AS span_source,
    nullIf(service, '') AS shown_0,
    multiIf(has(attributes.keys, {value_1:String}), attributes[{value_1:String}], has(attributes.keys, {value_2:String}), attributes[{value_2:String}], '') AS shown_1,
    multiIf(has(attributes.keys, {value_1:String}), substring(attribute_kinds, indexOf(mapKeys(attributes), {value_1:String}), 1), has(attributes.keys, {value_2:String}), substring(attribute_kinds, indexOf(mapKeys(attributes), {value_2:String}), 1), '') AS shown_1_kind,
    count() OVER (PARTITION BY trace_id) AS matched
FROM telemetry.spans
WHERE tenant = {tenant:String} AND ts BETWEEN fromUnixTimestamp64Nano({first_ns:Int64}, 'UTC') AND fromUnixTimestamp64Nano({last_ns:Int64}, 'UTC')
    AND toStartOfFiveMinutes(ts) BETWEEN toStartOfFiveMinutes(fromUnixTimestamp64Nano({first_ns:Int64}, 'UTC')) AND toStartOfFiveMinutes(fromUnixTimestamp64Nano({last_ns:Int64}, 'UTC'))
    AND trace_id IN (SELECT toFixedString(unhex(arrayJoin(splitByChar(',', {trace_ids:String}))), 16))
    AND (service = {value_0:String} AND multiIf(multiIf(has(attributes.keys, {value_1:String}), substring(attribute_kinds, indexOf(mapKeys(attributes), {value_1:String}), 1), has(attributes.keys, {value_2:String}), substring(attribute_kinds, indexOf(mapKeys(attributes), {value_2:String}), 1), '') = '3', toInt64OrZero(multiIf(has(attributes.keys, {value_1:String}), attributes[{value_1:String}], has(attributes.keys, {value_2:String}), attributes[{value_2:String}], '')) >= {value_3:Int64}, multiIf(has(attributes.keys, {value_1:String}), substring(attribute_kinds, indexOf(mapKeys(attributes), {value_1:String}), 1), has(attributes.keys, {value_2:String}), substring(attribute_kinds, indexOf(mapKeys(attributes), {value_2:String}), 1), '') = '4', toFloat64OrZero(multiIf(has(attributes.keys, {value_1:String}), attributes[{value_1:String}], has(attributes.keys, {value_2:String}), attributes[{value_2:String}], '')) >= {value_3:Int64}, 0) AND (duration_ns > {value_4:Int64}))
ORDER BY start_ns, span_id
LIMIT {spans:UInt32} BY trace_id
