"""Lists of traces by what one of their spans fulfils: the newest, the slowest, or those with the most errors first.

A trace is in a list when one span of it, started in the window, fulfils all conditions. Its place is the start of the
newest such span, the duration of the longest, or, in a list by errors, how many of its spans in the window failed (one
without any is not in that list). The newest are looked for in slices of the window, the newest slice first, so that it
is possible to stop without having seen all spans.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Final, NamedTuple

from homeostat_server.model.segment import NODE_BITS, NODE_MAX
from homeostat_server.model.tenant import Tenant
from homeostat_server.query.attributes.patterns import check_patterns
from homeostat_server.query.binding import Binder
from homeostat_server.query.page import Page
from homeostat_server.query.rows import integer, raw, text, texts
from homeostat_server.query.search import sql
from homeostat_server.query.search.filters import SpanFilter, kind_name, status_name
from homeostat_server.query.search.sql import TraceOrder
from homeostat_server.query.times import NS_PER_S, TIME_NS_MAX
from homeostat_server.query.window import Window
from homeostat_server.store.ports import Parameter, Row, TelemetryReader

TRACES_MAX: Final = 200
"""Of one page; each is looked up by its id."""

FIRST_SLICE_S: Final = 10
"""Most lists of everything, or of a service, end in it."""

FIRST_SLICE_OF_FEW_S: Final = 300
"""Where attributes are asked for. The further slices begin at full five minutes, which rows are sorted by."""

GROWTH_OF_NONE: Final = 12
GROWTH_OF_NONE_INDEXED: Final = 300
"""How many times as long the next slice is when there was nothing in one. An index finds what is not among the last
70,000 spans in a day in the time of a few statements."""

SURPLUS: Final = 1.5
"""How much longer the next slice is than what was found lets expect."""

BUCKET_S: Final = 300
"""Rows are sorted by stretches of five minutes."""

PLACES_MAX: Final = 2_000
"""Of traces in such stretches; a page of traces that each take an hour has as many."""

_BUCKET_NS: Final = BUCKET_S * NS_PER_S
_NS_PER_US: Final = 1_000
_NS_PER_MS: Final = 1_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class TraceSummary:
    """Hold what a list says of a whole trace.

    Attributes:
        trace_id: 32 hexadecimal digits.
        root_service: service of the first span without a parent, or of the first span when none is without.
        root_operation: name of that span.
        root_kind: its kind.
        root_status: its status.
        start_ns: start of its first span.
        duration_ns: from there to the latest end of a span.
        spans: how many it has.
        errors: how many of them have the status error.
        services: whose spans they are, by name, at most 100.
        matched_spans: how many spans in the window fulfil the conditions.
        newest_match_ns: start of the newest of these.
        longest_match_ns: duration of the longest of these.
    """

    trace_id: str
    root_service: str
    root_operation: str
    root_kind: str
    root_status: str
    start_ns: int
    duration_ns: int
    spans: int
    errors: int
    services: tuple[str, ...]
    matched_spans: int
    newest_match_ns: int
    longest_match_ns: int

    @property
    def duration_ms(self) -> float:
        """Return the duration in milliseconds."""
        return self.duration_ns / _NS_PER_MS

    @property
    def longest_match_ms(self) -> float:
        """Return the duration of the longest match in milliseconds."""
        return self.longest_match_ns / _NS_PER_MS


class TracePlace(NamedTuple):
    """Hold the place of a trace in a list, and the newest segment that counted when the list's first page was made."""

    rank: int
    trace_id: str
    snapshot: int


@dataclass(frozen=True, slots=True, kw_only=True)
class TraceQuestion:
    """Hold which list of traces is asked for."""

    window: Window
    conditions: SpanFilter
    order: TraceOrder = TraceOrder.NEWEST


def list_traces(
    reader: TelemetryReader,
    *,
    tenant: Tenant,
    question: TraceQuestion,
    traces_max: int,
    now_ns: int,
    after: TracePlace | None = None,
) -> Page[TraceSummary, TracePlace]:
    """Return the next summaries of traces in the order asked for.

    Later pages count only what had been received when the first one was made, so that no trace is given twice and none
    that was there is left out, however much arrives meanwhile.

    Raises:
        InvalidRequest: a pattern is no regular expression.
    """
    check_patterns(reader, tenant=tenant, conditions=question.conditions.attributes)
    snapshot = _newest_segment(now_ns) if after is None else after.snapshot
    search = _Search(reader=reader, tenant=tenant, question=question, rows=traces_max + 1, after=after)
    page = search.page()
    last = page.next_place
    return Page(page.items, None if last is None else TracePlace(last.rank, last.trace_id, snapshot))


