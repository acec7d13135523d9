from collections.abc import Callable, Iterator
from typing import Any

from hypothesis import HealthCheck, given, settings
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.metrics.v1.metrics_pb2 import Metric

from tests.property.store.conftest import Engine, Example
from tests.property.store.requests import metric_requests
from tests.property.store.stored_model import (
    Canonical,
    bits,
    counted,
    padded,
    sent_attributes,
    sent_source,
    stored_attributes,
    unordered,
)


def sent_series(metric: Metric, point: Any, source: Canonical) -> Canonical:  # noqa: ANN401 - of five types
    """Return what identifies and describes the series of a point."""
    kind = str(metric.WhichOneof("data"))
    data = getattr(metric, kind)
    return (
        metric.name.encode(),
        kind.encode(),
        metric.unit.encode(),
        metric.description.encode(),
        getattr(data, "aggregation_temporality", 0),
        getattr(data, "is_monotonic", False),
        sent_attributes(metric.metadata),
        (source[0], source),
        unordered(sent_attributes(point.attributes)),
    )


def stored_series(row: dict[str, Any], sources: dict[int, Canonical]) -> Canonical:
    """Return what a row says of a series."""
    return (
        row["metric"],
        row["kind_is"],
        row["unit"],
        row["description"],
        row["temporality"],
        row["monotonic"],
        stored_attributes(row["metadata"], row["metadata_kinds"]),
        (row["service"], sources[row["source"]]),
        unordered(stored_attributes(row["attributes"], row["attribute_kinds"])),
    )


def number(value: Any) -> Canonical:  # noqa: ANN401 - a number point or an exemplar
    """Return the value of what holds a double or an integer, which is kept exactly."""
    if value.WhichOneof("value") == "as_int":
        return bits(float(value.as_int)), value.as_int
    return bits(value.as_double), None


def total(point: Any, name: str) -> bytes | None:  # noqa: ANN401 - of two types
    """Return an optional field: one that is not set is not zero."""
    return bits(getattr(point, name)) if point.HasField(name) else None


def many(numbers: Any) -> list[bytes | None]:  # noqa: ANN401 - a repeated field or a column
    """Return real numbers so that they can be compared."""
    return [bits(value) for value in numbers]


def _totals(point: Any) -> Canonical:  # noqa: ANN401 - of two types
    return point.count, total(point, "sum"), total(point, "min"), total(point, "max")


def _stored_totals(row: dict[str, Any]) -> Canonical:
    return row["count"], bits(row["sum"]), bits(row["min"]), bits(row["max"])


SENT: dict[str, Callable[[Any], Canonical]] = {
    "samples": number,
    "histograms": lambda p: (*_totals(p), many(p.explicit_bounds), list(p.bucket_counts)),
    "exponential_histograms": lambda p: (
        *_totals(p),
        (p.scale, p.zero_count, bits(p.zero_threshold)),
        (p.positive.offset, list(p.positive.bucket_counts)),
        (p.negative.offset, list(p.negative.bucket_counts)),
    ),
    "summaries": lambda p: (
        (p.count, bits(p.sum)),
        many(value.quantile for value in p.quantile_values),
        many(value.value for value in p.quantile_values),
    ),
}
STORED: dict[str, Callable[[dict[str, Any]], Canonical]] = {
    "samples": lambda row: (bits(row["value"]), row["integer"]),
    "histograms": lambda row: (*_stored_totals(row), many(row["bounds"]), row["buckets"]),
    "exponential_histograms": lambda row: (
        *_stored_totals(row),
        (row["scale"], row["zero_count"], bits(row["zero_threshold"])),
        (row["positive_offset"], row["positive_buckets"]),
        (row["negative_offset"], row["negative_buckets"]),
    ),
    "summaries": lambda row: (
        (row["count"], bits(row["sum"])),
        many(row["quantiles"]),
        many(row["quantile_values"]),
    ),
}
TABLES = {
    "gauge": "samples",
    "sum": "samples",
    "histogram": "histograms",
    "exponential_histogram": "exponential_histograms",
    "summary": "summaries",
}


def sent_points(request: ExportMetricsServiceRequest) -> Iterator[tuple[str, Any, Canonical]]:
    """Yield each point with the table it belongs into and its series."""
    for block in request.resource_metrics:
        for scope in block.scope_metrics:
            source = sent_source(block, scope.scope, scope.schema_url)
            for metric in scope.metrics:
                kind = metric.WhichOneof("data")
                if kind is None:
                    continue
                for point in getattr(metric, kind).data_points:
                    yield TABLES[kind], point, sent_series(metric, point, source)


def sent_exemplars(request: ExportMetricsServiceRequest) -> Iterator[Canonical]:
    """Yield the row that each exemplar has to become."""
    for _, point, series in sent_points(request):
        for exemplar in getattr(point, "exemplars", ()):
            yield (
                series,
                (exemplar.time_unix_nano, point.time_unix_nano),
                number(exemplar),
                (padded(exemplar.trace_id, 16), padded(exemplar.span_id, 8)),
                sent_attributes(exemplar.filtered_attributes),
            )


def stored_points(example: Example, table: str, series: dict[int, Canonical]) -> Iterator[Canonical]:
    """Yield what each row of a table of points says."""
    sql = (
        f"SELECT *, toUnixTimestamp64Nano(ts) AS time, toUnixTimestamp64Nano(start_ts) AS start FROM telemetry.{table}"
    )
    for row in example.rows(sql):
        assert row["metric"] == series[row["series"]][0]
        yield series[row["series"]], (row["time"], row["start"], row["flags"]), STORED[table](row)


def stored_exemplars(example: Example, series: dict[int, Canonical]) -> Iterator[Canonical]:
    """Yield what each row of exemplars says."""
    sql = (
        "SELECT *, toUnixTimestamp64Nano(ts) AS time, toUnixTimestamp64Nano(point_ts) AS point_time"
        " FROM telemetry.exemplars"
    )
    for row in example.rows(sql):
        yield (
            series[row["series"]],
            (row["time"], row["point_time"]),
            STORED["samples"](row),
            (row["trace_id"], row["span_id"]),
            stored_attributes(row["attributes"], row["attribute_kinds"]),
        )


@settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
@given(request=metric_requests())
def test_metrics_come_back_as_they_were_sent(engine: Engine, request: ExportMetricsServiceRequest) -> None:
    """Every field of every point of every kind, whole numbers exactly, and what is not set as not set."""
    example = engine.stored(request)
    sources = example.sources()
    rows = example.rows("SELECT *, toString(kind) AS kind_is FROM telemetry.series")
    series = {row["series"]: stored_series(row, sources) for row in rows}
    sent = list(sent_points(request))
    assert counted(series.values()) == sorted({repr(identity) for _, _, identity in sent})
    for table, describe in SENT.items():
        expected = [
            (identity, (point.time_unix_nano, point.start_time_unix_nano, point.flags), describe(point))
            for name, point, identity in sent
            if name == table
        ]
        assert counted(stored_points(example, table, series)) == counted(expected), table
    assert counted(stored_exemplars(example, series)) == counted(sent_exemplars(request))
