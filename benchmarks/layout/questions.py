"""The questions that a layout has to answer, and how long each takes. It knows no candidate.

A trace by its id (its seconds known from the trace bounds, as the server asks), rate, errors and durations of each
service, the operations of one service, and a value that a handful of spans have.
"""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from statistics import median
from typing import Final

from benchmarks.layout.workshop import Workshop
from homeostat_server.store.ports import Parameter, Row
from homeostat_server.store.telemetry.catalogue import ITEMS
from homeostat_server.store.telemetry.tables import DATABASE

_TRACES: Final = 20
_REPEATS: Final = 7
_LATENCIES: Final = (
    "count() AS spans, countIf(status_code = 2) AS errors, quantilesDD(0.005, 0.5, 0.95, 0.99)(duration_ns)"
)


@dataclass(frozen=True, slots=True)
class Subjects:
    """Hold what is asked for; the same for all candidates."""

    traces: tuple[Mapping[str, Parameter], ...]
    service: str
    item: str


def choose_subjects(workshop: Workshop, table: str) -> Subjects:
    """Choose traces, a service of ordinary size and a rare value from a filled table."""
    traces = workshop.ask(
        "SELECT hex(trace_id) AS id, min(toUnixTimestamp(ts)) AS first, max(toUnixTimestamp(ts)) AS last"
        f" FROM {DATABASE}.{table} GROUP BY trace_id ORDER BY cityHash64(trace_id) LIMIT {2 * _TRACES}",
        {},
    )
    services = workshop.ask(f"SELECT service FROM {DATABASE}.{table} GROUP BY service ORDER BY count()", {})
    rare = workshop.ask(
        f"SELECT attributes['user.id'] AS user FROM {DATABASE}.{table} WHERE user != ''"
        " GROUP BY user HAVING count() < 30 ORDER BY cityHash64(user) LIMIT 1",
        {},
    )
    return Subjects(
        tuple({"id": _text(row["id"]), "first": _whole(row["first"]), "last": _whole(row["last"])} for row in traces),
        _text(services[len(services) // 2]["service"]),
        "user.id=" + _text(rare[0]["user"]),
    )


def ask_all(workshop: Workshop, table: str, subjects: Subjects) -> dict[str, float]:
    """Return the milliseconds of each question by its name; medians."""
    cold, warm = subjects.traces[:_TRACES], subjects.traces[_TRACES:]
    by_id = (
        f"SELECT * FROM {DATABASE}.{table} WHERE tenant = 'default' AND ts >= toDateTime({{first:Int64}}, 'UTC')"
        " AND ts < toDateTime({last:Int64} + 1, 'UTC')"
        " AND toStartOfFiveMinutes(ts) BETWEEN toStartOfFiveMinutes(toDateTime({first:Int64}, 'UTC'))"
        " AND toStartOfFiveMinutes(toDateTime({last:Int64}, 'UTC')) AND trace_id = unhex({id:String}) ORDER BY ts"
    )
    aggregate = f"SELECT {{}}, {_LATENCIES} FROM {DATABASE}.{table} WHERE tenant = 'default' {{}}"
    by_service = aggregate.format("service", "GROUP BY service")
    by_operation = aggregate.format("name", "AND service = {service:String} GROUP BY name ORDER BY spans DESC LIMIT 20")
    newest = (
        f"SELECT trace_id, ts, name, duration_ns FROM {DATABASE}.{table} WHERE tenant = 'default'"
        " AND service = {service:String} ORDER BY ts DESC LIMIT 20"
    )
    rare = (
        f"SELECT trace_id, span_id, ts FROM {DATABASE}.{table}"
        f" WHERE tenant = 'default' AND has({ITEMS}, {{item:String}})"
    )
    service: dict[str, Parameter] = {"service": subjects.service}
    return {
        "trace by id, cold": median(_timed(workshop, by_id, dict(one), before=workshop.forget) for one in cold),
        "trace by id": median(_timed(workshop, by_id, dict(one)) for one in warm),
        "each service": _repeated(workshop, by_service, {}),
        "operations of a service": _repeated(workshop, by_operation, service),
        "newest spans of a service": _repeated(workshop, newest, service),
        "rare attribute value": _repeated(workshop, rare, {"item": subjects.item}),
    }


def _repeated(workshop: Workshop, sql: str, parameters: dict[str, Parameter]) -> float:
    _timed(workshop, sql, parameters)
    return median(_timed(workshop, sql, parameters) for _ in range(_REPEATS))


def _timed(
    workshop: Workshop, sql: str, parameters: dict[str, Parameter], *, before: Callable[[], None] | None = None
) -> float:
    if before is not None:
        before()
    began_s = time.perf_counter()
    rows: list[Row] = workshop.ask(sql, parameters)
    milliseconds = (time.perf_counter() - began_s) * 1000
    assert rows, f"no answer to {sql}"
    return milliseconds


def _text(value: object) -> str:
    assert isinstance(value, bytes)
    return value.decode()


def _whole(value: object) -> int:
    assert isinstance(value, int)
    return value
