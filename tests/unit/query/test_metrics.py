import pytest
from opentelemetry.proto.metrics.v1.metrics_pb2 import Metric

from homeostat_server.exceptions import NotFound
from homeostat_server.query.metrics.listing import list_metrics, list_series
from homeostat_server.query.window import Window
from tests import otlp
from tests.otlp import NOW_NS
from tests.telemetry_store import FilledStore

SECOND_NS = 10**9
WINDOW = Window(NOW_NS - SECOND_NS, NOW_NS + SECOND_NS)


def test_metrics_are_found_by_part_of_their_name_and_by_service(filled: FilledStore) -> None:
    """In any case."""
    tenant = filled.new_tenant()
    made = [otlp.metric(otlp.number(), name=name) for name in ("cpu.time", "http.server.duration", "http.client")]
    filled.insert(tenant, otlp.metrics(*made))
    for name, service, expected in (
        ("HTTP", None, ["http.client", "http.server.duration"]),
        ("time", "shop", ["cpu.time"]),
        (None, "cart", []),
        ("%", None, []),
    ):
        page = list_metrics(filled.store, tenant=tenant, window=WINDOW, metrics_max=10, name=name, service=service)
        assert [metric.name for metric in page.items] == expected


def test_a_name_that_two_services_use_in_two_ways_shows_both(filled: FilledStore) -> None:
    """Kinds, units and temporalities are lists, since nothing keeps senders from disagreeing."""
    tenant = filled.new_tenant()
    made = [otlp.metric(otlp.number(as_int=5), name="size"), otlp.sum_metric(otlp.number(), name="size")]
    made.append(otlp.metric(otlp.histogram(time_unix_nano=NOW_NS + 1), name="size"))
    made[0].description = "Size."
    filled.insert(tenant, otlp.metrics(*made))
    [metric] = list_metrics(filled.store, tenant=tenant, window=WINDOW, metrics_max=10).items
    assert metric.kinds == ("gauge", "sum", "histogram")
    assert metric.units == ("", "1")
    assert metric.temporalities == ("unspecified", "cumulative")
    assert metric.monotonic
    assert metric.description == "Size."
    assert metric.series_count == 3
    assert metric.newest is not None
    assert metric.newest.values["count"] == 6
    answer = list_series(filled.store, tenant=tenant, window=WINDOW, metric="size", series_max=10)
    assert sorted(series.kind for series in answer.page.items) == ["gauge", "histogram", "sum"]


def test_a_metric_without_points_in_the_window_has_no_newest_one(filled: FilledStore) -> None:
    """Its series are known to the hour, its points to the nanosecond."""
    tenant = filled.new_tenant()
    filled.insert(tenant, otlp.metrics(otlp.metric(otlp.number())))
    window = Window(NOW_NS + 1_800 * SECOND_NS, NOW_NS + 3_000 * SECOND_NS)
    [metric] = list_metrics(filled.store, tenant=tenant, window=window, metrics_max=10).items
    assert metric.newest is None
    [series] = list_series(filled.store, tenant=tenant, window=window, metric="requests", series_max=10).page.items
    assert series.newest is None


def test_a_metric_that_nobody_sent_is_not_found(filled: FilledStore) -> None:
    """One that was quiet in the window is: it has no series there."""
    tenant = filled.new_tenant()
    filled.insert(tenant, otlp.metrics(otlp.metric(otlp.number())))
    quiet = Window(0, SECOND_NS)
    assert not list_series(filled.store, tenant=tenant, window=quiet, metric="requests", series_max=10).page.items
    with pytest.raises(NotFound, match="find the metric: other"):
        list_series(filled.store, tenant=tenant, window=quiet, metric="other", series_max=10)


def test_a_metric_without_data_is_not_there(filled: FilledStore) -> None:
    """A name alone makes no series."""
    tenant = filled.new_tenant()
    filled.insert(tenant, otlp.metrics(Metric(name="empty")))
    assert not list_metrics(filled.store, tenant=tenant, window=WINDOW, metrics_max=10).items
