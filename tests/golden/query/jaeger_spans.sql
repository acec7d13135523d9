SELECT trace_id, toUnixTimestamp64Nano(ts) AS start_ns, duration_ns, span_id, parent_span_id, trace_state, flags, name, kind,
    status_code, status_message, source, attributes, attribute_kinds, dropped_attributes,
    arrayMap(t -> toUnixTimestamp64Nano(t), `events.ts`) AS event_times_ns, `events.name` AS event_names,
    `events.attributes` AS event_attributes, `events.attribute_kinds` AS event_attribute_kinds,
    `events.dropped_attributes` AS event_dropped_attributes, dropped_events,
    `links.trace_id` AS link_trace_ids, `links.span_id` AS link_span_ids, `links.trace_state` AS link_trace_states,
    `links.flags` AS link_flags, `links.attributes` AS link_attributes,
    `links.attribute_kinds` AS link_attribute_kinds, `links.dropped_attributes` AS link_dropped_attributes,
    dropped_links
FROM telemetry.spans
PREWHERE tenant = {tenant:String} AND ts BETWEEN fromUnixTimestamp64Nano({first_ns:Int64}, 'UTC') AND fromUnixTimestamp64Nano({last_ns:Int64}, 'UTC')
    AND toStartOfFiveMinutes(ts) BETWEEN toStartOfFiveMinutes(fromUnixTimestamp64Nano({first_ns:Int64}, 'UTC')) AND toStartOfFiveMinutes(fromUnixTimestamp64Nano({last_ns:Int64}, 'UTC'))
    AND trace_id IN (SELECT toFixedString(unhex(arrayJoin(splitByChar(',', {trace_ids:String}))), 16))
ORDER BY trace_id, ts, span_id
LIMIT {spans:UInt32} BY trace_id
