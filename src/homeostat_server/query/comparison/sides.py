"""The two sides of a comparison: which traces they are, and their spans. It knows nothing of differences.

A set of many traces is sampled: those with the smallest ids, which are random.
"""

from dataclasses import dataclass, field
from typing import Final

import pyarrow as pa

from homeostat_server.exceptions import QueryLimit
from homeostat_server.model.tenant import Tenant
from homeostat_server.query.attributes.patterns import check_patterns
from homeostat_server.query.binding import Binder
from homeostat_server.query.comparison import sql
from homeostat_server.query.forest.forest import Forest
from homeostat_server.query.rows import raw
from homeostat_server.query.search.filters import SpanFilter
from homeostat_server.query.times import NS_PER_S, TIME_NS_MAX
from homeostat_server.query.traces.lookup import find_trace
from homeostat_server.query.window import Window
from homeostat_server.store.ports import Parameter, TelemetryReader

TRACES_MAX: Final = 2_000
"""Of one side: 40,000 spans or so, from which means are known to a few percent."""

SPANS_MAX: Final = 200_000
"""Of one side; more are refused."""

AFTER_NS: Final = 60 * NS_PER_S
"""Spans that begin so long after a window belong to requests that began in it."""

SHARES: Final = (1 / 1024, 1 / 32, 1.0)
"""Of all ids, in which members of a set are looked for, one after the other until there are enough."""

KEY_BITS: Final = 128


@dataclass(frozen=True, slots=True, kw_only=True)
class TraceSet:
    """Be the traces with a span in a window that fulfils a filter; with `others`, the traces without such a span."""

    window: Window
    chosen: SpanFilter = field(default_factory=SpanFilter)
    others: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Side:
    """Hold the spans of one side.

    Attributes:
        forest: its spans.
        table: the rows that they come from.
        trace_ids: of its traces.
        is_all: whether these are all traces of the set.
        first_ns: when its first span can begin; last_ns its last.
    """

    forest: Forest
    table: pa.Table
    trace_ids: list[str]
    is_all: bool
    first_ns: int
    last_ns: int


def read_trace(reader: TelemetryReader, *, tenant: Tenant, trace_id: str) -> Side:
    """Return a trace as a side.

    Raises:
        NotFound: there is no such trace.
        QueryLimit: it has more spans than a side may have.
    """
    trace = find_trace(reader, tenant=tenant, trace_id=trace_id)
    return _side(reader, tenant, [trace_id], is_all=True, bounds=(trace.first_ns, trace.last_ns))


def read_set(reader: TelemetryReader, *, tenant: Tenant, traces: TraceSet) -> Side:
    """Return a set of traces as a side, or a sample of it when it is large.

    Raises:
        QueryLimit: the sample has more spans than a side may have.
    """
    check_patterns(reader, tenant=tenant, conditions=traces.chosen.attributes)
    trace_ids = _members(reader, tenant, traces)
    last_ns = min(traces.window.last_ns + AFTER_NS, TIME_NS_MAX)
    is_all = len(trace_ids) <= TRACES_MAX
    return _side(reader, tenant, trace_ids[:TRACES_MAX], is_all=is_all, bounds=(traces.window.start_ns, last_ns))


def _members(reader: TelemetryReader, tenant: Tenant, traces: TraceSet) -> list[str]:
    binder = Binder()
    choice = traces.chosen.chosen(binder)
    conditions = [*choice.cheap, *choice.likely, *choice.exact]
    found: list[str] = []
    for share in SHARES:
        below = share < 1
        parameters: dict[str, Parameter] = {
            "tenant": tenant,
            **traces.window.parameters(),
            **binder.parameters,
            "rows": TRACES_MAX + 1,
            **({"trace_id_end": f"{int(share * 2**KEY_BITS):032x}"} if below else {}),
        }
        rows = reader.read(tenant, sql.members(conditions, others=traces.others, below=below), parameters)
        found = [raw(row["trace_id"]).hex() for row in rows]
        if len(found) > TRACES_MAX:
            break
    return found


def _side(
    reader: TelemetryReader, tenant: Tenant, trace_ids: list[str], *, is_all: bool, bounds: tuple[int, int]
) -> Side:
    table = reader.read_table(
        tenant,
        sql.SPANS,
        {
            "tenant": tenant,
            "first_ns": bounds[0],
            "last_ns": bounds[1],
            "trace_ids": ",".join(trace_ids) or "00" * 16,
            "trace_id_last": max(trace_ids, default="00" * 16),
            "rows": SPANS_MAX + 1,
        },
    )
    if table.num_rows > SPANS_MAX:
        raise QueryLimit("compare traces", value=f"more than {SPANS_MAX} spans", hint="Compare fewer or smaller ones.")
    return Side(
        forest=Forest.of(table),
        table=table,
        trace_ids=trace_ids,
        is_all=is_all,
        first_ns=bounds[0],
        last_ns=bounds[1],
    )
