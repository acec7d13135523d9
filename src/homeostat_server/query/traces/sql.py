"""The SQL about spans of traces. It runs nothing; see `homeostat_server.query.sql` for the pieces it shares."""

from typing import Final

from homeostat_server.query.sql import ONE_TRACE, also, during

SPAN_COLUMNS: Final = """
    toUnixTimestamp64Nano(ts) AS start_ns, duration_ns, span_id, parent_span_id, trace_state, flags, name, kind,
    status_code, status_message, source, attributes, attribute_kinds, dropped_attributes,
    arrayMap(t -> toUnixTimestamp64Nano(t), `events.ts`) AS event_times_ns, `events.name` AS event_names,
    `events.attributes` AS event_attributes, `events.attribute_kinds` AS event_attribute_kinds,
    `events.dropped_attributes` AS event_dropped_attributes, dropped_events,
    `links.trace_id` AS link_trace_ids, `links.span_id` AS link_span_ids, `links.trace_state` AS link_trace_states,
    `links.flags` AS link_flags, `links.attributes` AS link_attributes,
    `links.attribute_kinds` AS link_attribute_kinds, `links.dropped_attributes` AS link_dropped_attributes,
    dropped_links
""".strip()

SPAN_COUNT: Final = f"""
SELECT count() AS spans
FROM telemetry.spans
WHERE {during()}
    AND {ONE_TRACE}
""".strip()


SMALL_TRACE: Final = f"""
SELECT {SPAN_COLUMNS}
FROM telemetry.spans
PREWHERE tenant = {{tenant:String}}
    AND {ONE_TRACE}
    AND toStartOfFiveMinutes(ts) BETWEEN toStartOfFiveMinutes(fromUnixTimestamp64Nano({{first_ns:Int64}}, 'UTC'))
        AND toStartOfFiveMinutes(fromUnixTimestamp64Nano({{last_ns:Int64}}, 'UTC'))
LIMIT {{rows:UInt32}}
""".strip()
"""All spans of a trace in no order, unless there are more. Most traces have a few dozens: to sort them here is quicker
than to plan a sort in the engine, and with the conditions in PREWHERE it does not look for the best place of each."""


def spans(*, after: bool) -> str:
    """Return the question for the next spans of a trace in the order of (start, span id).

    Spans that are equal in both come in one answer, however many they are, so that going on after the last one neither
    skips nor repeats any.
    """
    begin = (
        "(ts, span_id) > (fromUnixTimestamp64Nano({after_ns:Int64}, 'UTC'), toFixedString(unhex({after_id:String}), 8))"
    )
    return f"""
SELECT {SPAN_COLUMNS}
FROM telemetry.spans
WHERE {during()}
    AND {ONE_TRACE}{also([begin] if after else [])}
ORDER BY ts, span_id
LIMIT {{rows:UInt32}} WITH TIES
""".strip()
