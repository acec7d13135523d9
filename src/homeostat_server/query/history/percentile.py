"""Where a span's duration lies among those of its own kind: service, span name and kind. It knows no causes."""

import re
from dataclasses import dataclass
from math import exp, sqrt
from typing import Final, cast

from homeostat_server.exceptions import InvalidRequest, NotFound
from homeostat_server.model.tenant import Tenant
from homeostat_server.query.history import sql
from homeostat_server.query.rows import integer, integers, reals, text
from homeostat_server.query.times import NS_PER_S
from homeostat_server.query.traces.lookup import find_trace
from homeostat_server.query.window import Window
from homeostat_server.store.ports import Row, TelemetryReader

ENOUGH: Final = 100
"""Spans from which on a percentile says something: of fewer, one span moves it by more than a percent."""

LOOKBACK_NS_MAX: Final = 7 * 86_400 * NS_PER_S

NS_PER_MS: Final = 1e6
_NORMAL_95: Final = 1.959964
_SPAN_ID: Final = re.compile(r"[0-9a-fA-F]{16}")


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredSpan:
    """Hold what a span is compared by."""

    start_ns: int
    duration_ns: int
    service: str
    operation: str
    kind: int
    is_error: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class History:
    """Hold where a span's duration lies.

    Attributes:
        span: the span.
        window: the time whose spans of its kind it is compared with, itself included when it is in it.
        percentile: share of them that took less, those that took as long counting half, 0 to 100.
        low, high: the 95 % interval of the percentile, by how many spans there are.
        spans: how many there are; is_enough says whether they are enough to go by.
        error_rate: share of them with the status error.
        p50_ms, p95_ms, p99_ms: of their durations, within 0.5 % of the value at that rank.
        min_ms, max_ms: the shortest and the longest.
    """

    span: StoredSpan
    window: Window
    percentile: float
    low: float
    high: float
    spans: int
    is_enough: bool
    error_rate: float
    p50_ms: float
    p95_ms: float
    p99_ms: float
    min_ms: float
    max_ms: float


def parse_span_id(said: str) -> str:
    """Return a span id as 16 small hexadecimal digits.

    Raises:
        InvalidRequest: it is none.
    """
    if not _SPAN_ID.fullmatch(said):
        raise InvalidRequest("use a span id", value=said, hint="A span id is 16 hexadecimal digits.")
    return said.lower()


def span_against_history(
    reader: TelemetryReader, *, tenant: Tenant, trace_id: str, span_id: str, lookback_ns: int
) -> History:
    """Return where a span's duration lies among those of its own kind before its end.

    Args:
        reader: the store.
        tenant: whose spans.
        trace_id: of the span, as `parse_trace_id` returns it.
        span_id: as `parse_span_id` returns it.
        lookback_ns: how far back, from the span's start.

    Raises:
        NotFound: there is no such span.
        InvalidRequest: the lookback is none, or longer than a week.
    """
    if not 0 < lookback_ns <= LOOKBACK_NS_MAX:
        raise InvalidRequest("look back", value=f"{lookback_ns} ns", hint="More than nothing, a week at most.")
    span = _find(reader, tenant, trace_id, span_id)
    window = Window(max(0, span.start_ns - lookback_ns), span.start_ns + 1)
    [row] = reader.read(
        tenant,
        sql.HISTORY,
        {
            "tenant": tenant,
            **window.parameters(),
            "service": span.service,
            "operation": span.operation,
            "kind": span.kind,
            "duration_ns": span.duration_ns,
        },
    )
    return _history(span, window, row)


def _find(reader: TelemetryReader, tenant: Tenant, trace_id: str, span_id: str) -> StoredSpan:
    trace = find_trace(reader, tenant=tenant, trace_id=trace_id)
    rows = reader.read(tenant, sql.SPAN, {**trace.parameters(), "span_id": span_id})
    if not rows:
        raise NotFound("find the span", value=span_id, hint="The trace is there and has no such span.")
    row = rows[0]
    return StoredSpan(
        start_ns=integer(row["start_ns"]),
        duration_ns=integer(row["duration_ns"]),
        service=text(row["service"]),
        operation=text(row["name"]),
        kind=integer(row["kind"]),
        is_error=integer(row["status_code"]) == 2,
    )


def _history(span: StoredSpan, window: Window, row: Row) -> History:
    weights = _real(row["weights"])
    share = (_real(row["below"]) + _real(row["equal"]) / 2) / weights
    # As many spans of equal weight would tell as much (Kish).
    effective = weights**2 / _real(row["squares"])
    low, high = wilson(share, effective)
    p50_ms, p95_ms, p99_ms = (
        _quantile_ms(integers(row["bin_numbers"]), reals(row["bin_weights"]), level) for level in sql.LEVELS
    )
    return History(
        span=span,
        window=window,
        percentile=100 * share,
        low=100 * low,
        high=100 * high,
        spans=integer(row["spans"]),
        is_enough=effective >= ENOUGH,
        error_rate=_real(row["errors"]) / weights,
        p50_ms=p50_ms,
        p95_ms=p95_ms,
        p99_ms=p99_ms,
        min_ms=max(0, integer(row["min_ns"])) / NS_PER_MS,
        max_ms=max(0, integer(row["max_ns"])) / NS_PER_MS,
    )


def wilson(share: float, count: float) -> tuple[float, float]:
    """Return the 95 % interval of a share that was seen in so many (https://doi.org/10.1080/01621459.1927.10502953)."""
    square = _NORMAL_95**2 / count
    middle = (share + square / 2) / (1 + square)
    half = _NORMAL_95 / (1 + square) * sqrt(share * (1 - share) / count + square / (4 * count))
    return max(0.0, middle - half), min(1.0, middle + half)


def _quantile_ms(numbers: list[int], weights: list[float], level: float) -> float:
    """Return the middle of the bin in which a quantile lies."""
    wanted = level * sum(weights) * (1 - 1e-12)
    running = 0.0
    for number, weight in zip(numbers, weights, strict=True):
        running += weight
        if running >= wanted:
            return exp((number + 0.5) / sql.BINS_OF_A_NANOSECOND) / NS_PER_MS
    return 0.0


def _real(value: object) -> float:
    return cast("float", value)
