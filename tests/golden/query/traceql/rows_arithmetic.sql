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
LEFT ANY JOIN (
    SELECT source AS described_source, any(resource[{value_2:String}]) AS described_0, any(substring(resource_kinds, indexOf(mapKeys(resource), {value_2:String}), 1)) AS described_1
    FROM telemetry.sources
    WHERE tenant = {tenant:String}
    GROUP BY source
) AS described ON source = described_source
WHERE tenant = {tenant:String} AND ts BETWEEN fromUnixTimestamp64Nano({first_ns:Int64}, 'UTC') AND fromUnixTimestamp64Nano({last_ns:Int64}, 'UTC')
    AND toStartOfFiveMinutes(ts) BETWEEN toStartOfFiveMinutes(fromUnixTimestamp64Nano({first_ns:Int64}, 'UTC')) AND toStartOfFiveMinutes(fromUnixTimestamp64Nano({last_ns:Int64}, 'UTC'))
    AND trace_id IN (SELECT toFixedString(unhex(arrayJoin(splitByChar(',', {trace_ids:String}))), 16))
    AND ifNull(multiIf(described_1 = '3', toFloat64OrZero(described_0) < (if(substring(attribute_kinds, indexOf(mapKeys(attributes), {value_0:String}), 1) IN ('3', '4'), toFloat64OrNull(attributes[{value_0:String}]), NULL) * toFloat64({value_1:Int64})), described_1 = '4', toFloat64OrZero(described_0) < (if(substring(attribute_kinds, indexOf(mapKeys(attributes), {value_0:String}), 1) IN ('3', '4'), toFloat64OrNull(attributes[{value_0:String}]), NULL) * toFloat64({value_1:Int64})), 0), 0)
ORDER BY start_ns, span_id
LIMIT {spans:UInt32} BY trace_id
