SELECT source, service, mapKeys(resource) AS keys, mapValues(resource) AS values
FROM telemetry.sources
WHERE tenant = {tenant:String} AND last_seen >= fromUnixTimestamp64Nano({first_ns:Int64}, 'UTC') - INTERVAL 1 DAY
LIMIT 1 BY source
LIMIT {rows:UInt32}
