SELECT intDiv(toUnixTimestamp64Nano(ts) - {origin_ns:Int64}, {step_ns:Int64}) AS step,
    sum(weight) AS weights,
    sum(weight * assumeNotNull(if(substring(attribute_kinds, indexOf(mapKeys(attributes), {value_1:String}), 1) IN ('3', '4'), toFloat64OrNull(attributes[{value_1:String}]), NULL))) AS total,
    min(assumeNotNull(if(substring(attribute_kinds, indexOf(mapKeys(attributes), {value_1:String}), 1) IN ('3', '4'), toFloat64OrNull(attributes[{value_1:String}]), NULL))) AS lowest,
    max(assumeNotNull(if(substring(attribute_kinds, indexOf(mapKeys(attributes), {value_1:String}), 1) IN ('3', '4'), toFloat64OrNull(attributes[{value_1:String}]), NULL))) AS highest
FROM telemetry.spans
WHERE tenant = {tenant:String} AND ts BETWEEN fromUnixTimestamp64Nano({first_ns:Int64}, 'UTC') AND fromUnixTimestamp64Nano({last_ns:Int64}, 'UTC')
    AND toStartOfFiveMinutes(ts) BETWEEN toStartOfFiveMinutes(fromUnixTimestamp64Nano({first_ns:Int64}, 'UTC')) AND toStartOfFiveMinutes(fromUnixTimestamp64Nano({last_ns:Int64}, 'UTC'))
    AND trace_id IN (
    SELECT trace_id
    FROM telemetry.spans
    WHERE tenant = {tenant:String} AND ts BETWEEN fromUnixTimestamp64Nano({first_ns:Int64}, 'UTC') AND fromUnixTimestamp64Nano({last_ns:Int64}, 'UTC')
        AND toStartOfFiveMinutes(ts) BETWEEN toStartOfFiveMinutes(fromUnixTimestamp64Nano({first_ns:Int64}, 'UTC')) AND toStartOfFiveMinutes(fromUnixTimestamp64Nano({last_ns:Int64}, 'UTC'))
        AND (status_code = 2)
    GROUP BY trace_id
    HAVING (countIf((status_code = 2)) > 0 AND (toFloat64(countIf((status_code = 2))) > {value_0:Float64}))
)
    AND ((status_code = 2) AND isNotNull(if(substring(attribute_kinds, indexOf(mapKeys(attributes), {value_1:String}), 1) IN ('3', '4'), toFloat64OrNull(attributes[{value_1:String}]), NULL)))
GROUP BY step
