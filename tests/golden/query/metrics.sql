SELECT metric, arraySort(groupUniqArray(10)(toInt8(kind))) AS kinds, arraySort(groupUniqArray(10)(unit)) AS units,
    arraySort(groupUniqArray(10)(temporality)) AS temporalities, max(monotonic) AS monotonic,
    max(description) AS description, uniqExact(series) AS series_count
FROM telemetry.series
WHERE tenant = {tenant:String}
    AND last_seen >= toStartOfHour(fromUnixTimestamp64Nano({first_ns:Int64}, 'UTC'))
    AND first_seen <= fromUnixTimestamp64Nano({last_ns:Int64}, 'UTC')
GROUP BY metric
ORDER BY metric
LIMIT {rows:UInt32}
