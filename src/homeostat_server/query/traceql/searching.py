"""Traces that a query finds, newest first. It looks at the newest spans before older ones, and closely at few traces.

A trace is told by its spans that started in the window: those alone a query sees. What every trace is told with (root,
start, duration, services) is of all its spans.

The engine says which traces can be in the answer (`planning`); what it cannot say, the spans of those traces decide
(`spansets`), a page of candidates after the other until there are enough or no more.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence, Sized
from dataclasses import dataclass
from typing import Final

import numpy as np

from homeostat_server.exceptions import InvalidRequest, QueryLimit
from homeostat_server.model.tenant import Tenant
from homeostat_server.query.binding import Binder
from homeostat_server.query.rows import integer, raw, text
from homeostat_server.query.times import NS_PER_S, TIME_NS_MAX
from homeostat_server.query.traceql import sql
from homeostat_server.query.traceql.compiling import Compiler
from homeostat_server.query.traceql.planning import any_filter, narrow
from homeostat_server.query.traceql.reading import RowsReader, StoredRows, asking_for
from homeostat_server.query.traceql.results import (
    FoundSpanset,
    FoundTrace,
    FoundTraces,
    ServiceCount,
)
from homeostat_server.query.traceql.spansets import evaluate
from homeostat_server.query.traceql.structure import Numbers
from homeostat_server.query.traceql.tree import Pipeline, Query
from homeostat_server.query.traceql.window_parameters import stretch
from homeostat_server.query.window import SPAN_NS_MAX, Window
from homeostat_server.store.ports import Parameter, Row, TelemetryReader

TRACES_MAX: Final = 1_000
"""Of one answer; each is looked up by its id."""

SPANS_MAX: Final = 100
"""Told of one spanset."""

FIRST_SLICE_S: Final = 30
SLICE_GROWTH_MIN: Final = 4
SLICE_GROWTH_MAX: Final = 120
"""A statement costs some 15 ms whatever it reads. What is frequent is found in half a minute, and what was found there
says how long the next slice has to be; where nothing was, it is the next hour in one go, or the rest of the window when
an index knows where to look."""

Bounds = Mapping[str, tuple[int, int]]
"""First and last nanosecond in which a span of a trace may start, by the trace's id."""

