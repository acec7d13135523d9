SELECT trace_id, count() AS spans, countIf(status_code = 2) AS errors,
    arraySort(groupUniqArray(100)(service)) AS services,
    min(start) AS start_ns, max(start + greatest(duration_ns, 0)) AS end_ns,
    argMin((service, name, kind, status_code), (parent_span_id != toFixedString('', 8), ts, span_id)) AS root,
    tupleElement(root, 1) AS root_service, tupleElement(root, 2) AS root_operation,
    tupleElement(root, 3) AS root_kind, tupleElement(root, 4) AS root_status,
    countIf(matched) AS matched_spans, maxIf(start, matched) AS newest_match_ns,
    maxIf(duration_ns, matched) AS longest_match_ns
FROM (
    SELECT trace_id, span_id, parent_span_id, ts, toUnixTimestamp64Nano(ts) AS start, duration_ns, service, name, kind,
        status_code, {window_first_ns:Int64} <= start AND start <= {window_last_ns:Int64} AND 1 AS matched
    FROM telemetry.spans
    PREWHERE tenant = {tenant:String} AND ts BETWEEN fromUnixTimestamp64Nano({first_ns:Int64}, 'UTC') AND fromUnixTimestamp64Nano({last_ns:Int64}, 'UTC')
    AND toStartOfFiveMinutes(ts) BETWEEN toStartOfFiveMinutes(fromUnixTimestamp64Nano({first_ns:Int64}, 'UTC')) AND toStartOfFiveMinutes(fromUnixTimestamp64Nano({last_ns:Int64}, 'UTC'))
        AND trace_id IN (SELECT toFixedString(unhex(arrayJoin(splitByChar(',', {trace_ids:String}))), 16))
)
GROUP BY trace_id
