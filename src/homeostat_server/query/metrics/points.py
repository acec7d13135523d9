"""The newest point of metrics and of series. It knows the tables of points, not what a series is called."""

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from typing import Any, Final

import orjson

from homeostat_server.model.tenant import Tenant
from homeostat_server.query.metrics import sql
from homeostat_server.query.rows import integer, text
from homeostat_server.query.times import NS_PER_S
from homeostat_server.query.values import real_json
from homeostat_server.query.window import Window
from homeostat_server.store.ports import Parameter, Row, TelemetryReader

RECENT_NS: Final = 300 * NS_PER_S
"""Whatever is alive has a point in the last minutes; only what has none is looked for in the whole window."""

KINDS: Final = {5: "gauge", 7: "sum", 9: "histogram", 10: "exponential_histogram", 11: "summary"}
"""By the number of OTLP's field."""

TABLES: Final = {
    "gauge": "samples",
    "sum": "samples",
    "histogram": "histograms",
    "exponential_histogram": "exponential_histograms",
    "summary": "summaries",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Point:
    """Hold what a point says.

    Attributes:
        time_ns: its time.
        start_time_ns: since when it counts, None when the sender did not say.
        flags: OTLP's; the lowest bit says that there is no value.
        values: `value` of a number (whole when it was sent so), else the members of its kind of point.
    """

    time_ns: int
    start_time_ns: int | None
    flags: int
    values: dict[str, Any]


def newest_of_metrics(
    reader: TelemetryReader, *, tenant: Tenant, window: Window, kinds_by_metric: dict[str, tuple[str, ...]]
) -> dict[str, Point]:
    """Return the newest point in the window of each metric that has one, of whichever series."""
    found: dict[str, Point] = {}
    for part in _newest_first(window):
        missing = {metric: kinds for metric, kinds in kinds_by_metric.items() if metric not in found}
        for table in _tables(kind for kinds in missing.values() for kind in kinds):
            of_table = [metric for metric, kinds in missing.items() if table in _tables(kinds)]
            parameters: dict[str, Parameter] = {
                "tenant": tenant,
                **part.parameters(),
                "metrics": orjson.dumps(of_table).decode(),
            }
            for row in reader.read(tenant, sql.newest_of_metrics(table), parameters):
                _keep_newest(found, text(row["metric"]), _point(row, table))
    return found


def newest_of_series(
    reader: TelemetryReader,
    *,
    tenant: Tenant,
    window: Window,
    metric: str,
    kinds: Collection[str],
    series: Collection[int],
) -> dict[int, Point]:
    """Return the newest point in the window of each series of a metric that has one."""
    found: dict[int, Point] = {}
    for part in _newest_first(window):
        missing = set(series) - found.keys()
        for table in _tables(kinds) if missing else ():
            parameters: dict[str, Parameter] = {
                "tenant": tenant,
                **part.parameters(),
                "metric": metric,
                "first_series": min(missing),
                "last_series": max(missing),
            }
            rows = reader.read(tenant, sql.newest_of_series(table), parameters)
            found |= {integer(row["series"]): _point(row, table) for row in rows if integer(row["series"]) in missing}
    return found


def _newest_first(window: Window) -> Iterable[Window]:
    recent_ns = window.end_ns - RECENT_NS
    return (Window(recent_ns, window.end_ns), window) if recent_ns > window.start_ns else (window,)


def _tables(kinds: Iterable[str]) -> list[str]:
    return sorted({TABLES[kind] for kind in kinds if kind in TABLES})


def _keep_newest(found: dict[str, Point], metric: str, point: Point) -> None:
    known = found.get(metric)
    if known is None or point.time_ns > known.time_ns:
        found[metric] = point


def _point(row: Row, table: str) -> Point:
    values = {name: _value(row[f"newest_{name}"]) for name in sql.NEWEST[table]}
    if table == "samples":
        whole = values.pop("integer")
        values = values if whole is None else {"value": whole}
    return Point(
        time_ns=integer(row["time_ns"]),
        start_time_ns=integer(row["newest_start_ns"]) or None,
        flags=integer(row["newest_flags"]),
        values=values,
    )


def _value(value: object) -> object:
    if isinstance(value, list):
        return [_value(item) for item in value]
    return real_json(value) if isinstance(value, float) else value
