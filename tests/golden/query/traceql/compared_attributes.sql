SELECT selected, step, tupleElement(item, 1) AS key, tupleElement(item, 2) AS value,
    tupleElement(item, 3) AS value_kind, weights
FROM (
    SELECT *, sum(weights) OVER (PARTITION BY selected, item) AS of_all
    FROM (
        SELECT status_code = 2 AS selected, intDiv(toUnixTimestamp64Nano(ts) - {origin_ns:Int64}, {step_ns:Int64}) AS step,
            arrayJoin(arrayZip(mapKeys(attributes), mapValues(attributes), splitByString('', CAST(attribute_kinds, 'String')))) AS item, sum(weight) AS weights
        FROM telemetry.spans
        WHERE tenant = {tenant:String} AND ts BETWEEN fromUnixTimestamp64Nano({first_ns:Int64}, 'UTC') AND fromUnixTimestamp64Nano({last_ns:Int64}, 'UTC')
            AND toStartOfFiveMinutes(ts) BETWEEN toStartOfFiveMinutes(fromUnixTimestamp64Nano({first_ns:Int64}, 'UTC')) AND toStartOfFiveMinutes(fromUnixTimestamp64Nano({last_ns:Int64}, 'UTC'))
            AND (kind = 2)
        GROUP BY selected, step, item
    )
)
QUALIFY dense_rank() OVER (PARTITION BY selected, key ORDER BY of_all DESC, value, value_kind) <= {values:UInt32}
LIMIT {rows:UInt32}
