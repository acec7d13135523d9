"""Lists of traces, newest first. It looks at the newest spans before older ones, and at whole traces last.

A trace is in a list when one span of it, started in the window, fulfils all conditions. Its place is the start of the
newest such span: that makes it possible to stop at the newest few without having seen all spans of the window.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum, unique
from typing import Final, NamedTuple

from homeostat_server.model.segment import NODE_BITS, NODE_MAX
from homeostat_server.model.tenant import Tenant
from homeostat_server.query.page import Page
from homeostat_server.query.rows import integer, raw, text, texts
from homeostat_server.query.times import NS_PER_S
from homeostat_server.query.traces import sql
from homeostat_server.query.traces.lookup import bounds_of_traces
from homeostat_server.query.window import Window
from homeostat_server.store.ports import Parameter, Row, TelemetryReader

TRACES_MAX: Final = 200
"""Of one page; each is looked up by its id."""

FIRST_SLICE_S: Final = 10
SLICE_GROWTH: Final = 6
"""Most lists end in the first slice; each further one costs six times as much, so all of them a fifth more than the
last alone."""

_NS_PER_US: Final = 1_000
_NS_PER_MS: Final = 1_000_000


@unique
class SpanStatus(StrEnum):
    """Name what a span says of its outcome, in the order of OTLP's numbers."""

    UNSET = "unset"
    OK = "ok"
    ERROR = "error"

    @property
    def code(self) -> int:
        """Return OTLP's number."""
        return tuple(SpanStatus).index(self)


@dataclass(frozen=True, slots=True, kw_only=True)
class SpanFilter:
    """Hold what one span of a trace has to fulfil; None asks for nothing."""

    service: str | None = None
    operation: str | None = None
    status: SpanStatus | None = None
    duration_min_ns: int | None = None
    duration_max_ns: int | None = None

    def conditions(self) -> list[str]:
        """Return the conditions as SQL; the values are in `parameters()`."""
        return [condition for condition, value in self._asked() if value is not None]

    def parameters(self) -> dict[str, Parameter]:
        """Return the values of the conditions."""
        asked = {
            "service": self.service,
            "operation": self.operation,
            "status": None if self.status is None else self.status.code,
            "duration_min_ns": self.duration_min_ns,
            "duration_max_ns": self.duration_max_ns,
        }
        return {name: value for name, value in asked.items() if value is not None}

    def _asked(self) -> list[tuple[str, object]]:
        return [
            ("service = {service:String}", self.service),
            ("name = {operation:String}", self.operation),
            ("status_code = {status:Int32}", self.status),
            ("duration_ns >= {duration_min_ns:Int64}", self.duration_min_ns),
            ("duration_ns <= {duration_max_ns:Int64}", self.duration_max_ns),
        ]


@dataclass(frozen=True, slots=True, kw_only=True)
class TraceSummary:
    """Hold what a list says of a whole trace.

    Attributes:
        trace_id: 32 hexadecimal digits.
        root_service: service of the first span without a parent, or of the first span when none is without.
        root_operation: name of that span.
        start_ns: start of its first span.
        duration_ns: from there to the latest end of a span.
        spans: how many it has.
        errors: how many of them have the status error.
        services: whose spans they are, by name, at most 100.
        newest_match_ns: start of the newest span in the window that fulfils the conditions: its place in the list.
    """

    trace_id: str
    root_service: str
    root_operation: str
    start_ns: int
    duration_ns: int
    spans: int
    errors: int
    services: tuple[str, ...]
    newest_match_ns: int

    @property
    def duration_ms(self) -> float:
        """Return the duration in milliseconds."""
        return self.duration_ns / _NS_PER_MS


class TracePlace(NamedTuple):
    """Hold the place of a trace in a list, and the newest segment that counted when the list's first page was made."""

    newest_match_ns: int
    trace_id: str
    snapshot: int


