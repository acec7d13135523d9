"""From spans to the row of their summary. It knows a forest and what its spans say of their peers, no store.

Invariant: every span counts in the stretch of time in which it began by its own clock, and a critical path in the one
in which its first span did; so the summaries of two stretches add up to that of both.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from homeostat_server.query.forest.clocks import CLIENT
from homeostat_server.query.forest.forest import Forest
from homeostat_server.query.forest.identity import NOBODY
from homeostat_server.query.summaries.calls import ERROR, Peers, find_peers, is_entry, observe
from homeostat_server.query.summaries.form import SCHEMA
from homeostat_server.query.summaries.grouping import group
from homeostat_server.query.summaries.histograms import Histograms, bins_of
from homeostat_server.query.summaries.patterns import NAMES, SEQUENTIAL, Found, Shapes, find_patterns, shapes
from homeostat_server.query.summaries.work import work
from homeostat_server.query.window import Window

SEPARATOR: Final = b"\x1f"
"""Between service, operation and peer of a call in a pattern."""

PATTERNS_MAX: Final = 2_000
"""Of one summary, those that waste most."""

Flags = npt.NDArray[np.bool_]
Codes = npt.NDArray[np.int64]
Columns = Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Seen:
    """Hold what the parts of a summary are made from."""

    forest: Forest
    peers: Peers
    counted: Flags


def summarize(table: pa.Table, *, window: Window, left_out: int = 0) -> pa.Table:
    """Return the row of a stretch of time.

    Args:
        table: whole traces of which a span began in it, with the columns of `sql.spans`.
        window: the stretch.
        left_out: spans in it that are not in the table because their traces are too large.
    """
    forest = Forest.of(table)
    said = table["peer"].combine_chunks().dictionary_encode()
    if isinstance(said, pa.ChunkedArray):
        said = said.chunk(0) if said.num_chunks else pa.array([], pa.binary()).dictionary_encode()
    codes = said.indices.to_numpy(zero_copy_only=False).astype(np.int64)[forest.row]
    seen = _Seen(
        forest=forest,
        peers=find_peers(forest, tuple(said.dictionary.to_pylist()), codes),
        counted=(forest.start_ns >= window.start_ns) & (forest.start_ns < window.end_ns),
    )
    start_ns = table["start_ns"].to_numpy()
    rows = np.count_nonzero((start_ns >= window.start_ns) & (start_ns < window.end_ns))
    columns: dict[str, Any] = {
        **_nodes(seen),
        **_edges(seen),
        **_work(seen),
        **_patterns(seen),
        **_clocks(seen),
        **_counts(seen),
        "repeated": rows - np.count_nonzero(seen.counted),
        "left_out": left_out,
    }
    return pa.table({name: pa.array([columns[name]], SCHEMA.field(name).type) for name in SCHEMA.names}, schema=SCHEMA)


def _nodes(seen: _Seen) -> Columns:
    forest = seen.forest
    spans = np.flatnonzero(seen.counted)
    entry = is_entry(forest)[spans].astype(np.int64)
    groups = group(forest.service[spans], entry)
    weight = forest.weight[spans]
    lasted = forest.end_ns[spans] - forest.start_ns[spans]
    failed = forest.status[spans] == ERROR
    return {
        "node_service": _named(forest.services, forest.service[spans][groups.first]),
        "node_entry": entry[groups.first],
        "node_calls": groups.sum(weight),
        "node_errors": groups.sum(np.where(failed, weight, 0.0)),
        **_histograms("node", groups.of, lasted, weight=weight, groups=len(groups)),
    }


def _edges(seen: _Seen) -> Columns:
    forest, nodes = seen.forest, seen.peers.nodes
    calls = observe(forest, seen.peers, counted=seen.counted)
    groups = group(calls.caller, calls.callee, calls.is_async.astype(np.int64))
    weight = forest.weight[calls.span]
    lasted = forest.end_ns[calls.span] - forest.start_ns[calls.span]
    callers = [nodes[node] for node in calls.caller[groups.first].tolist()]
    callees = [nodes[node] for node in calls.callee[groups.first].tolist()]
    return {
        "edge_caller": [node.name for node in callers],
        "edge_caller_kind": [node.kind for node in callers],
        "edge_callee": [node.name for node in callees],
        "edge_callee_kind": [node.kind for node in callees],
        "edge_async": calls.is_async[groups.first].astype(np.uint8),
        "edge_calls": groups.sum(weight),
        "edge_errors": groups.sum(np.where(calls.is_error, weight, 0.0)),
        **_histograms("edge", groups.of, lasted, weight=weight, groups=len(groups)),
    }


def _work(seen: _Seen) -> Columns:
    forest = seen.forest
    done = work(forest, counted=seen.counted)
    named = _named((b"", *forest.operations), done.operation + 1)
    return {
        "work_service": _named(forest.services, done.service),
        "work_operation": named,
        "work_self_ns": done.self_ns,
        "work_on_path": done.on_path,
        "work_spans": done.spans,
        "work_example": _traces(forest, done.example),
        "work_example_ns": done.example_ns,
    }


def _patterns(seen: _Seen) -> Columns:
    forest = seen.forest
    shape = shapes(forest, seen.peers.of)
    found = find_patterns(forest, shape, counted=seen.counted)
    parent = found.parent
    signature = np.unique(found.signature, return_inverse=True)[1].astype(np.int64)
    groups = group(found.pattern, forest.service[parent], forest.operation[parent], signature, found.places)
    weight = forest.weight[parent]
    wasted = groups.sum(found.wasted_ns * weight)
    top = groups.top(found.wasted_ns.astype(np.float64))
    kept = np.lexsort((np.arange(len(groups)), -wasted))[:PATTERNS_MAX]
    top = top[kept]
    names = [NAMES[number] for number in found.pattern[top].tolist()]
    return {
        "pattern_name": names,
        "pattern_service": _named(forest.services, forest.service[parent[top]]),
        "pattern_operation": _named(forest.operations, forest.operation[parent[top]]),
        "pattern_callees": [_callees(seen, shape, found, row) for row in top.tolist()],
        "pattern_places": found.places[top],
        "pattern_found": groups.sum(weight)[kept],
        "pattern_calls": groups.sum(found.calls * weight)[kept],
        "pattern_spent_ns": groups.sum(found.spent_ns * weight)[kept],
        "pattern_wasted_ns": wasted[kept],
        "pattern_example": _traces(forest, parent[top]),
        "pattern_example_ns": found.wasted_ns[top],
    }


def _callees(seen: _Seen, shape: Shapes, found: Found, row: int) -> list[bytes]:
    """Return what was called, a text each: of sequential calls all in a fixed order, else the one."""
    forest = seen.forest
    if found.pattern[row] != SEQUENTIAL:
        return [_callee(seen, shape, int(found.example[row]))]
    parent = int(found.parent[row])
    children = forest.children[forest.child_offsets[parent] : forest.child_offsets[parent + 1]]
    calls = [child for child in children.tolist() if forest.kind[child] == CLIENT or forest.calls.is_remote[child]]
    return sorted({_callee(seen, shape, child) for child in calls})


def _callee(seen: _Seen, shape: Shapes, span: int) -> bytes:
    forest = seen.forest
    peer = int(shape.peer[span])
    named = b"" if peer == NOBODY else seen.peers.nodes[peer].name
    words = (forest.services[shape.service[span]], forest.operations[shape.operation[span]], named)
    return SEPARATOR.join(words)


def _clocks(seen: _Seen) -> Columns:
    forest = seen.forest
    # What was moved along with its parent has the same clock as that: the first spans of a process are told.
    moved = np.flatnonzero(seen.counted & (forest.moved_ns != 0) & forest.calls.is_remote)
    groups = group(forest.service[moved])
    return {
        "clock_service": _named(forest.services, forest.service[moved][groups.first]),
        "clock_spans": groups.sum(forest.weight[moved]),
    }


def _counts(seen: _Seen) -> Columns:
    forest, counted = seen.forest, seen.counted
    paths = forest.critical_paths
    says_parent = counted & ((forest.parent != NOBODY) | forest.is_orphan | forest.is_cut)
    is_request = counted & paths.is_root & (forest.parent == NOBODY)
    is_background = counted & paths.is_root & (forest.parent != NOBODY)
    lasted = (forest.end_ns - forest.start_ns) * forest.weight
    return {
        "spans": np.count_nonzero(counted),
        "child_spans": np.count_nonzero(says_parent),
        "child_spans_seen": np.count_nonzero(says_parent & ~forest.is_orphan),
        "rings": np.count_nonzero(counted & forest.is_cut),
        "requests": forest.weight[is_request].sum(),
        "requests_ns": lasted[is_request].sum(),
        "background": forest.weight[is_background].sum(),
        "background_ns": lasted[is_background].sum(),
    }


def _histograms(name: str, of: Codes, lasted_ns: Codes, *, weight: npt.NDArray[np.float64], groups: int) -> Columns:
    entries = Histograms.of(of, bins_of(lasted_ns), weight, groups=groups)
    offsets = pa.array(entries.offsets().astype(np.int32))
    bins = pa.array(entries.bin.astype(np.uint16))
    return {
        f"{name}_bins": pa.ListArray.from_arrays(offsets, bins).to_pylist(),
        f"{name}_weights": pa.ListArray.from_arrays(offsets, pa.array(entries.weight)).to_pylist(),
    }


def _named(words: Sequence[bytes], codes: npt.NDArray[Any]) -> list[bytes]:
    return [words[code] for code in codes.tolist()]


def _traces(forest: Forest, spans: Codes) -> list[bytes]:
    return [forest.trace_ids[trace].tobytes() for trace in forest.trace[spans].tolist()]
