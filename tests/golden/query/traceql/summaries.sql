SELECT trace_id, service, count() AS spans, countIf(status_code = 2) AS errors,
    min(toUnixTimestamp64Nano(ts)) AS start_ns, max(toUnixTimestamp64Nano(ts) + greatest(duration_ns, 0)) AS end_ns,
    countIf(parent_span_id = toFixedString('', 8)) AS roots, argMinIf((toUnixTimestamp64Nano(ts), span_id, name), (ts, span_id), parent_span_id = toFixedString('', 8)) AS root,
    tupleElement(root, 1) AS root_ns, tupleElement(root, 2) AS root_id, tupleElement(root, 3) AS root_name
FROM telemetry.spans
WHERE tenant = {tenant:String} AND ts BETWEEN fromUnixTimestamp64Nano({first_ns:Int64}, 'UTC') AND fromUnixTimestamp64Nano({last_ns:Int64}, 'UTC')
    AND toStartOfFiveMinutes(ts) BETWEEN toStartOfFiveMinutes(fromUnixTimestamp64Nano({first_ns:Int64}, 'UTC')) AND toStartOfFiveMinutes(fromUnixTimestamp64Nano({last_ns:Int64}, 'UTC'))
    AND trace_id IN (SELECT toFixedString(unhex(arrayJoin(splitByChar(',', {trace_ids:String}))), 16))
GROUP BY trace_id, service
ORDER BY trace_id, service
