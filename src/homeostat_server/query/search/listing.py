"""Lists of traces by what one of their spans fulfils: the newest, the slowest, or those with the most errors first.

A trace is in a list when one span of it, started in the window, fulfils all conditions. Its place is the start of the
newest such span, the duration of the longest, or, in a list by errors, how many of its spans in the window failed (one
without any is not in that list). The newest are looked for in slices of the window, the newest slice first, so that it
is possible to stop without having seen all spans.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
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
SECOND_SLICE_S: Final = 300
SLICE_GROWTH: Final = 12
"""Most lists end in the first slice. The further ones begin at full five minutes, which rows are sorted by, and grow so
fast that the longest window takes six: what is rare costs a few statements more than looking at all at once."""

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
    found = search.matches()
    given = found[:traces_max]
    last = given[-1] if len(found) > traces_max else None
    return Page(
        search.summaries(given),
        None if last is None else TracePlace(last.rank, last.trace_id, snapshot),
    )


@dataclass(frozen=True, slots=True)
class _Match:
    trace_id: str
    rank: int


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


def _listed(found: Iterable[_Match]) -> str:
    return ",".join(match.trace_id for match in found)


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

    def matches(self) -> list[_Match]:
        """Return the next traces; one more than the page has tells that there is another page."""
        if self.question.order is TraceOrder.NEWEST:
            return self._newest()
        window = self.question.window
        return self._matches(window.start_ns, window.last_ns, rows=self.rows)

    def _newest(self) -> list[_Match]:
        """Return the newest traces, looking no further back than it takes to find so many."""
        start_ns, last_ns = self.question.window.start_ns, self.question.window.last_ns
        if self.after is not None:
            last_ns = self.after.rank
        found: dict[str, _Match] = {}
        first_slice_s = SECOND_SLICE_S if self.question.conditions.is_indexed else FIRST_SLICE_S
        for first_ns in _slice_starts(start_ns, last_ns, slice_ns=first_slice_s * NS_PER_S):
            # A trace that has a newer match has its place there; as many more may come again as were found.
            for match in self._matches(first_ns, last_ns, rows=self.rows + len(found)):
                found.setdefault(match.trace_id, match)
            if len(found) >= self.rows:
                break
            last_ns = first_ns - 1
        return list(found.values())[: self.rows]

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
        return [_Match(raw(row["trace_id"]).hex(), integer(row["rank"])) for row in found]

    def summaries(self, found: Sequence[_Match]) -> tuple[TraceSummary, ...]:
        """Return what there is to say of these traces, in their order."""
        extents = self._extents(found) if found else []
        if not extents:
            return ()
        binder = Binder()
        choice = self.question.conditions.chosen(binder)
        window = self.question.window
        places = _places(extents)
        parameters: dict[str, Parameter] = {
            "tenant": self.tenant,
            "first_ns": min(extent.first_s for extent in extents) * NS_PER_S,
            "last_ns": min(max(extent.last_s for extent in extents) * NS_PER_S + NS_PER_S - 1, TIME_NS_MAX),
            "window_first_ns": window.start_ns,
            "window_last_ns": window.last_ns,
            **({"trace_ids": _listed(found)} if places is None else {"places": places}),
            **binder.parameters,
        }
        rows = self.reader.read(self.tenant, sql.summaries(choice, placed=places is not None), parameters)
        by_id = {raw(row["trace_id"]).hex(): _summary(raw(row["trace_id"]).hex(), row) for row in rows}
        # A trace whose spans expired since they were found is not one any more.
        return tuple(self._placed(by_id[match.trace_id], match) for match in found if match.trace_id in by_id)

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


def _slice_starts(start_ns: int, last_ns: int, *, slice_ns: int) -> Iterator[int]:
    """Yield where ever larger slices of time begin, each before the one that it follows; the last at the start."""
    first_ns = last_ns - slice_ns
    while first_ns > start_ns:
        yield first_ns
        slice_ns = max(SECOND_SLICE_S * NS_PER_S, slice_ns * SLICE_GROWTH)
        first_ns = (last_ns - slice_ns) // _BUCKET_NS * _BUCKET_NS
    yield start_ns


def _summary(trace_id: str, row: Row) -> TraceSummary:
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
        matched_spans=integer(row["matched_spans"]),
        newest_match_ns=integer(row["newest_match_ns"]),
        longest_match_ns=integer(row["longest_match_ns"]),
    )