def list_traces(
    reader: TelemetryReader,
    *,
    tenant: Tenant,
    window: Window,
    conditions: SpanFilter,
    traces_max: int,
    now_ns: int,
    after: TracePlace | None = None,
) -> Page[TraceSummary, TracePlace]:
    """Return the next summaries of traces, newest first.

    Later pages count only what had been received when the first one was made, so that no trace is given twice and none
    that was there is left out, however much arrives meanwhile.
    """
    snapshot = _newest_segment(now_ns) if after is None else after.snapshot
    found = _matches(reader, tenant=tenant, window=window, conditions=conditions, rows=traces_max + 1, after=after)
    given = found[:traces_max]
    last = given[-1] if len(found) > traces_max else None
    return Page(
        _summaries(reader, tenant=tenant, found=given),
        None if last is None else TracePlace(last.newest_ns, last.trace_id, snapshot),
    )


@dataclass(frozen=True, slots=True)
class _Match:
    trace_id: str
    newest_ns: int


def _newest_segment(now_ns: int) -> int:
    """Return the number of the last segment that can have been begun by now."""
    return (now_ns // _NS_PER_US) << NODE_BITS | NODE_MAX


def _matches(
    reader: TelemetryReader,
    *,
    tenant: Tenant,
    window: Window,
    conditions: SpanFilter,
    rows: int,
    after: TracePlace | None,
) -> list[_Match]:
    """Return the next traces, looking no further back than it takes to find so many."""
    statement = sql.matches(conditions.conditions(), after=after is not None)
    last_ns = window.last_ns
    parameters: dict[str, Parameter] = {"tenant": tenant, "rows": rows, **conditions.parameters()}
    if after is not None:
        last_ns = after.newest_match_ns
        parameters |= {"after_id": after.trace_id, "snapshot": after.snapshot}
        parameters |= {"newer_ns": last_ns + 1, "window_last_ns": window.last_ns}
    found: list[Row] = []
    for first_ns in _slice_starts(window.start_ns, last_ns):
        found = reader.read(tenant, statement, {**parameters, "first_ns": first_ns, "last_ns": last_ns})
        if len(found) == rows:
            break
    return [_Match(raw(row["trace_id"]).hex(), integer(row["newest_ns"])) for row in found]


def _slice_starts(start_ns: int, last_ns: int) -> Iterator[int]:
    """Yield where ever larger slices of time begin that all end at the same moment; the last is the whole."""
    span_ns = FIRST_SLICE_S * NS_PER_S
    while last_ns - span_ns > start_ns:
        yield last_ns - span_ns
        span_ns *= SLICE_GROWTH
    yield start_ns


def _summaries(reader: TelemetryReader, *, tenant: Tenant, found: Sequence[_Match]) -> tuple[TraceSummary, ...]:
    trace_ids = [match.trace_id for match in found]
    bounds = bounds_of_traces(reader, tenant=tenant, trace_ids=trace_ids) if found else None
    if bounds is None:
        return ()
    parameters: dict[str, Parameter] = {
        "tenant": tenant,
        "trace_ids": ",".join(trace_ids),
        "first_ns": bounds[0],
        "last_ns": bounds[1],
    }
    by_id = {raw(row["trace_id"]).hex(): row for row in reader.read(tenant, sql.SUMMARIES, parameters)}
    # A trace whose spans expired since they were found is not one any more.
    return tuple(_summary(by_id[match.trace_id], match) for match in found if match.trace_id in by_id)


def _summary(row: Row, match: _Match) -> TraceSummary:
    start_ns = integer(row["start_ns"])
    return TraceSummary(
        trace_id=match.trace_id,
        root_service=text(row["root_service"]),
        root_operation=text(row["root_operation"]),
        start_ns=start_ns,
        duration_ns=integer(row["end_ns"]) - start_ns,
        spans=integer(row["spans"]),
        errors=integer(row["errors"]),
        services=tuple(texts(row["services"])),
        newest_match_ns=match.newest_ns,
    )
