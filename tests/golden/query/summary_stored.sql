SELECT toUnixTimestamp(bucket) AS bucket_s, rows, through, node_service, node_entry, node_calls, node_errors, node_bins, node_weights, edge_caller, edge_caller_kind, edge_callee, edge_callee_kind, edge_async, edge_calls, edge_errors, edge_bins, edge_weights, work_service, work_operation, work_self_ns, work_on_path, work_spans, work_example, work_example_ns, pattern_name, pattern_service, pattern_operation, pattern_callees, pattern_places, pattern_found, pattern_calls, pattern_spent_ns, pattern_wasted_ns, pattern_example, pattern_example_ns, clock_service, clock_spans, spans, child_spans, child_spans_seen, repeated, rings, left_out, requests, requests_ns, background, background_ns
FROM telemetry.trace_summaries
WHERE tenant = {tenant:String} AND bucket BETWEEN toDateTime({first_s:UInt32}, 'UTC') AND toDateTime({last_s:UInt32}, 'UTC') AND form = {form:UInt16}
    AND (bucket, version) IN (
        SELECT bucket, max(version) FROM telemetry.trace_summaries WHERE tenant = {tenant:String} AND bucket BETWEEN toDateTime({first_s:UInt32}, 'UTC') AND toDateTime({last_s:UInt32}, 'UTC') AND form = {form:UInt16} GROUP BY bucket
    )
ORDER BY bucket, part
