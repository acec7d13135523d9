SELECT series, toInt8(kind) AS kind, unit, description, temporality, monotonic, metadata, metadata_kinds, service,
    source, attributes, attribute_kinds
FROM telemetry.series
WHERE tenant = {tenant:String}
    AND last_seen >= toStartOfHour(fromUnixTimestamp64Nano({first_ns:Int64}, 'UTC'))
    AND first_seen <= fromUnixTimestamp64Nano({last_ns:Int64}, 'UTC')
    AND metric = {metric:String}
    AND service = {service:String}
    AND series > {after:UInt64}
ORDER BY series
LIMIT 1 BY series
LIMIT {rows:UInt32}
