SELECT trace_id, count() AS spans, countIf(status_code = 2) AS errors,
    arraySort(groupUniqArray(100)(service)) AS services,
    toUnixTimestamp64Nano(min(ts)) AS start_ns,
    max(toUnixTimestamp64Nano(ts) + greatest(duration_ns, 0)) AS end_ns,
    argMin((service, name, kind, status_code), (parent_span_id != toFixedString('', 8), ts, span_id)) AS root,
    tupleElement(root, 1) AS root_service, tupleElement(root, 2) AS root_operation,
    tupleElement(root, 3) AS root_kind, tupleElement(root, 4) AS root_status
FROM telemetry.spans
WHERE tenant = {tenant:String} AND ts BETWEEN fromUnixTimestamp64Nano({first_ns:Int64}, 'UTC') AND fromUnixTimestamp64Nano({last_ns:Int64}, 'UTC')
    AND toStartOfFiveMinutes(ts) BETWEEN toStartOfFiveMinutes(fromUnixTimestamp64Nano({first_ns:Int64}, 'UTC')) AND toStartOfFiveMinutes(fromUnixTimestamp64Nano({last_ns:Int64}, 'UTC'))
    AND (toStartOfFiveMinutes(ts), trace_id) IN (
        SELECT toDateTime(toUInt32(splitByChar('.', place)[1]), 'UTC'),
            toFixedString(unhex(splitByChar('.', place)[2]), 16)
        FROM (SELECT arrayJoin(splitByChar(',', {places:String})) AS place)
    )
GROUP BY trace_id
