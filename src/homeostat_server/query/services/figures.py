"""Rate, errors and duration of services and of their operations. It knows spans by their figures only."""

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import groupby
from typing import Final, NamedTuple

import numpy as np

from homeostat_server.model.tenant import Tenant
from homeostat_server.query.cursor import NamePlace
from homeostat_server.query.page import Page
from homeostat_server.query.rows import integer, integers, real, reals, text
from homeostat_server.query.services import sql
from homeostat_server.query.summaries.histograms import Histograms
from homeostat_server.query.summaries.merging import LEVELS
from homeostat_server.query.window import Window
from homeostat_server.store.ports import Parameter, Row, TelemetryReader

SERVICES_MAX: Final = 1_000
OPERATIONS_MAX: Final = 1_000
"""Of one page; a sketch of some kilobytes is held for each."""

_NS_PER_MS: Final = 1_000_000


class OperationPlace(NamedTuple):
    """Hold the place of an operation in a list."""

    name: str
    kind: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    """Hold what requests in a window were like.

    Of what was sampled, each counts for as many as it stands for.

    Attributes:
        requests: how many there were, to the nearest.
        errors: how many of them have the status error, to the nearest.
        rate: requests a second, over the whole window.
        error_rate: errors by requests, 0 to 1.
        p50_ms: half of them took no longer, in milliseconds, to 0.5 % of the value; p95_ms and p99_ms likewise. A span
            that ends before it starts counts as 0.
    """

    requests: int
    errors: int
    rate: float
    error_rate: float
    p50_ms: float
    p95_ms: float
    p99_ms: float


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceFigures:
    """Hold a service's figures.

    Attributes:
        name: what `service.name` says, empty for what came without.
        requests_are: "entry" when the figures are of spans of the kinds SERVER and CONSUMER, "all" when they are of all
            spans because there is none of these kinds.
        figures: rate, errors and durations.
        spans: how many spans of any kind there are.
        first_ns: start of the first span in the window.
        last_ns: start of the last span in the window.
    """

    name: str
    requests_are: str
    figures: Figures
    spans: int
    first_ns: int
    last_ns: int


@dataclass(frozen=True, slots=True, kw_only=True)
class OperationFigures:
    """Hold the figures of the spans of one name and kind; `kind` is OTLP's number."""

    name: str
    kind: int
    figures: Figures
    first_ns: int
    last_ns: int


def list_services(
    reader: TelemetryReader, *, tenant: Tenant, window: Window, services_max: int, after: NamePlace | None = None
) -> Page[ServiceFigures, NamePlace]:
    """Return the services that have spans in the window, by name, those after a name when one is given."""
    parameters: dict[str, Parameter] = {
        "tenant": tenant,
        **window.parameters(),
        # A service has at most two rows, so these are all the rows of the services wanted, and some of the next.
        "rows": 2 * (services_max + 1),
        **({} if after is None else {"after": after.name}),
    }
    rows = reader.read(tenant, sql.services(after=after is not None), parameters)
    found = [
        _service(name, list(of_service), window) for name, of_service in groupby(rows, lambda row: text(row["service"]))
    ]
    items = tuple(found[:services_max])
    return Page(items, NamePlace(items[-1].name) if len(found) > services_max else None)


def list_operations(
    reader: TelemetryReader,
    *,
    tenant: Tenant,
    window: Window,
    service: str,
    operations_max: int,
    after: OperationPlace | None = None,
) -> Page[OperationFigures, OperationPlace]:
    """Return the operations of a service in the window, by name and kind, those after a place when one is given."""
    parameters: dict[str, Parameter] = {
        "tenant": tenant,
        **window.parameters(),
        "service": service,
        "rows": operations_max + 1,
        **({} if after is None else {"after_name": after.name, "after_kind": after.kind}),
    }
    rows = reader.read(tenant, sql.operations(after=after is not None), parameters)
    items = tuple(_operation(row, window) for row in rows[:operations_max])
    return Page(items, OperationPlace(items[-1].name, items[-1].kind) if len(rows) > operations_max else None)


def _service(name: str, rows: list[Row], window: Window) -> ServiceFigures:
    requests = max(rows, key=lambda row: integer(row["entry"]))
    return ServiceFigures(
        name=name,
        requests_are="entry" if integer(requests["entry"]) else "all",
        figures=_figures(requests, window),
        spans=_sum(rows, "spans"),
        first_ns=min(integer(row["first_ns"]) for row in rows),
        last_ns=max(integer(row["last_ns"]) for row in rows),
    )


def _operation(row: Row, window: Window) -> OperationFigures:
    return OperationFigures(
        name=text(row["name"]),
        kind=integer(row["kind"]),
        figures=_figures(row, window),
        first_ns=integer(row["first_ns"]),
        last_ns=integer(row["last_ns"]),
    )


def _figures(row: Row, window: Window) -> Figures:
    requests, errors = real(row["requests"]), real(row["errors"])
    bins = np.array(integers(row["bins"]), np.int64)
    entries = Histograms.of(np.zeros(len(bins), np.int64), bins, np.array(reals(row["weights"])), groups=1)
    p50_ms, p95_ms, p99_ms = (quantile / _NS_PER_MS for quantile in entries.quantiles(LEVELS)[0].tolist())
    return Figures(
        requests=round(requests),
        errors=round(errors),
        rate=requests / window.duration_s,
        error_rate=errors / requests,
        p50_ms=p50_ms,
        p95_ms=p95_ms,
        p99_ms=p99_ms,
    )


def _sum(rows: Iterable[Row], column: str) -> int:
    return sum(integer(row[column]) for row in rows)
