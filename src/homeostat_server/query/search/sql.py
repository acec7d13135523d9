"""The SQL of the search for traces. It runs nothing; see `homeostat_server.query.sql` for the pieces it shares."""

from collections.abc import Mapping, Sequence
from enum import StrEnum, unique
from typing import Final

from homeostat_server.query.search.filters import Choice
from homeostat_server.query.sql import SOME_TRACES, also, during


@unique
class TraceOrder(StrEnum):
    """Name in which order a list of traces comes."""

    NEWEST = "newest"
    SLOWEST = "slowest"
    ERRORS = "errors"


RANKS: Final[Mapping[TraceOrder, str]] = {
    TraceOrder.NEWEST: "toUnixTimestamp64Nano(max(ts))",
    TraceOrder.SLOWEST: "max(duration_ns)",
    TraceOrder.ERRORS: "count()",
}
"""What places a trace in a list: over the spans that fulfil the conditions, by errors over those that failed."""


MATCHED: Final = (
    "count() AS matched_spans, toUnixTimestamp64Nano(max(ts)) AS newest_match_ns, max(duration_ns) AS longest_match_ns"
)
"""What is told of spans that fulfil the conditions."""


def matches(choice: Choice, *, order: TraceOrder, after: bool) -> str:
    """Return the question for traces of which a span fulfils the conditions, by rank, the highest first.

    After a cursor, only what had been received when the first page was asked for counts. A list of the newest looks at
    slices of its window: a trace whose newest span is newer than the cursor was given on an earlier page.
    """
    received = ["segment <= {snapshot:UInt64}"] if after else []
    first, then = [*choice.cheap, *choice.likely, *received], choice.exact
    found = _where(during(), first, then)
    if order is TraceOrder.ERRORS:
        failed = ["status_code = 2", *received]
        found = _where(during(), failed if choice == Choice() else [*failed, _in_traces(found)], [])
    if after and order is TraceOrder.NEWEST:
        found += also([f"trace_id NOT IN ({_ids(_where(during('newer_ns', 'window_last_ns'), first, then))})"])
    place = "\nHAVING (rank, trace_id) < ({after_rank:Int64}, toFixedString(unhex({after_id:String}), 16))"
    return f"""
SELECT trace_id, {RANKS[order]} AS rank, {MATCHED}
FROM telemetry.spans
{found}
GROUP BY trace_id{place if after else ""}
ORDER BY rank DESC, trace_id DESC
LIMIT {{rows:UInt32}}
""".strip()


BOUNDS: Final = f"""
SELECT trace_id, toUnixTimestamp64Second(min(first_ts)) AS first_s, toUnixTimestamp64Second(max(last_ts)) AS last_s
FROM telemetry.trace_bounds
WHERE tenant = {{tenant:String}}
    AND {SOME_TRACES}
GROUP BY trace_id
""".strip()
"""Where the spans of each of some traces are."""

SOME_PLACES: Final = """
(toStartOfFiveMinutes(ts), trace_id) IN (
        SELECT toDateTime(toUInt32(splitByChar('.', place)[1]), 'UTC'),
            toFixedString(unhex(splitByChar('.', place)[2]), 16)
        FROM (SELECT arrayJoin(splitByChar(',', {places:String})) AS place)
    )
""".strip()
"""The condition that a row is of a trace in a stretch of five minutes, given as `second.id` with commas between: what
rows are sorted by, so that traces far from each other are found without looking at what is between them."""


def matched(choice: Choice, *, placed: bool) -> str:
    """Return the question for what spans of some traces fulfil the conditions; `placed` when their places are known."""
    return f"""
SELECT trace_id, {MATCHED}
FROM telemetry.spans
{_where(during(), [SOME_PLACES if placed else SOME_TRACES, *choice.cheap], choice.exact)}
GROUP BY trace_id
""".strip()


def summaries(*, placed: bool) -> str:
    """Return the question for what there is to say of some traces; `placed` when their places are known.

    A trace's root is its first span without a parent, its first span when none is without; `end_ns` is never before the
    start, however wrong the clocks of the senders are.
    """
    return f"""
SELECT trace_id, count() AS spans, countIf(status_code = 2) AS errors,
    arraySort(groupUniqArray(100)(service)) AS services,
    toUnixTimestamp64Nano(min(ts)) AS start_ns,
    max(toUnixTimestamp64Nano(ts) + greatest(duration_ns, 0)) AS end_ns,
    argMin((service, name, kind, status_code), (parent_span_id != toFixedString('', 8), ts, span_id)) AS root,
    tupleElement(root, 1) AS root_service, tupleElement(root, 2) AS root_operation,
    tupleElement(root, 3) AS root_kind, tupleElement(root, 4) AS root_status
FROM telemetry.spans
{_where(during(), [SOME_PLACES if placed else SOME_TRACES], [])}
GROUP BY trace_id
""".strip()


def _where(range_: str, first: Sequence[str], then: Sequence[str]) -> str:
    """Return the clauses of conditions in two parts; without a second one the engine divides the first by itself."""
    clause = "PREWHERE" if then else "WHERE"
    exact = f"\nWHERE {' AND '.join(then)}" if then else ""
    return f"{clause} {range_}{also(first)}{exact}"


def _ids(found: str) -> str:
    indented = found.replace("\n", "\n        ")
    return f"\n        SELECT trace_id\n        FROM telemetry.spans\n        {indented}\n    "


def _in_traces(found: str) -> str:
    return f"trace_id IN ({_ids(found)})"
