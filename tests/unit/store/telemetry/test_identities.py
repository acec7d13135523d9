"""What makes two sources or two series one, and what makes them two."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, ArrayValue, KeyValue, KeyValueList
from opentelemetry.proto.metrics.v1.metrics_pb2 import AggregationTemporality, Metric, ResourceMetrics

from homeostat_server.store.telemetry.embedded import EmbeddedStore
from tests import otlp
from tests.segment_files import segment_numbers, write_segment
from tests.unit.store.telemetry.conftest import open_store

Change = Callable[[ResourceMetrics], object]
NUMBERS = segment_numbers()


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder of the module's store."""
    return tmp_path_factory.mktemp("identities")


@pytest.fixture(scope="module")
def store(folder: Path) -> Iterator[EmbeddedStore]:
    """Return a store."""
    opened = open_store(folder / "telemetry")
    yield opened
    opened.close()


def base() -> ResourceMetrics:
    """Return a block with everything set that a source or a series can have."""
    metric = Metric(name="requests", unit="1", description="all")
    metric.sum.aggregation_temporality = AggregationTemporality.AGGREGATION_TEMPORALITY_CUMULATIVE
    metric.sum.is_monotonic = True
    metric.sum.data_points.append(otlp.number(attributes=otlp.attributes(2)))
    block: ResourceMetrics = otlp.metrics(metric).resource_metrics[0]
    block.schema_url = "resource schema"
    block.resource.dropped_attributes_count = 1
    block.resource.entity_refs.add(type="host")
    block.resource.attributes.extend(otlp.attributes(2))
    block.scope_metrics[0].schema_url = "scope schema"
    block.scope_metrics[0].scope.dropped_attributes_count = 1
    block.scope_metrics[0].scope.attributes.extend(otlp.attributes(2))
    return block


SOURCE_CHANGES: dict[str, Change] = {
    "resource attribute": lambda b: b.resource.attributes[1].value.CopyFrom(AnyValue(string_value="other")),
    "resource attribute more": lambda b: b.resource.attributes.append(KeyValue(key="more")),
    "resource attribute twice": lambda b: b.resource.attributes.append(b.resource.attributes[1]),
    "resource dropped": lambda b: setattr(b.resource, "dropped_attributes_count", 2),
    "resource entity": lambda b: b.resource.entity_refs.add(type="process"),
    "resource schema": lambda b: setattr(b, "schema_url", "other"),
    "scope name": lambda b: setattr(b.scope_metrics[0].scope, "name", "other"),
    "scope version": lambda b: setattr(b.scope_metrics[0].scope, "version", "other"),
    "scope attribute": lambda b: b.scope_metrics[0].scope.attributes[0].value.CopyFrom(AnyValue(int_value=1)),
    "scope dropped": lambda b: setattr(b.scope_metrics[0].scope, "dropped_attributes_count", 2),
    "scope schema": lambda b: setattr(b.scope_metrics[0], "schema_url", "other"),
    "service": lambda b: b.resource.attributes[0].value.CopyFrom(AnyValue(string_value="other")),
}


def become_gauge(block: ResourceMetrics) -> None:
    """Make the metric a gauge with the same points."""
    metric = block.scope_metrics[0].metrics[0]
    kept = list(metric.sum.data_points)
    metric.gauge.data_points.extend(kept)


VALUES = (
    AnyValue(),
    AnyValue(string_value=""),
    AnyValue(string_value="1"),
    AnyValue(int_value=1),
    AnyValue(double_value=1),
    AnyValue(bool_value=True),
    AnyValue(bytes_value=b"1"),
    AnyValue(bool_value=False),
    AnyValue(int_value=0),
    AnyValue(bytes_value=b""),
    AnyValue(array_value=ArrayValue()),
    AnyValue(kvlist_value=KeyValueList()),
    AnyValue(array_value=ArrayValue(values=[AnyValue(string_value="1")])),
)


def with_value(value: AnyValue) -> Change:
    """Return the change of a point's first attribute to a value."""
    return lambda b: b.scope_metrics[0].metrics[0].sum.data_points[0].attributes[0].value.CopyFrom(value)


SERIES_CHANGES: dict[str, Change] = {
    "name": lambda b: setattr(b.scope_metrics[0].metrics[0], "name", "other"),
    "unit": lambda b: setattr(b.scope_metrics[0].metrics[0], "unit", "By"),
    "temporality": lambda b: setattr(b.scope_metrics[0].metrics[0].sum, "aggregation_temporality", 1),
    "monotonic": lambda b: setattr(b.scope_metrics[0].metrics[0].sum, "is_monotonic", False),
    "kind": become_gauge,
    "source": SOURCE_CHANGES["scope name"],
    "attribute more": lambda b: b.scope_metrics[0].metrics[0].sum.data_points[0].attributes.append(KeyValue(key="m")),
    **{f"attribute is {value!r}": with_value(value) for value in VALUES},
}


def counted(store: EmbeddedStore, folder: Path, changes: list[Change], *, table: str, key: str) -> int:
    """Return how many sources or series come of a block and its changed copies."""
    number = next(NUMBERS)
    tenant = f"tenant-{number}"
    request = otlp.metrics()
    del request.resource_metrics[:]
    for change in changes:
        block = base()
        change(block)
        request.resource_metrics.append(block)
    store.insert_segment(write_segment(folder, [(tenant, request)], number=number))
    rows = store._upkeep.rows(
        f"SELECT uniqExact({key}) AS n FROM telemetry.{table} WHERE tenant = {{tenant:String}}", {"tenant": tenant}
    )
    n = rows[0]["n"]
    assert isinstance(n, int)
    return n


def unchanged(block: ResourceMetrics) -> None:
    """Change nothing."""


def test_sources_differ_in_anything_that_they_say(store: EmbeddedStore, folder: Path) -> None:
    """One change, another source."""
    changes = [unchanged, *SOURCE_CHANGES.values()]
    assert counted(store, folder, changes, table="sources", key="source") == len(changes)


def test_series_differ_in_what_identifies_them(store: EmbeddedStore, folder: Path) -> None:
    """The kind of an attribute's value as well as its text; the description is not a part of it."""
    changes = [unchanged, *SERIES_CHANGES.values()]
    assert counted(store, folder, changes, table="series", key="series") == len(changes)


def turned(block: ResourceMetrics) -> None:
    """Turn the order of all attributes, but for the first that names the service."""
    for attributes in (
        block.resource.attributes,
        block.scope_metrics[0].scope.attributes,
        block.scope_metrics[0].metrics[0].sum.data_points[0].attributes,
    ):
        kept = list(reversed(attributes))
        del attributes[:]
        attributes.extend(kept)


@pytest.mark.parametrize(("table", "key"), [("sources", "source"), ("series", "series")])
def test_the_order_of_attributes_makes_no_difference(store: EmbeddedStore, folder: Path, table: str, key: str) -> None:
    """Senders that enumerate a hash map give another order each time."""
    assert counted(store, folder, [unchanged, turned, unchanged], table=table, key=key) == 1


def test_a_description_makes_no_other_series(store: EmbeddedStore, folder: Path) -> None:
    """It is what people write, and changes with a release."""

    def describe(block: ResourceMetrics) -> None:
        block.scope_metrics[0].metrics[0].description = "another"

    assert counted(store, folder, [unchanged, describe], table="series", key="series") == 1