@dataclass(frozen=True, slots=True)
class _Matched:
    """Hold what is told of the spans of a trace that fulfil the conditions."""

    spans: int
    newest_ns: int
    longest_ns: int

    @classmethod
    def of(cls, row: Row) -> "_Matched":
        return cls(integer(row["matched_spans"]), integer(row["newest_match_ns"]), integer(row["longest_match_ns"]))


@dataclass(frozen=True, slots=True)
class _Match:
    """Hold a trace that was found, and what fulfils the conditions in it from a moment on."""

    trace_id: str
    rank: int
    matched: _Matched
    seen_from_ns: int


@dataclass(frozen=True, slots=True)
class _Extent:
    """Hold between which seconds the spans of a trace start."""

    trace_id: str
    first_s: int
    last_s: int

    @property
    def buckets(self) -> range:
        """Return where each stretch of five minutes begins that it is in."""
        return range(self.first_s // BUCKET_S * BUCKET_S, self.last_s + 1, BUCKET_S)


def _places(extents: Iterable[_Extent]) -> str | None:
    """Return where the spans of traces are, None when that is too much to say: traces of days."""
    if sum(len(extent.buckets) for extent in extents) > PLACES_MAX:
        return None
    return ",".join(f"{bucket_s}.{extent.trace_id}" for extent in extents for bucket_s in extent.buckets)


def _listed(found: Iterable[_Match | _Extent]) -> str:
    return ",".join(each.trace_id for each in found)


def _newest_segment(now_ns: int) -> int:
    """Return the number of the last segment that can have been begun by now."""
    return (now_ns // _NS_PER_US) << NODE_BITS | NODE_MAX


@dataclass(frozen=True, slots=True, kw_only=True)
class _Search:
    """Look for the traces of one page."""

    reader: TelemetryReader
    tenant: Tenant
    question: TraceQuestion
    rows: int
    after: TracePlace | None

    def page(self) -> Page[TraceSummary, _Match]:
        """Return the next summaries; the place is the last match when there are more."""
        window = self.question.window
        newest = self.question.order is TraceOrder.NEWEST
        found = self._newest() if newest else self._matches(window.start_ns, window.last_ns, rows=self.rows)
        given = found[: self.rows - 1]
        return Page(self._summaries(given), given[-1] if len(found) > len(given) else None)

    def _newest(self) -> list[_Match]:
        """Return the newest traces, looking no further back than it takes to find so many."""
        start_ns, last_ns = self.question.window.start_ns, self.question.window.last_ns
        if self.after is not None:
            last_ns = self.after.rank
        slices = _Slices(start_ns, last_ns, self.question.conditions)
        found: dict[str, _Match] = {}
        first_ns = slices.begin_ns
        while True:
            # A trace that has a newer match has its place there; as many more may come again as were found.
            for match in self._matches(first_ns, last_ns, rows=self.rows + len(found)):
                found.setdefault(match.trace_id, match)
            if len(found) >= self.rows or first_ns == start_ns:
                return list(found.values())[: self.rows]
            first_ns, last_ns = slices.next_ns(first_ns, part=len(found) / self.rows), first_ns - 1

    def _matches(self, first_ns: int, last_ns: int, *, rows: int) -> list[_Match]:
        binder = Binder()
        choice = self.question.conditions.chosen(binder)
        parameters: dict[str, Parameter] = {
            "tenant": self.tenant,
            "rows": rows,
            "first_ns": first_ns,
            "last_ns": last_ns,
            **binder.parameters,
        }
        if self.after is not None:
            parameters |= {
                "after_rank": self.after.rank,
                "after_id": self.after.trace_id,
                "snapshot": self.after.snapshot,
            }
            if self.question.order is TraceOrder.NEWEST:
                window_last_ns = self.question.window.last_ns
                parameters |= {"newer_ns": self.after.rank + 1, "window_last_ns": window_last_ns}
        statement = sql.matches(choice, order=self.question.order, after=self.after is not None)
        found = self.reader.read(self.tenant, statement, parameters)
        # What a list by errors counts are the spans that failed, not those that fulfil the conditions.
        seen_from_ns = last_ns if self.question.order is TraceOrder.ERRORS else first_ns
        return [
            _Match(raw(row["trace_id"]).hex(), integer(row["rank"]), _Matched.of(row), seen_from_ns) for row in found
        ]

    def _summaries(self, found: Sequence[_Match]) -> tuple[TraceSummary, ...]:
        """Return what there is to say of these traces, in their order."""
        extents = self._extents(found) if found else []
        if not extents:
            return ()
        rows = self._rows_of(extents, sql.summaries, {})
        by_id = {raw(row["trace_id"]).hex(): row for row in rows}
        matched = {match.trace_id: match.matched for match in found} | self._matched_of_partly_seen(found, extents)
        # A trace whose spans expired since they were found is not one any more.
        return tuple(
            self._placed(_summary(match.trace_id, by_id[match.trace_id], matched[match.trace_id]), match)
            for match in found
            if match.trace_id in by_id
        )

    def _matched_of_partly_seen(self, found: Iterable[_Match], extents: Iterable[_Extent]) -> dict[str, _Matched]:
        """Return what fulfils the conditions in traces that begin before the slice in which they were found."""
        window = self.question.window
        seen_from_ns = {match.trace_id: match.seen_from_ns for match in found}
        begun = [
            extent
            for extent in extents
            if max(extent.first_s * NS_PER_S, window.start_ns) < seen_from_ns[extent.trace_id]
        ]
        if not begun:
            return {}
        binder = Binder()
        choice = self.question.conditions.chosen(binder)
        statement = partial(sql.matched, choice)
        rows = self._rows_of(begun, statement, {**window.parameters(), **binder.parameters})
        return {raw(row["trace_id"]).hex(): _Matched.of(row) for row in rows}

    def _rows_of(
        self, extents: Sequence[_Extent], statement: Callable[..., str], parameters: Mapping[str, Parameter]
    ) -> list[Row]:
        """Ask about traces: in the stretches where they are, or, for traces of days, everywhere between."""
        places = _places(extents)
        asked: dict[str, Parameter] = {
            "tenant": self.tenant,
            "first_ns": min(extent.first_s for extent in extents) * NS_PER_S,
            "last_ns": min(max(extent.last_s for extent in extents) * NS_PER_S + NS_PER_S - 1, TIME_NS_MAX),
            **({"trace_ids": _listed(extents)} if places is None else {"places": places}),
            **parameters,
        }
        return self.reader.read(self.tenant, statement(placed=places is not None), asked)

    def _extents(self, found: Sequence[_Match]) -> list[_Extent]:
        rows = self.reader.read(self.tenant, sql.BOUNDS, {"tenant": self.tenant, "trace_ids": _listed(found)})
        return [_Extent(raw(row["trace_id"]).hex(), integer(row["first_s"]), integer(row["last_s"])) for row in rows]

    def _placed(self, summary: TraceSummary, match: _Match) -> TraceSummary:
        """Return a summary that says of its place what the list is ordered by, whatever arrived since."""
        if self.question.order is TraceOrder.NEWEST:
            return replace(summary, newest_match_ns=match.rank)
        if self.question.order is TraceOrder.SLOWEST:
            return replace(summary, longest_match_ns=match.rank)
        return summary


@dataclass(frozen=True, slots=True)
class _Slices:
    """Say in which slices a window is looked at, from its end."""

    start_ns: int
    last_ns: int
    conditions: SpanFilter

    @property
    def begin_ns(self) -> int:
        """Return where the first slice begins."""
        seconds = FIRST_SLICE_OF_FEW_S if self.conditions.attributes else FIRST_SLICE_S
        return max(self.start_ns, self.last_ns - seconds * NS_PER_S)

    def next_ns(self, first_ns: int, *, part: float) -> int:
        """Return where the next slice begins, after this part of what is wanted was found from a moment on."""
        looked_ns = max(self.last_ns - first_ns, FIRST_SLICE_OF_FEW_S * NS_PER_S // GROWTH_OF_NONE)
        none = GROWTH_OF_NONE_INDEXED if self.conditions.is_indexed else GROWTH_OF_NONE
        growth = min(SURPLUS * (1 - part) / part, none) if part else none
        return max(self.start_ns, (first_ns - int(looked_ns * growth)) // _BUCKET_NS * _BUCKET_NS)


def _summary(trace_id: str, row: Row, matched: _Matched) -> TraceSummary:
    start_ns = integer(row["start_ns"])
    return TraceSummary(
        trace_id=trace_id,
        root_service=text(row["root_service"]),
        root_operation=text(row["root_operation"]),
        root_kind=kind_name(integer(row["root_kind"])),
        root_status=status_name(integer(row["root_status"])),
        start_ns=start_ns,
        duration_ns=integer(row["end_ns"]) - start_ns,
        spans=integer(row["spans"]),
        errors=integer(row["errors"]),
        services=tuple(texts(row["services"])),
        matched_spans=matched.spans,
        newest_match_ns=matched.newest_ns,
        longest_match_ns=matched.longest_ns,
    )
