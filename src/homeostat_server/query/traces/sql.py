"""The SQL about spans of traces. It runs nothing; see `homeostat_server.query.sql` for the pieces it shares."""

from collections.abc import Sequence
from typing import Final

from homeostat_server.query.sql import ONE_TRACE, SOME_TRACES, also, during

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

SUMMARIES: Final = f"""
SELECT trace_id, count() AS spans, countIf(status_code = 2) AS errors,
    arraySort(groupUniqArray(100)(service)) AS services,
    toUnixTimestamp64Nano(min(ts)) AS start_ns,
    max(toUnixTimestamp64Nano(ts) + greatest(duration_ns, 0)) AS end_ns,
    argMin((service, name), (parent_span_id != toFixedString('', 8), ts, span_id)) AS root,
    tupleElement(root, 1) AS root_service, tupleElement(root, 2) AS root_operation
FROM telemetry.spans
WHERE {during()}
    AND {SOME_TRACES}
GROUP BY trace_id
""".strip()
"""A trace's root is its first span without a parent, its first span when none is without; `end_ns` is never before the
start, however wrong the clocks of the senders are."""


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


def matches(conditions: Sequence[str], *, after: bool) -> str:
    """Return the question for traces by their newest span that fulfils the conditions, newest first.

    After a cursor, only what had been received when the first page was asked for counts, and a trace whose newest such
    span is newer than the cursor was given on an earlier page.
    """
    snapshot = also([*conditions, "segment <= {snapshot:UInt64}"] if after else conditions)
    given = (
        "trace_id NOT IN (\n        SELECT trace_id\n        FROM telemetry.spans\n"
        f"        WHERE {during('newer_ns', 'window_last_ns')}{snapshot}\n    )"
    )
    place = "\nHAVING (newest_ns, trace_id) < ({last_ns:Int64}, toFixedString(unhex({after_id:String}), 16))"
    return f"""
SELECT trace_id, toUnixTimestamp64Nano(max(ts)) AS newest_ns
FROM telemetry.spans
WHERE {during()}{snapshot}{also([given] if after else [])}
GROUP BY trace_id{place if after else ""}
ORDER BY newest_ns DESC, trace_id DESC
LIMIT {{rows:UInt32}}
""".strip()
