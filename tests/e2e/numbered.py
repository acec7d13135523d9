"""Request bodies whose every item carries a number of its own, and how the numbers are found again in the store.

An item's number is its body's number and its place in it, so that a body is counted without a list of its items.
"""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from google.protobuf.message import Message
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue
from opentelemetry.proto.resource.v1.resource_pb2 import Resource

from homeostat_server.model.signal import Signal
from tests import otlp
from tests.stored_rows import POINT_TABLES, StoredRows

ITEM_BITS: Final = 16
BODIES_PER_TRACE: Final = 4
_STEP_NS: Final = 300_000_000  # items of a body spread over seconds, so that a trace's bounds are not one moment


@dataclass(frozen=True, slots=True)
class Body:
    """Hold one request: its number, what it is, how many items it has."""

    number: int
    signal: Signal
    items: int
    data: bytes


def numbered_body(signal: Signal, *, number: int, items: int, service: str, round_number: int = 0) -> Body:
    """Return a body of so many items of one service; each round of a service is a source of its own."""
    labels = {"service.name": service, "round": str(round_number)}
    resource = Resource(
        attributes=[KeyValue(key=key, value=AnyValue(string_value=value)) for key, value in labels.items()]
    )
    request = _MAKERS[signal](number, items, resource)
    return Body(number, signal, items, request.SerializeToString())