CANDIDATES_FIRST: Final = 200
CANDIDATES_PAGE_MAX: Final = 5_000
CANDIDATES_MAX: Final = 200_000
"""Traces that are looked at closely; a query of which so many do not tell enough asks for a shorter window."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """Hold a trace that can be in the answer, and the start of its newest span that counts."""

    trace_id: str
    newest_ns: int


def search(
    reader: TelemetryReader,
    *,
    tenant: Tenant,
    window: Window,
    query: Query,
    limit: int,
    spans_per_spanset: int,
) -> FoundTraces:
    """Return the traces that a query finds, newest match first.

    Raises:
        InvalidRequest: the query measures, or the numbers are out of their bounds.
        QueryLimit: too many traces would have to be looked at closely.
    """
    if query.metric is not None:
        raise InvalidRequest("search with a TraceQL metric", hint="A metric is asked of the metrics API.")
    _check(limit, 1, TRACES_MAX, "limit")
    _check(spans_per_spanset, 1, SPANS_MAX, "spans per spanset")
    asking = _Asking(reader, tenant, window, query.pipeline, limit, spans_per_spanset)
    return asking.of_spans() if asking.is_of_spans else asking.of_traces()


def spans_of(
    reader: TelemetryReader, *, tenant: Tenant, window: Window, pipeline: Pipeline, spans_max: int
) -> list[str]:
    """Return the ids, of trace and span in one hexadecimal text, of all spans that a pipeline gives in a window.

    Raises:
        QueryLimit: there are more than may be, or too many traces would have to be looked at closely.
    """
    asking = _Asking(reader, tenant, window, pipeline, CANDIDATES_MAX, SPANS_MAX)
    found: list[str] = []
    for stored, rows in asking.rows():
        found += stored.ids(rows)
        if len(found) > spans_max:
            raise QueryLimit(
                "measure spans that structure decides about",
                value=f"more than {spans_max} spans",
                hint="Ask for a shorter window, or for less on each side.",
            )
    return found


def _check(value: int, lowest: int, highest: int, name: str) -> None:
    if not lowest <= value <= highest:
        raise InvalidRequest(f"use {name}", value=value, hint=f"From {lowest} to {highest}.")


class _Asking:
    """Hold one search while it is answered."""

    def __init__(  # noqa: PLR0917 - what the caller said, as one thing
        self, reader: TelemetryReader, tenant: Tenant, window: Window, pipeline: Pipeline, limit: int, spans_max: int
    ) -> None:
        self._reader = reader
        self._tenant = tenant
        self._window = window
        self._pipeline = pipeline
        self._limit = limit
        self._spans_max = spans_max
        self._inspected = 0
        self._binder = Binder()
        self._compiler = Compiler(self._binder)
        self._narrowing = narrow(pipeline, self._compiler)
        self._rows_reader = RowsReader(pipeline, self._binder)

    @property
    def is_of_spans(self) -> bool:
        """Say whether each span decides for itself, and nothing but spans is told."""
        return self._rows_reader.is_plain

    @property
    def _is_indexed(self) -> bool:
        rows = self._narrowing.rows
        return rows is not None and rows.prune is not None

    def of_spans(self) -> FoundTraces:
        """Return traces where each span decides for itself: every slice of time is looked at once."""
        statement = self._rows_reader.found_statement(self._spans_max)
        found: dict[str, Candidate] = {}
        whole: dict[str, tuple[FoundSpanset, ...]] = {}
        looked: dict[str, tuple[int, int]] = {}
        for first_ns, last_ns in self._slices(found, growing=False):
            parameters = self._parameters(first_ns, last_ns, rows=self._limit + len(found))
            table = self._reader.read_table(self._tenant, statement, parameters)
            spansets = _plain_spansets(self._rows_reader.unpacked(self._reader, self._tenant, table))
            for candidate in _candidates(table.select(["trace_id", "newest_ns"]).to_pylist()):
                if candidate.trace_id not in found:
                    found[candidate.trace_id] = candidate
                    whole[candidate.trace_id] = spansets[candidate.trace_id]
                    looked[candidate.trace_id] = (first_ns, last_ns)
        chosen = list(found.values())[: self._limit]
        bounds = self._bounds(chosen)
        torn = [one for one in chosen if self._is_torn(bounds.get(one.trace_id), looked[one.trace_id])]
        if torn:
            whole |= _plain_spansets(self._read(torn, bounds, spans_max=self._spans_max))
        return FoundTraces(self._told(chosen, whole, bounds), len(chosen))

    def _is_torn(self, bounds: tuple[int, int] | None, looked: tuple[int, int]) -> bool:
        """Say whether a trace may have spans in the window that were not looked at together."""
        if bounds is None:
            return False
        first_ns, last_ns = max(bounds[0], self._window.start_ns), min(bounds[1], self._window.last_ns)
        return first_ns < looked[0] or last_ns > looked[1]

    def of_traces(self) -> FoundTraces:
        """Return traces of which all spans together decide."""
        found: dict[str, tuple[FoundSpanset, ...]] = {}
        chosen: list[Candidate] = []
        for page in self._pages(chosen):
            found |= self._evaluated(page)
            chosen += [candidate for candidate in page if candidate.trace_id in found]
        newest = sorted(chosen, key=lambda one: (one.newest_ns, one.trace_id), reverse=True)[: self._limit]
        return FoundTraces(self._told(newest, found, self._bounds(newest)), self._inspected)

    def rows(self) -> Iterator[tuple[StoredRows, Numbers]]:
        """Yield, page by page, spans and the rows of those that the pipeline gives, over the whole window."""
        for page in self._pages(()):
            stored = self._read(page, self._bounds(page), spans_max=None)
            yield stored, np.flatnonzero(evaluate(self._pipeline, stored.rows()).of_row >= 0)

    def _pages(self, chosen: Sized) -> Iterator[list[Candidate]]:
        """Yield candidates that were not seen before, newest first in ever larger slices, until enough are found."""
        among = any_filter(self._pipeline, self._compiler)
        asked, joins = asking_for(among), self._compiler.joins
        having = self._narrowing.having
        if self._narrowing.is_of_spans and self._narrowing.rows is not None:
            asked, having = asking_for(self._narrowing.rows), None
        statements = [sql.candidates(asked, joins=joins, having=having, after=after) for after in (False, True)]
        seen: set[str] = set()
        rows = max(CANDIDATES_FIRST, 2 * self._limit)
        for first_ns, last_ns in self._slices(chosen, growing=True):
            after: Candidate | None = None
            while len(chosen) < self._limit:
                parameters = self._parameters(first_ns, last_ns, rows=rows, after=after)
                page = _candidates(self._reader.read(self._tenant, statements[after is not None], parameters))
                fresh = [candidate for candidate in page if candidate.trace_id not in seen]
                seen.update(candidate.trace_id for candidate in fresh)
                if fresh:
                    self._inspect(len(fresh))
                    yield fresh
                if len(page) < rows:
                    break
                after, rows = page[-1], min(4 * rows, CANDIDATES_PAGE_MAX)

    def _inspect(self, traces: int) -> None:
        self._inspected += traces
        if self._inspected > CANDIDATES_MAX:
            raise QueryLimit(
                "search traces by TraceQL",
                value=f"more than {CANDIDATES_MAX} traces to look at closely",
                hint="Ask for a shorter window, or name a service on each side.",
            )

    def _slices(self, found: Sized, *, growing: bool) -> Iterator[tuple[int, int]]:
        """Yield ever longer stretches, the newest first, until enough is found; growing ones all end as the window."""
        window, span_ns = self._window, FIRST_SLICE_S * NS_PER_S
        last_ns = window.last_ns
        while len(found) < self._limit:
            first_ns = max(window.start_ns, window.last_ns - span_ns)
            yield first_ns, last_ns
            if first_ns <= window.start_ns:
                return
            last_ns = window.last_ns if growing else first_ns - 1
            if not found and self._is_indexed:
                span_ns = SPAN_NS_MAX
            wanted = 2 * self._limit // len(found) if found else SLICE_GROWTH_MAX
            span_ns *= min(max(wanted, SLICE_GROWTH_MIN), SLICE_GROWTH_MAX)

    def _parameters(
        self, first_ns: int, last_ns: int, *, rows: int, after: Candidate | None = None
    ) -> dict[str, Parameter]:
        place: dict[str, Parameter] = {} if after is None else {"after_ns": after.newest_ns, "after_id": after.trace_id}
        return {
            "tenant": self._tenant,
            "rows": rows,
            **stretch(first_ns, last_ns),
            **place,
            **self._binder.parameters,
        }

    def _of_traces(self, chosen: Sequence[Candidate]) -> dict[str, Parameter]:
        return {"tenant": self._tenant, "trace_ids": ",".join(candidate.trace_id for candidate in chosen)}

    def _bounds(self, chosen: Sequence[Candidate]) -> Bounds:
        """Return the moments between which the spans of each trace start."""
        rows = self._reader.read(self._tenant, sql.BOUNDS, self._of_traces(chosen)) if chosen else []
        return {
            raw(row["trace_id"]).hex(): (
                integer(row["first_s"]) * NS_PER_S,
                min(integer(row["last_s"]) * NS_PER_S + NS_PER_S - 1, TIME_NS_MAX),
            )
            for row in rows
        }

    def _read(self, chosen: Sequence[Candidate], bounds: Bounds, *, spans_max: int | None) -> StoredRows:
        """Return the spans of traces in the window, or the first ones of each that are in the answer."""
        first_ns, last_ns = _around(bounds, chosen)
        first_ns, last_ns = max(first_ns, self._window.start_ns), min(last_ns, self._window.last_ns)
        parameters: dict[str, Parameter] = {
            **self._of_traces(chosen),
            **stretch(first_ns, max(first_ns, last_ns)),
            **({} if spans_max is None else {"spans": spans_max}),
        }
        return self._rows_reader.read(self._reader, self._tenant, parameters, per_trace=spans_max is not None)

    def _evaluated(self, page: Sequence[Candidate]) -> dict[str, tuple[FoundSpanset, ...]]:
        stored = self._read(page, self._bounds(page), spans_max=None)
        spansets = evaluate(self._pipeline, stored.rows())
        member = np.flatnonzero(spansets.of_row >= 0)
        of_member = spansets.of_row[member]
        order = np.argsort(of_member, kind="stable")
        groups = np.split(member[order], np.flatnonzero(np.diff(of_member[order])) + 1) if len(member) else []
        found: dict[str, tuple[FoundSpanset, ...]] = {}
        for rows in groups:
            spanset = int(spansets.of_row[rows[0]])
            trace_id = stored.trace_ids[int(spansets.trace[spanset])]
            shown = tuple(stored.span(row) for row in rows[: self._spans_max].tolist())
            one = FoundSpanset(matched=len(rows), spans=shown, attributes=spansets.told[spanset])
            found[trace_id] = (*found.get(trace_id, ()), one)
        return found

    def _told(
        self, chosen: Sequence[Candidate], spansets: Mapping[str, tuple[FoundSpanset, ...]], bounds: Bounds
    ) -> tuple[FoundTrace, ...]:
        if not bounds:
            return ()
        first_ns, last_ns = _around(bounds, chosen)
        parameters = {**self._of_traces(chosen), "first_ns": first_ns, "last_ns": last_ns}
        summaries: dict[str, list[Row]] = {}
        for row in self._reader.read(self._tenant, sql.SUMMARIES, parameters):
            summaries.setdefault(raw(row["trace_id"]).hex(), []).append(row)
        # A trace whose spans expired since they were found is not one any more.
        return tuple(
            _trace(one.trace_id, summaries[one.trace_id], spansets[one.trace_id])
            for one in chosen
            if one.trace_id in summaries and one.trace_id in spansets
        )


def _candidates(rows: Iterable[Row]) -> list[Candidate]:
    return [Candidate(raw(row["trace_id"]).hex(), integer(row["newest_ns"])) for row in rows]


def _around(bounds: Bounds, chosen: Sequence[Candidate]) -> tuple[int, int]:
    """Return the stretch in which all of these traces lie."""
    known = [bounds[candidate.trace_id] for candidate in chosen if candidate.trace_id in bounds]
    return min((first for first, _ in known), default=0), max((last for _, last in known), default=0)


def _plain_spansets(stored: StoredRows) -> dict[str, tuple[FoundSpanset, ...]]:
    """Return the one spanset of each trace, of which its rows are the first spans."""
    return {
        trace_id: (FoundSpanset(matched=stored.matched(rows), spans=tuple(stored.span(row) for row in rows)),)
        for trace_id, rows in stored.by_trace().items()
    }


def _trace(trace_id: str, rows: Sequence[Row], spansets: tuple[FoundSpanset, ...]) -> FoundTrace:
    start_ns = min(integer(row["start_ns"]) for row in rows)
    with_root = [row for row in rows if integer(row["roots"])]
    root = min(with_root, key=lambda row: (integer(row["root_ns"]), raw(row["root_id"])), default=None)
    return FoundTrace(
        trace_id=trace_id,
        root_service=None if root is None else text(root["service"]),
        root_name=None if root is None else text(root["root_name"]),
        start_ns=start_ns,
        duration_ns=max(integer(row["end_ns"]) for row in rows) - start_ns,
        services=tuple(
            ServiceCount(service=text(row["service"]), spans=integer(row["spans"]), errors=integer(row["errors"]))
            for row in rows
        ),
        spansets=spansets,
    )
