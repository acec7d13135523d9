"""One trace by its id, read piece by piece, so that a trace of any size takes the memory of a small one."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from opentelemetry.proto.trace.v1.trace_pb2 import TracesData

from homeostat_server.exceptions import InvalidRequest, NotFound
from homeostat_server.model.tenant import Tenant
from homeostat_server.query import sql as shared
from homeostat_server.query.rows import integer, raw
from homeostat_server.query.sources import SourceMemory, read_sources
from homeostat_server.query.times import NS_PER_S, TIME_NS_MAX
from homeostat_server.query.traces import sql
from homeostat_server.query.traces.messages import traces_data
from homeostat_server.store.ports import Parameter, Row, TelemetryReader

SPANS_PER_PIECE: Final = 2_000
"""About 2 MB of JSON and 100 ms of work: other requests wait no longer than that for the interpreter."""

SPANS_MAX: Final = 100_000
"""Of one answer. It is what the largest trace in our tests has; a browser shows no more of it at once."""

NOBODYS_TRACE: Final = "0" * 32
"""An id that no trace has: W3C and OTLP call it invalid."""

_TRACE_ID: Final = re.compile(r"[0-9a-fA-F]{32}")


def parse_trace_id(text: str) -> str:
    """Return a trace id as 32 small hexadecimal digits.

    Raises:
        InvalidRequest: it is none.
    """
    if not _TRACE_ID.fullmatch(text):
        raise InvalidRequest("use a trace id", value=text, hint="A trace id is 32 hexadecimal digits.")
    return text.lower()


@dataclass(frozen=True, slots=True)
class Place:
    """Hold the start and the id of a span of a trace."""

    start_ns: int
    span_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Piece:
    """Hold some spans of a trace, how many, and after which of them the next piece begins (None at the end)."""

    data: TracesData
    spans: int
    next_place: Place | None


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredTrace:
    """Hold where the spans of a trace are."""

    tenant: Tenant
    trace_id: str
    first_ns: int
    last_ns: int

    def parameters(self) -> dict[str, Parameter]:
        """Return what every question about its spans is given."""
        return {
            "tenant": self.tenant,
            "trace_id": self.trace_id,
            "first_ns": self.first_ns,
            "last_ns": self.last_ns,
        }


def find_trace(reader: TelemetryReader, *, tenant: Tenant, trace_id: str) -> StoredTrace:
    """Return where the spans of a trace are; `trace_id` is one that `parse_trace_id` returned.

    Raises:
        NotFound: the tenant has no span of it.
    """
    bounds = bounds_of_trace(reader, tenant=tenant, trace_id=trace_id)
    if bounds is None:
        raise not_found(trace_id)
    return StoredTrace(tenant=tenant, trace_id=trace_id, first_ns=bounds[0], last_ns=bounds[1])


def bounds_of_trace(reader: TelemetryReader, *, tenant: Tenant, trace_id: str) -> tuple[int, int] | None:
    """Return the moments between which all spans of a trace start, None when there are no such spans."""
    return _bounds(reader.read(tenant, shared.TRACE_BOUNDS, {"tenant": tenant, "trace_id": trace_id}))


def bounds_of_traces(reader: TelemetryReader, *, tenant: Tenant, trace_ids: Iterable[str]) -> tuple[int, int] | None:
    """Return the moments between which all spans of these traces start, None when there are no such spans."""
    parameters: dict[str, Parameter] = {"tenant": tenant, "trace_ids": ",".join(trace_ids)}
    return _bounds(reader.read(tenant, shared.BOUNDS_OF_TRACES, parameters))


def _bounds(rows: list[Row]) -> tuple[int, int] | None:
    if not rows:
        return None
    first_s = min(integer(row["first_s"]) for row in rows)
    last_s = max(integer(row["last_s"]) for row in rows)
    return first_s * NS_PER_S, min(last_s * NS_PER_S + NS_PER_S - 1, TIME_NS_MAX)


def read_piece(
    reader: TelemetryReader,
    trace: StoredTrace,
    *,
    after: Place | None,
    spans_max: int,
    known: SourceMemory | None = None,
) -> Piece:
    """Return the next spans of a trace, in the order of (start, span id).

    Spans equal in both are all in one piece, which may for that be larger than `spans_max`. Sources that are `known`
    are not asked for.
    """
    rows = _small_trace(reader, trace, spans_max) if after is None else None
    if rows is None:
        rows = _next_rows(reader, trace, after=after, spans_max=spans_max)
    numbers = {integer(row["source"]) for row in rows}
    sources = read_sources(reader, tenant=trace.tenant, numbers=numbers, known=known)
    return Piece(
        data=traces_data(rows, sources, trace_id=bytes.fromhex(trace.trace_id)),
        spans=len(rows),
        next_place=None if len(rows) < spans_max else _place(rows[-1]),
    )


def _small_trace(reader: TelemetryReader, trace: StoredTrace, spans_max: int) -> list[Row] | None:
    """Return all spans of a trace that has fewer than so many, None for a larger one."""
    rows = reader.read(trace.tenant, sql.SMALL_TRACE, {**trace.parameters(), "rows": spans_max})
    if len(rows) >= spans_max:
        return None
    return sorted(rows, key=lambda row: (integer(row["start_ns"]), raw(row["span_id"])))


def _next_rows(reader: TelemetryReader, trace: StoredTrace, *, after: Place | None, spans_max: int) -> list[Row]:
    parameters: dict[str, Parameter] = {**trace.parameters(), "rows": spans_max}
    if after is not None:
        parameters |= {"after_ns": after.start_ns, "after_id": after.span_id}
    return reader.read(trace.tenant, sql.spans(after=after is not None), parameters)


def count_spans(reader: TelemetryReader, trace: StoredTrace) -> int:
    """Return how many spans a trace has."""
    return integer(reader.read(trace.tenant, sql.SPAN_COUNT, trace.parameters())[0]["spans"])


def rehearse(reader: TelemetryReader, *, tenant: Tenant, now_ns: int) -> None:
    """Look for a trace that nobody has: the first real look-up then finds the engine's session and indexes ready."""
    bounds_of_trace(reader, tenant=tenant, trace_id=NOBODYS_TRACE)
    nowhere = StoredTrace(tenant=tenant, trace_id=NOBODYS_TRACE, first_ns=now_ns, last_ns=now_ns)
    read_piece(reader, nowhere, after=None, spans_max=1)


def not_found(trace_id: str) -> NotFound:
    """Return the error that says that there is no such trace."""
    hint = "Its spans expired, were not received yet, or belong to another tenant."
    return NotFound("find the trace", value=trace_id, hint=hint)


def _place(row: Row) -> Place:
    return Place(integer(row["start_ns"]), raw(row["span_id"]).hex())
