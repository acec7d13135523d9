"""Whole traces by conditions on one of their spans, newest first, within a bound of spans for all together."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from typing import Final

from opentelemetry.proto.trace.v1.trace_pb2 import TracesData

from homeostat_server.model.tenant import Tenant
from homeostat_server.query.binding import Binder
from homeostat_server.query.jaeger import sql
from homeostat_server.query.jaeger.tags import tag_conditions
from homeostat_server.query.rows import integer, raw
from homeostat_server.query.search.sql import BOUNDS
from homeostat_server.query.sources import read_sources
from homeostat_server.query.times import NS_PER_S, TIME_NS_MAX
from homeostat_server.query.traces.messages import traces_data
from homeostat_server.query.window import Window
from homeostat_server.store.ports import Parameter, TelemetryReader

SPANS_MAX: Final = 20_000
"""Of all traces of one answer together: 20 MB of JSON, and a second of work."""

_STRETCH_S: Final = 300
_PLACES_MAX: Final = 5_000
"""Stretches of five minutes of all traces; those of traces of days are not listed one by one."""

_FIRST_SLICE_S: Final = 60
_SLICE_GROWTH: Final = 10
"""Most searches end in the newest minute; each further look goes ten times as far back."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Search:
    """Hold what one span of a trace has to fulfil; None, empty and no tags ask for nothing."""

    service: str | None = None
    operation: str | None = None
    duration_min_ns: int | None = None
    duration_max_ns: int | None = None
    tags: Sequence[tuple[str, str]] = field(default=())

    def columns(self, binder: Binder) -> list[str]:
        """Return the conditions on plain columns as SQL."""
        asked = {
            "service = ": self.service and binder.text(self.service),
            "name = ": self.operation and binder.text(self.operation),
            "duration_ns >= ": self.duration_min_ns and binder.integer(self.duration_min_ns),
            "duration_ns <= ": self.duration_max_ns and binder.integer(self.duration_max_ns),
        }
        return [f"{left}{right}" for left, right in asked.items() if right]

    def statement(self, binder: Binder) -> str:
        """Return the question for the traces that are looked for."""
        return sql.matches(self.columns(binder), tag_conditions(self.tags, binder))


@dataclass(frozen=True, slots=True, kw_only=True)
class FoundTrace:
    """Hold a trace, or its first spans, and how many it has."""

    trace_id: str
    data: TracesData
    given: int
    spans: int


def find_trace_ids(
    reader: TelemetryReader, *, tenant: Tenant, window: Window, search: Search, traces_max: int
) -> list[str]:
    """Return the traces with the newest spans that fulfil a search, newest first, as hexadecimal digits."""
    binder = Binder()
    statement = search.statement(binder)
    parameters: dict[str, Parameter] = {"tenant": tenant, "rows": traces_max, **binder.parameters}
    found: list[str] = []
    for first_ns in _slice_starts(window):
        times: dict[str, Parameter] = {"first_ns": first_ns, "last_ns": window.last_ns}
        found = [raw(row["trace_id"]).hex() for row in reader.read(tenant, statement, parameters | times)]
        if len(found) == traces_max:
            break
    return found


def read_traces(reader: TelemetryReader, *, tenant: Tenant, trace_ids: Sequence[str]) -> list[FoundTrace]:
    """Return these traces in this order; one that is not there is missing.

    When they have more than `SPANS_MAX` spans together, the longest ones are cut to their first spans, all to the same
    number.
    """
    parameters = _where(reader, tenant=tenant, trace_ids=trace_ids) if trace_ids else None
    if parameters is None:
        return []
    placed = "places" in parameters
    counted = reader.read(tenant, sql.span_counts(placed=placed), parameters)
    counts = {raw(row["trace_id"]).hex(): integer(row["spans"]) for row in counted}
    parameters["spans"] = fair_share(counts.values(), total_max=SPANS_MAX)
    rows = reader.read(tenant, sql.spans(placed=placed), parameters)
    sources = read_sources(reader, tenant=tenant, numbers={integer(row["source"]) for row in rows})
    found: Mapping[str, FoundTrace] = {
        trace_id.hex(): FoundTrace(
            trace_id=trace_id.hex(),
            data=traces_data(spans, sources, trace_id=trace_id),
            given=len(spans),
            spans=counts.get(trace_id.hex(), len(spans)),
        )
        for trace_id, spans in ((key, list(group)) for key, group in groupby(rows, lambda row: raw(row["trace_id"])))
    }
    return [found[trace_id] for trace_id in dict.fromkeys(trace_ids) if trace_id in found]


def _where(reader: TelemetryReader, *, tenant: Tenant, trace_ids: Sequence[str]) -> dict[str, Parameter] | None:
    """Return the parameters that say where the spans of traces are, None when there are no such traces.

    Traces of one answer may be far from each other: each is looked for in its own stretches of five minutes, which is
    what rows are sorted by.
    """
    asked: dict[str, Parameter] = {"tenant": tenant, "trace_ids": ",".join(trace_ids)}
    bounds = [
        (raw(row["trace_id"]).hex(), integer(row["first_s"]), integer(row["last_s"]))
        for row in reader.read(tenant, BOUNDS, asked)
    ]
    if not bounds:
        return None
    asked["first_ns"] = min(first_s for _, first_s, _ in bounds) * NS_PER_S
    asked["last_ns"] = min(max(last_s for _, _, last_s in bounds) * NS_PER_S + NS_PER_S - 1, TIME_NS_MAX)
    stretches = [(one, range(first_s // _STRETCH_S, last_s // _STRETCH_S + 1)) for one, first_s, last_s in bounds]
    if sum(len(numbers) for _, numbers in stretches) <= _PLACES_MAX:
        del asked["trace_ids"]
        asked["places"] = ",".join(f"{number * _STRETCH_S}.{one}" for one, numbers in stretches for number in numbers)
    return asked


def fair_share(sizes: Collection[int], *, total_max: int) -> int:
    """Return the largest size to which all may be cut so that they are no more than the total, but at least 1."""
    left = total_max
    waiting = sorted(sizes)
    for place, size in enumerate(waiting):
        share = left // (len(waiting) - place)
        if size > share:
            return max(1, share)
        left -= size
    return max([1, *waiting])


def _slice_starts(window: Window) -> Iterator[int]:
    """Yield where ever larger slices begin that all end with the window; the last is the whole window."""
    span_ns = _FIRST_SLICE_S * NS_PER_S
    while window.end_ns - span_ns > window.start_ns:
        yield window.end_ns - span_ns
        span_ns *= _SLICE_GROWTH
    yield window.start_ns
