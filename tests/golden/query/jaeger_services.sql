SELECT service
FROM telemetry.sources
WHERE tenant = {tenant:String} AND last_seen >= toDateTime({since_s:Int64}, 'UTC')
GROUP BY service
ORDER BY service
LIMIT {rows:UInt32}
