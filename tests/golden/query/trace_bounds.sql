SELECT toUnixTimestamp64Second(first_ts) AS first_s, toUnixTimestamp64Second(last_ts) AS last_s
FROM telemetry.trace_bounds
PREWHERE tenant = {tenant:String}
    AND trace_id = unhex({trace_id:String})
