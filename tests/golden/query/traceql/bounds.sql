SELECT trace_id, toUnixTimestamp64Second(min(first_ts)) AS first_s, toUnixTimestamp64Second(max(last_ts)) AS last_s
FROM telemetry.trace_bounds
WHERE tenant = {tenant:String}
    AND trace_id IN (SELECT toFixedString(unhex(arrayJoin(splitByChar(',', {trace_ids:String}))), 16))
GROUP BY trace_id