def trace_id_of(body_number: int) -> bytes:
    """Return the trace that the spans of a body belong to; some bodies share one."""
    return b"\x01" + (body_number // BODIES_PER_TRACE).to_bytes(15, "big")


def item_id(body_number: int, place: int) -> int:
    """Return the number of an item."""
    return body_number << ITEM_BITS | place


def _span_id(body_number: int, place: int) -> bytes:
    return item_id(body_number, place).to_bytes(8, "big")


def _traces(number: int, items: int, resource: Resource) -> Message:
    now_ns = time.time_ns()
    made = [
        otlp.span(
            trace_id=trace_id_of(number),
            span_id=_span_id(number, place),
            start_time_unix_nano=now_ns + place * _STEP_NS,
            end_time_unix_nano=now_ns + place * _STEP_NS + 1_000,
        )
        for place in range(items)
    ]
    return otlp.traces(*made, resource=resource)


def _logs(number: int, items: int, resource: Resource) -> Message:
    now_ns = time.time_ns()
    made = [
        otlp.record(time_unix_nano=now_ns, trace_id=trace_id_of(number), span_id=_span_id(number, place))
        for place in range(items)
    ]
    return otlp.logs(*made, resource=resource)


def _metrics(number: int, items: int, resource: Resource) -> Message:
    """Deal the items out to the five kinds; gauges carry an exemplar of the same number."""
    now_ns = time.time_ns()
    kinds: list[list[Any]] = [[], [], [], [], []]
    for place in range(items):
        kinds[place % len(kinds)].append(_point(number, place, kind=place % len(kinds), now_ns=now_ns))
    gauges, sums, *others = kinds
    metrics = [otlp.metric(*gauges, name="gauge"), *([otlp.sum_metric(*sums, name="sum")] if sums else [])]
    names = ("histogram", "exponential", "summary")
    metrics += [otlp.metric(*points, name=name) for name, points in zip(names, others, strict=True) if points]
    return otlp.metrics(*metrics, resource=resource)


def _point(number: int, place: int, *, kind: int, now_ns: int) -> Any:  # noqa: ANN401 - of five types
    identity = item_id(number, place)
    common: dict[str, Any] = {"time_unix_nano": now_ns, "start_time_unix_nano": now_ns}
    if kind > 1:
        return (otlp.histogram, otlp.exponential, otlp.summary)[kind - 2](count=identity, **common)
    exemplars = [] if kind else [otlp.exemplar(trace_id=trace_id_of(number), span_id=_span_id(number, place))]
    return otlp.number(as_int=identity, exemplars=exemplars, **common)


_MAKERS: Final = {Signal.TRACES: _traces, Signal.LOGS: _logs, Signal.METRICS: _metrics}

_BY_SPAN_ID: Final = "reinterpretAsUInt64(reverse(span_id))"
_POINT_IDS: Final = " UNION ALL ".join(
    f"SELECT {'toUInt64(integer)' if table == 'samples' else 'count'} AS id, tenant FROM telemetry.{table}"
    for table in POINT_TABLES
)
_SUBQUERIES: Final = {
    Signal.TRACES: f"SELECT {_BY_SPAN_ID} AS id, tenant FROM telemetry.spans",
    Signal.LOGS: f"SELECT {_BY_SPAN_ID} AS id, tenant FROM telemetry.logs",
    Signal.METRICS: _POINT_IDS,
}


@dataclass(frozen=True, slots=True)
class Tally:
    """Say how many rows a body has become, and how many of its items they are."""

    rows: int
    items: int


def tallies(stored: StoredRows, signal: Signal, *, tenant: str = "default") -> dict[int, Tally]:
    """Return the tally of every body of a signal that has a row, by its number."""
    found = stored.rows(
        f"SELECT bitShiftRight(id, {ITEM_BITS}) AS body, count() AS all, uniqExact(id) AS different"
        f" FROM ({_SUBQUERIES[signal]}) WHERE tenant = '{tenant}' GROUP BY body"
    )
    return {_integer(row["body"]): Tally(_integer(row["all"]), _integer(row["different"])) for row in found}


def exemplar_tallies(stored: StoredRows) -> dict[int, Tally]:
    """Return the tally of the exemplars of every body."""
    found = stored.rows(
        f"SELECT bitShiftRight({_BY_SPAN_ID}, {ITEM_BITS}) AS body, count() AS all,"
        f" uniqExact(span_id) AS different FROM telemetry.exemplars GROUP BY body"
    )
    return {_integer(row["body"]): Tally(_integer(row["all"]), _integer(row["different"])) for row in found}


def _integer(value: object) -> int:
    assert isinstance(value, int)
    return value


def _disagreements(left: str, right: str, *, key: str, value: str) -> str:
    """Return the query that counts the keys which two queries do not both have with the same value."""
    return (
        f"SELECT count() FROM (SELECT {key}, uniqExact({value}) AS values, count() AS sides"
        f" FROM (SELECT * FROM ({left}) UNION ALL SELECT * FROM ({right})) GROUP BY {key})"
        " WHERE sides != 2 OR values != 1"
    )


_SOURCES: Final = " UNION ALL ".join(
    f"SELECT tenant, service, toUInt64(source) AS source FROM telemetry.{name}" for name in ("spans", "logs", "series")
)
_SERIES: Final = " UNION ALL ".join(f"SELECT tenant, metric, series FROM telemetry.{table}" for table in POINT_TABLES)

DERIVED: Final = {
    "trace_bounds": _disagreements(
        "SELECT tenant, trace_id, (toUnixTimestamp(min(ts)), toUnixTimestamp(max(ts))) AS bounds"
        " FROM telemetry.spans GROUP BY tenant, trace_id",
        "SELECT tenant, trace_id, (toUnixTimestamp(min(first_ts)), toUnixTimestamp(max(last_ts))) AS bounds"
        " FROM telemetry.trace_bounds GROUP BY tenant, trace_id",
        key="tenant, trace_id",
        value="bounds",
    ),
    "sources": _disagreements(
        f"SELECT tenant, source, service FROM ({_SOURCES}) GROUP BY tenant, source, service",
        "SELECT tenant, source, service FROM telemetry.sources GROUP BY tenant, source, service",
        key="tenant, source",
        value="service",
    ),
    "series": _disagreements(
        f"SELECT tenant, series, metric FROM ({_SERIES}) GROUP BY tenant, series, metric",
        "SELECT tenant, series, metric FROM telemetry.series GROUP BY tenant, series, metric",
        key="tenant, series",
        value="metric",
    ),
}
"""For each derived table the query that counts where it says something else than the rows it is derived from."""


def derived_disagreements(stored: StoredRows) -> dict[str, int]:
    """Return how many rows of each derived table are missing, too many or wrong."""
    return {table: stored.number(sql) for table, sql in DERIVED.items()}


def items_of(bodies: Sequence[Body]) -> int:
    """Return how many items the bodies have together."""
    return sum(body.items for body in bodies)
