"""Which metrics there are, which series they have, and what those last said."""

from dataclasses import dataclass
from typing import Final, NamedTuple

from homeostat_server.exceptions import NotFound
from homeostat_server.model.tenant import Tenant
from homeostat_server.query.cursor import NamePlace
from homeostat_server.query.metrics import sql
from homeostat_server.query.metrics.points import KINDS, Point, newest_of_metrics, newest_of_series
from homeostat_server.query.page import Page
from homeostat_server.query.rows import digits, integer, integers, pairs, text, texts
from homeostat_server.query.sources import Source, read_sources
from homeostat_server.query.values import Json, attributes_json
from homeostat_server.query.window import Window
from homeostat_server.store.ports import Parameter, Row, TelemetryReader

METRICS_MAX: Final = 1_000
SERIES_MAX: Final = 1_000

TEMPORALITIES: Final = {1: "delta", 2: "cumulative"}
"""By OTLP's number; gauges and summaries have none."""

UNKNOWN: Final = "unspecified"


@dataclass(frozen=True, slots=True, kw_only=True)
class Metric:
    """Hold what is known of the series of one name; where they differ, everything that any of them says.

    Attributes:
        name: its name.
        kinds: gauge, sum, histogram, exponential_histogram, summary.
        units: as sent, UCUM by convention.
        temporalities: delta, cumulative; unspecified for gauges and summaries.
        monotonic: whether a sum of it never falls.
        description: one of those that were sent.
        series_count: how many series were seen in the hours of the window.
        newest: the newest point in the window of any series, None when there is none.
    """

    name: str
    kinds: tuple[str, ...]
    units: tuple[str, ...]
    temporalities: tuple[str, ...]
    monotonic: bool
    description: str
    series_count: int
    newest: Point | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Series:
    """Hold one series: what sets it apart, and its newest point in the window (None when there is none)."""

    series: int
    kind: str
    unit: str
    description: str
    temporality: str
    monotonic: bool
    metadata: list[Json]
    service: str
    source: int
    attributes: list[Json]
    newest: Point | None


class SeriesPlace(NamedTuple):
    """Hold the place of a series in a list."""

    series: int


@dataclass(frozen=True, slots=True)
class SeriesPage:
    """Hold a page of series and what their sources stand for."""

    page: Page[Series, SeriesPlace]
    sources: dict[int, Source]


def list_metrics(
    reader: TelemetryReader,
    *,
    tenant: Tenant,
    window: Window,
    metrics_max: int,
    name: str | None = None,
    service: str | None = None,
    after: NamePlace | None = None,
) -> Page[Metric, NamePlace]:
    """Return the metrics that have series in the window, by name.

    Args:
        reader: where they are.
        tenant: whose they are.
        window: when; series are known to the hour.
        metrics_max: how many at most.
        name: part of the name, in any case.
        service: whose series.
        after: place after which to begin.
    """
    asked: dict[str, Parameter | None] = {"name": name, "service": service, "after": after and after.name}
    conditions = {
        "name": "positionCaseInsensitiveUTF8(metric, {name:String}) > 0",
        "service": "service = {service:String}",
        "after": "metric > {after:String}",
    }
    given = {key: value for key, value in asked.items() if value is not None}
    parameters: dict[str, Parameter] = {"tenant": tenant, **window.parameters(), **given, "rows": metrics_max + 1}
    rows = reader.read(tenant, sql.metrics([conditions[key] for key in given]), parameters)
    shown = rows[:metrics_max]
    kinds = {text(row["metric"]): _named(row["kinds"], KINDS) for row in shown}
    newest = newest_of_metrics(reader, tenant=tenant, window=window, kinds_by_metric=kinds)
    items = tuple(_metric(row, newest.get(text(row["metric"]))) for row in shown)
    return Page(items, NamePlace(items[-1].name) if len(rows) > metrics_max else None)


def list_series(
    reader: TelemetryReader,
    *,
    tenant: Tenant,
    window: Window,
    metric: str,
    series_max: int,
    service: str | None = None,
    after: SeriesPlace | None = None,
) -> SeriesPage:
    """Return the series of a metric in the window, by number, those after a number when one is given.

    Raises:
        NotFound: there is no series of this metric, whenever.
    """
    asked: dict[str, Parameter | None] = {"service": service, "after": after and after.series}
    conditions = {"service": "service = {service:String}", "after": "series > {after:UInt64}"}
    given = {key: value for key, value in asked.items() if value is not None}
    parameters: dict[str, Parameter] = {
        "tenant": tenant,
        **window.parameters(),
        "metric": metric,
        **given,
        "rows": series_max + 1,
    }
    rows = reader.read(tenant, sql.series([conditions[key] for key in given]), parameters)
    if not rows:
        _require_known(reader, tenant=tenant, metric=metric)
    return _series_page(reader, rows, tenant=tenant, window=window, metric=metric, series_max=series_max)


def _require_known(reader: TelemetryReader, *, tenant: Tenant, metric: str) -> None:
    if not reader.read(tenant, sql.KNOWN, {"tenant": tenant, "metric": metric}):
        hint = "Nobody sent it, its series expired, or it belongs to another tenant."
        raise NotFound("find the metric", value=metric, hint=hint)


def _series_page(
    reader: TelemetryReader, rows: list[Row], *, tenant: Tenant, window: Window, metric: str, series_max: int
) -> SeriesPage:
    shown = rows[:series_max]
    newest = newest_of_series(
        reader,
        tenant=tenant,
        window=window,
        metric=metric,
        kinds={KINDS.get(integer(row["kind"]), UNKNOWN) for row in shown},
        series=[integer(row["series"]) for row in shown],
    )
    items = tuple(_series(row, newest.get(integer(row["series"]))) for row in shown)
    sources = read_sources(reader, tenant=tenant, numbers={item.source for item in items})
    return SeriesPage(Page(items, SeriesPlace(items[-1].series) if len(rows) > series_max else None), sources)


def _metric(row: Row, newest: Point | None) -> Metric:
    return Metric(
        name=text(row["metric"]),
        kinds=_named(row["kinds"], KINDS),
        units=tuple(texts(row["units"])),
        temporalities=_named(row["temporalities"], TEMPORALITIES),
        monotonic=bool(row["monotonic"]),
        description=text(row["description"]),
        series_count=integer(row["series_count"]),
        newest=newest,
    )


def _series(row: Row, newest: Point | None) -> Series:
    return Series(
        series=integer(row["series"]),
        kind=KINDS.get(integer(row["kind"]), UNKNOWN),
        unit=text(row["unit"]),
        description=text(row["description"]),
        temporality=TEMPORALITIES.get(integer(row["temporality"]), UNKNOWN),
        monotonic=bool(row["monotonic"]),
        metadata=attributes_json(pairs(row["metadata"]), digits(row["metadata_kinds"])),
        service=text(row["service"]),
        source=integer(row["source"]),
        attributes=attributes_json(pairs(row["attributes"]), digits(row["attribute_kinds"])),
        newest=newest,
    )


def _named(numbers: object, names: dict[int, str]) -> tuple[str, ...]:
    return tuple(names.get(number, UNKNOWN) for number in integers(numbers))
