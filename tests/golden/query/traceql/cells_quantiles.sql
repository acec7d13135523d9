SELECT intDiv(toUnixTimestamp64Nano(ts) - {origin_ns:Int64}, {step_ns:Int64}) AS step,
    attributes[{value_0:String}] AS label_0,
    substring(attribute_kinds, indexOf(mapKeys(attributes), {value_0:String}), 1) AS label_0_kind,
    sum(weight) AS weights,
    quantilesBFloat16Weighted({value_1:Float64}, {value_2:Float64})(assumeNotNull(toFloat64(duration_ns)), toUInt64(round(weight * 1000))) AS quantile_values
FROM telemetry.spans
WHERE tenant = {tenant:String} AND ts BETWEEN fromUnixTimestamp64Nano({first_ns:Int64}, 'UTC') AND fromUnixTimestamp64Nano({last_ns:Int64}, 'UTC')
    AND toStartOfFiveMinutes(ts) BETWEEN toStartOfFiveMinutes(fromUnixTimestamp64Nano({first_ns:Int64}, 'UTC')) AND toStartOfFiveMinutes(fromUnixTimestamp64Nano({last_ns:Int64}, 'UTC'))
    AND ((kind = 2) AND isNotNull(toFloat64(duration_ns)))
GROUP BY step, label_0, label_0_kind
