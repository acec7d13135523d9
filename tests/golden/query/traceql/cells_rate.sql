SELECT intDiv(toUnixTimestamp64Nano(ts) - {origin_ns:Int64}, {step_ns:Int64}) AS step,
    nullIf(service, '') AS label_0,
    sum(weight) AS weights,
    argMax((trace_id, span_id, toUnixTimestamp64Nano(ts)), duration_ns) AS exemplar,
    tupleElement(exemplar, 1) AS exemplar_trace,
    tupleElement(exemplar, 2) AS exemplar_span,
    tupleElement(exemplar, 3) AS exemplar_ns
FROM telemetry.spans
WHERE tenant = {tenant:String} AND ts BETWEEN fromUnixTimestamp64Nano({first_ns:Int64}, 'UTC') AND fromUnixTimestamp64Nano({last_ns:Int64}, 'UTC')
    AND toStartOfFiveMinutes(ts) BETWEEN toStartOfFiveMinutes(fromUnixTimestamp64Nano({first_ns:Int64}, 'UTC')) AND toStartOfFiveMinutes(fromUnixTimestamp64Nano({last_ns:Int64}, 'UTC'))
GROUP BY step, label_0
