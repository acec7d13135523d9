SELECT trace_id, max(toUnixTimestamp64Nano(ts)) AS newest_ns, count() AS matched,
    groupArraySorted(3)((toUnixTimestamp64Nano(ts), span_id, duration_ns, name, source, attributes[{value_0:String}], substring(attribute_kinds, indexOf(mapKeys(attributes), {value_0:String}), 1))) AS spans
FROM telemetry.spans
LEFT ANY JOIN (
    SELECT source AS described_source, any(resource[{value_2:String}]) AS described_0, any(substring(resource_kinds, indexOf(mapKeys(resource), {value_2:String}), 1)) AS described_1
    FROM telemetry.sources
    WHERE tenant = {tenant:String}
    GROUP BY source
) AS described ON source = described_source
WHERE tenant = {tenant:String} AND ts BETWEEN fromUnixTimestamp64Nano({first_ns:Int64}, 'UTC') AND fromUnixTimestamp64Nano({last_ns:Int64}, 'UTC')
    AND toStartOfFiveMinutes(ts) BETWEEN toStartOfFiveMinutes(fromUnixTimestamp64Nano({first_ns:Int64}, 'UTC')) AND toStartOfFiveMinutes(fromUnixTimestamp64Nano({last_ns:Int64}, 'UTC'))
    AND ifNull(multiIf(described_1 = '3', toFloat64OrZero(described_0) < (if(substring(attribute_kinds, indexOf(mapKeys(attributes), {value_0:String}), 1) IN ('3', '4'), toFloat64OrNull(attributes[{value_0:String}]), NULL) * toFloat64({value_1:Int64})), described_1 = '4', toFloat64OrZero(described_0) < (if(substring(attribute_kinds, indexOf(mapKeys(attributes), {value_0:String}), 1) IN ('3', '4'), toFloat64OrNull(attributes[{value_0:String}]), NULL) * toFloat64({value_1:Int64})), 0), 0)
GROUP BY trace_id
ORDER BY newest_ns DESC, trace_id DESC
LIMIT {rows:UInt32}
