SELECT version, rows, through
FROM telemetry.trace_summaries
WHERE tenant = {tenant:String} AND bucket = toDateTime({bucket_s:UInt32}, 'UTC') AND form = {form:UInt16}
ORDER BY version DESC
LIMIT 1
