"""Spans of many traces as arrays. It knows how spans hang together and when they were; what that means others say.

Invariant: a span is there once, each has a path to a root, and all arrays have a value for each span, in one order.
"""

from dataclasses import dataclass
from functools import cached_property
from typing import Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from homeostat_server.query.forest.clocks import Calls, calls, corrections
from homeostat_server.query.forest.critical_path import CriticalPaths, critical_paths
from homeostat_server.query.forest.identity import NOBODY, Indexes, relate, words
from homeostat_server.query.forest.levels import by_level, untangle

FOREST_COLUMNS: Final = (
    "trace_id, span_id, parent_span_id, toUnixTimestamp64Nano(ts) AS start_ns, duration_ns,"
    " service, name, kind, status_code, weight, source"
)
"""What `Forest.of` needs of a row of `telemetry.spans`; a table may have more columns."""

_TIME_NS_MAX: Final = 2**62
"""Ends after this are cut: a duration of centuries must not turn times over."""


@dataclass(frozen=True, kw_only=True)
class Forest:
    """Hold the spans of many traces, those of one trace together, earlier ones first.

    Attributes:
        row: which row of the table each span is; rows that say a span again are left out.
        trace: number of each span's trace, an index into `trace_ids`.
        trace_ids: id of each trace, 16 bytes.
        parent: position of each span's parent, -1 when it has none here.
        is_orphan: a parent is said and is not here.
        is_cut: its parent was taken away because the parents went round in a ring.
        depth: how many spans lie above each.
        start_ns, end_ns: when it was by its own clock; a span that ends before it starts ends when it starts.
        moved_ns: by how much it has to be moved to be on its root's clock.
        service, operation: indexes into the words `services` and `operations`.
        kind, status: OTLP's numbers.
        weight: how many spans it stands for.
        source: number of its resource and scope.
        repeated: how many rows were left out.
    """

    row: npt.NDArray[np.int64]
    trace: Indexes
    trace_ids: npt.NDArray[np.void]
    parent: Indexes
    is_orphan: npt.NDArray[np.bool_]
    is_cut: npt.NDArray[np.bool_]
    depth: Indexes
    start_ns: npt.NDArray[np.int64]
    end_ns: npt.NDArray[np.int64]
    service: Indexes
    services: tuple[bytes, ...]
    operation: Indexes
    operations: tuple[bytes, ...]
    kind: npt.NDArray[np.int32]
    status: npt.NDArray[np.int32]
    weight: npt.NDArray[np.float64]
    source: npt.NDArray[np.uint64]
    span_ids: npt.NDArray[np.void]
    repeated: int

    @classmethod
    def of(cls, table: pa.Table) -> "Forest":
        """Make a forest of rows that have `FOREST_COLUMNS`, in any order."""
        trace_words = table["trace_id"].combine_chunks().dictionary_encode()
        trace = _codes(trace_words)
        span, parent_id = words(table["span_id"])[:, 0], words(table["parent_span_id"])[:, 0]
        start_ns = table["start_ns"].to_numpy()
        order = _by_trace(trace, start_ns)
        kinship = relate(trace[order], span[order], parent_id[order], start_ns=start_ns[order])
        row = order[kinship.kept]
        start_ns = start_ns[row]
        end_ns = np.minimum(start_ns + np.clip(table["duration_ns"].to_numpy()[row], 0, _TIME_NS_MAX), _TIME_NS_MAX)
        levels = untangle(kinship.parent, start_ns=start_ns)
        is_cut = np.zeros(len(row), dtype=bool)
        is_cut[levels.cut] = True
        services, operations = _words(table["service"]), _words(table["name"])
        return cls(
            row=row,
            trace=trace[row],
            trace_ids=np.ascontiguousarray(words(_chunked(_dictionary(trace_words)))).view("V16")[:, 0],
            parent=levels.parent,
            is_orphan=(kinship.parent == NOBODY) & (parent_id[row] != 0),
            is_cut=is_cut,
            depth=levels.depth,
            start_ns=start_ns,
            end_ns=np.maximum(end_ns, start_ns),
            service=services[0][row],
            services=services[1],
            operation=operations[0][row],
            operations=operations[1],
            kind=table["kind"].to_numpy()[row],
            status=table["status_code"].to_numpy()[row],
            weight=table["weight"].to_numpy()[row],
            source=table["source"].to_numpy()[row],
            span_ids=np.ascontiguousarray(span[row]).view("V8"),
            repeated=table.num_rows - len(row),
        )

    def __len__(self) -> int:
        return len(self.row)

    @property
    def is_root(self) -> npt.NDArray[np.bool_]:
        """Say which spans have no parent here."""
        is_root: npt.NDArray[np.bool_] = self.parent == NOBODY
        return is_root

    @cached_property
    def levels(self) -> tuple[npt.NDArray[np.int64], ...]:
        """Return the spans of each depth, roots first."""
        return tuple(by_level(self.depth))

    @cached_property
    def calls(self) -> Calls:
        """Return what each span is to its parent."""
        return calls(self.parent, kind=self.kind, service=self.service)

    @cached_property
    def moved_ns(self) -> npt.NDArray[np.int64]:
        """Return by how much each span has to be moved to be on its root's clock."""
        return corrections(self.calls, self.levels, start_ns=self.start_ns, end_ns=self.end_ns)

    @cached_property
    def critical_paths(self) -> CriticalPaths:
        """Return the critical path from each root, by one clock."""
        return critical_paths(
            self.calls, self.levels, start_ns=self.start_ns + self.moved_ns, end_ns=self.end_ns + self.moved_ns
        )

    @cached_property
    def children(self) -> npt.NDArray[np.int64]:
        """Return all spans that have a parent, by parent and then as they are: `child_offsets` says whose are where."""
        order = np.argsort(self.parent, kind="stable")
        return order[len(self) - int(np.count_nonzero(self.parent != NOBODY)) :]

    @cached_property
    def child_offsets(self) -> npt.NDArray[np.int64]:
        """Return where in `children` those of each span begin; one more than there are spans."""
        counts = np.bincount(self.parent[self.parent != NOBODY], minlength=len(self))
        return np.concatenate([[0], np.cumsum(counts)])


def _by_trace(trace: Indexes, start_ns: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """Return the rows by trace and start; the store gives them nearly so."""
    is_sorted = (trace[1:] > trace[:-1]) | ((trace[1:] == trace[:-1]) & (start_ns[1:] >= start_ns[:-1]))
    if is_sorted.all():
        return np.arange(len(trace))
    return np.lexsort((start_ns, trace))


def _words(column: pa.ChunkedArray) -> tuple[Indexes, tuple[bytes, ...]]:
    encoded = column.combine_chunks().dictionary_encode()
    return _codes(encoded), tuple(_dictionary(encoded).to_pylist())


def _codes(encoded: pa.Array) -> Indexes:
    if isinstance(encoded, pa.ChunkedArray):
        if not encoded.num_chunks:
            return np.empty(0, np.int32)
        encoded = encoded.chunk(0)
    codes: Indexes = encoded.indices.to_numpy(zero_copy_only=False).astype(np.int32, copy=False)
    return codes


def _dictionary(encoded: pa.Array) -> pa.Array:
    if isinstance(encoded, pa.ChunkedArray):
        if not encoded.num_chunks:
            return pa.array([], encoded.type.value_type)
        encoded = encoded.chunk(0)
    return encoded.dictionary


def _chunked(array: pa.Array) -> pa.ChunkedArray:
    return pa.chunked_array([array], type=array.type)
