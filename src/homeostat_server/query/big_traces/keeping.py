"""Trees of traces, kept as long as they are true: a span that comes late makes a tree again.

Invariant: what is kept is bounded in spans, and one large trace is read at a time, so that memory is.
"""

import threading
from collections import OrderedDict
from dataclasses import dataclass
from typing import Final

import pyarrow as pa

from homeostat_server.exceptions import QueryLimit
from homeostat_server.model.tenant import Tenant
from homeostat_server.query.big_traces import sql
from homeostat_server.query.big_traces.structure import TraceTree
from homeostat_server.query.forest.forest import Forest
from homeostat_server.query.rows import integer
from homeostat_server.query.traces.lookup import StoredTrace, find_trace, not_found
from homeostat_server.store.ports import Parameter, TelemetryReader

SPANS_MAX: Final = 3_000_000
"""Of a trace that is shown: its tree takes some 180 MB, and three times as much while it is made."""

KEPT_SPANS_MAX: Final = 3_000_000
"""Over all trees that are kept."""

SPANS_PER_PIECE: Final = 200_000
"""Read at a time: below what one query may give."""

LARGE: Final = 20_000
"""Spans of a trace that waits until no other large one is read."""

_WORDS: Final = ("trace_id", "service", "name")


@dataclass(frozen=True, slots=True)
class _Version:
    spans: int
    newest: int


class TraceTrees:
    """Give trees of traces. Thread-safe."""

    def __init__(self, *, kept_spans_max: int = KEPT_SPANS_MAX, spans_max: int = SPANS_MAX) -> None:
        """Begin with none.

        Args:
            kept_spans_max: how many spans all kept trees may have together; the least recently used goes first.
            spans_max: how many spans a trace may have that is shown.
        """
        self._kept_spans_max = kept_spans_max
        self._spans_max = spans_max
        self._kept: OrderedDict[tuple[Tenant, str], tuple[_Version, TraceTree]] = OrderedDict()
        self._lock = threading.Lock()
        self._large = threading.Lock()

    def tree(self, reader: TelemetryReader, *, tenant: Tenant, trace_id: str) -> TraceTree:
        """Return the tree of a trace; `trace_id` is one that `parse_trace_id` returned.

        Raises:
            NotFound: the tenant has no span of it.
            QueryLimit: it has more spans than are shown.
        """
        trace = find_trace(reader, tenant=tenant, trace_id=trace_id)
        version = _version(reader, trace)
        if not version.spans:
            raise not_found(trace_id)
        if version.spans > self._spans_max:
            raise QueryLimit(
                "show a trace", value=f"{version.spans} spans", hint=f"At most {self._spans_max} spans are shown."
            )
        kept = self._find(trace, version)
        if kept is not None:
            return kept
        if version.spans < LARGE:
            return self._keep(trace, version, _read(reader, trace))
        with self._large:
            kept = self._find(trace, version)
            return kept if kept is not None else self._keep(trace, version, _read(reader, trace))

    @property
    def kept_spans(self) -> int:
        """Return how many spans the kept trees have."""
        with self._lock:
            return sum(len(tree) for _, tree in self._kept.values())

    def _find(self, trace: StoredTrace, version: _Version) -> TraceTree | None:
        key = (trace.tenant, trace.trace_id)
        with self._lock:
            kept = self._kept.get(key)
            if kept is None or kept[0] != version:
                return None
            self._kept.move_to_end(key)
            return kept[1]

    def _keep(self, trace: StoredTrace, version: _Version, tree: TraceTree) -> TraceTree:
        with self._lock:
            self._kept[trace.tenant, trace.trace_id] = (version, tree)
            self._kept.move_to_end((trace.tenant, trace.trace_id))
            spans = sum(len(kept) for _, kept in self._kept.values())
            while spans > self._kept_spans_max:
                _, (_, gone) = self._kept.popitem(last=False)
                spans -= len(gone)
        return tree


def _version(reader: TelemetryReader, trace: StoredTrace) -> _Version:
    row = reader.read(trace.tenant, sql.VERSION, trace.parameters())[0]
    return _Version(spans=integer(row["spans"]), newest=integer(row["newest"]))


def _read(reader: TelemetryReader, trace: StoredTrace) -> TraceTree:
    pieces: list[pa.Table] = []
    parameters: dict[str, Parameter] = {**trace.parameters(), "rows": SPANS_PER_PIECE}
    while True:
        piece = reader.read_table(trace.tenant, sql.structure(after=bool(pieces)), parameters)
        pieces.append(_with_words(piece))
        if piece.num_rows < SPANS_PER_PIECE:
            table = pieces[0] if len(pieces) == 1 else pa.concat_tables(pieces).unify_dictionaries()
            return TraceTree.of(Forest.of(table))
        last = piece.num_rows - 1
        parameters["after_ns"] = integer(piece["start_ns"][last].as_py())
        parameters["after_id"] = piece["span_id"][last].as_py().hex()


def _with_words(piece: pa.Table) -> pa.Table:
    """Return a table in which what comes again and again is there once."""
    for name in _WORDS:
        encoded = piece[name].dictionary_encode()
        piece = piece.set_column(piece.schema.get_field_index(name), name, encoded)
    return piece
