"""How a summary is written down: one row whose columns are lists, the same in memory and in the store.

Rows add up: a bucket may have several (its traces were read in slices), a window has those of its buckets.
"""

from typing import Final

import pyarrow as pa

from homeostat_server.query.summaries.keeping import State

FORM: Final = 1
"""Of what the columns mean: raise it when a summary of the same spans would be another one, and all are made anew."""

_WORDS: Final = pa.list_(pa.binary())
_REALS: Final = pa.list_(pa.float64())
_NUMBERS: Final = pa.list_(pa.uint64())
_FLAGS: Final = pa.list_(pa.uint8())
_BINS: Final = pa.list_(pa.list_(pa.uint16()))
_WEIGHTS: Final = pa.list_(pa.list_(pa.float64()))

NODES: Final = {
    "node_service": _WORDS,
    "node_entry": _FLAGS,
    "node_calls": _REALS,
    "node_errors": _REALS,
    "node_bins": _BINS,
    "node_weights": _WEIGHTS,
}
"""Spans of services, those of the kinds SERVER and CONSUMER apart."""

EDGES: Final = {
    "edge_caller": _WORDS,
    "edge_caller_kind": _WORDS,
    "edge_callee": _WORDS,
    "edge_callee_kind": _WORDS,
    "edge_async": _FLAGS,
    "edge_calls": _REALS,
    "edge_errors": _REALS,
    "edge_bins": _BINS,
    "edge_weights": _WEIGHTS,
}
"""Calls between nodes."""

WORK: Final = {
    "work_service": _WORDS,
    "work_operation": _WORDS,
    "work_self_ns": _REALS,
    "work_on_path": _REALS,
    "work_spans": _REALS,
    "work_example": _WORDS,
    "work_example_ns": _REALS,
}
"""Time on critical paths."""

PATTERNS: Final = {
    "pattern_name": _WORDS,
    "pattern_service": _WORDS,
    "pattern_operation": _WORDS,
    "pattern_callees": pa.list_(pa.list_(pa.binary())),
    "pattern_places": _NUMBERS,
    "pattern_found": _REALS,
    "pattern_calls": _REALS,
    "pattern_spent_ns": _REALS,
    "pattern_wasted_ns": _REALS,
    "pattern_example": _WORDS,
    "pattern_example_ns": _REALS,
}
"""Calls that wait for each other without need."""

CLOCKS: Final = {"clock_service": _WORDS, "clock_spans": _REALS}
"""Spans that were moved because another machine's clock timed them."""

COUNTS: Final = {
    name: pa.float64()
    for name in (
        "spans",
        "child_spans",
        "child_spans_seen",
        "repeated",
        "rings",
        "left_out",
        "requests",
        "requests_ns",
        "background",
        "background_ns",
    )
}
"""What the figures stand on; see `summary.summarize`."""

SCHEMA: Final = pa.schema({**NODES, **EDGES, **WORK, **PATTERNS, **CLOCKS, **COUNTS})


def stored_rows(summary: pa.Table, *, bucket_s: int, version_ns: int, seen: State) -> pa.Table:
    """Return the rows of a summary as they are stored.

    Args:
        summary: with all columns of `SCHEMA`.
        bucket_s: when the bucket begins.
        version_ns: when the summary was made; a newer one takes the place of an older one.
        seen: which rows of the bucket and its neighbours it has seen.
    """
    count = summary.num_rows
    beside = {
        "bucket": pa.array([bucket_s] * count, pa.timestamp("s", "UTC")),
        "version": pa.array([version_ns] * count, pa.uint64()),
        "part": pa.array(range(count), pa.uint16()),
        "parts": pa.array([count] * count, pa.uint16()),
        "form": pa.array([FORM] * count, pa.uint16()),
        "rows": pa.array([seen.rows] * count, pa.uint64()),
        "through": pa.array([seen.through] * count, pa.uint64()),
    }
    return pa.table({**beside, **{name: summary[name] for name in summary.column_names}})
