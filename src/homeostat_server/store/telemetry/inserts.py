"""The statements that turn a segment file into rows. It runs nothing and knows no connection.

Each is one `INSERT … SELECT … FROM file(segment)`: the engine decodes by the signal's schema, which the session that
runs it has set; Python never loops over items. Derived rows are
inserted before the rows they describe, so that no row is ever seen without its source or series.
"""

from pathlib import Path
from typing import Final

from homeostat_server.model.signal import Signal
from homeostat_server.store.telemetry import wire
from homeostat_server.store.telemetry.catalogue import METRIC_KINDS
from homeostat_server.store.telemetry.tables import DATABASE
from homeostat_server.store.telemetry.weighing import weight

TIME_MAX_NS: Final = 2**63 - 1
"""The last nanosecond of DateTime64(9), in the year 2262."""


def quoted(text: str) -> str:
    """Return the text as a SQL string literal."""
    escaped = text.replace("\\", "\\\\").replace("'", "\\'")
    return f"'{escaped}'"


def value_text(value: str) -> str:
    """Return the expression that gives an AnyValue as text."""
    return (
        f"multiIf({value}.value = 'string_value', {value}.string_value,"
        f" {value}.value = 'int_value', toString({value}.int_value),"
        f" {value}.value = 'double_value', toString({value}.double_value),"
        f" {value}.value = 'bool_value', toString({value}.bool_value),"
        f" concat({value}.array_value, {value}.kvlist_value, {value}.bytes_value))"
    )


def attribute_map(attributes: str) -> str:
    """Return the expression that gives attributes as a map of texts."""
    return f"mapFromArrays({attributes}.key, arrayMap(v -> {value_text('v')}, {attributes}.value))"


def kind_digits(attributes: str) -> str:
    """Return the expression that gives the kinds of attributes as a word of digits."""
    return f"arrayStringConcat(arrayMap(v -> toString(toInt8(v.value)), {attributes}.value))"


def time(nanoseconds: str) -> str:
    """Return the expression that gives nanoseconds since the epoch as a time, the last one that fits if they do not."""
    return f"fromUnixTimestamp64Nano(toInt64(least({nanoseconds}, {TIME_MAX_NS})), 'UTC')"


def attribute_hash(attributes: str) -> str:
    """Return the expression that identifies attributes by key, kind and value, whatever order they came in.

    cityHash64 hashes a column at a time; sipHash64 goes value by value and makes metrics half as fast again.
    """
    hashes = f"arrayMap((k, v) -> cityHash64(k, v), {attributes}.key, {attributes}.value)"
    return f"cityHash64(arraySort({hashes}))"


def source_id(block: str, scope: str) -> str:
    """Return the expression that identifies a resource and its scope, whatever order their attributes came in."""
    resource, inner = f"{block}.resource", f"{scope}.scope"
    return (
        f"cityHash64({attribute_hash(f'{resource}.attributes')}, {resource}.dropped_attributes_count,"
        f" {resource}.entity_refs, {block}.schema_url, {inner}.name, {inner}.version,"
        f" {attribute_hash(f'{inner}.attributes')}, {inner}.dropped_attributes_count, {scope}.schema_url)"
    )


SERVICE: Final = "block.resource.attributes.value[indexOf(block.resource.attributes.key, 'service.name')].string_value"


def segment_file(path: Path, columns: str) -> str:
    """Return the table function that reads a segment."""
    return f"file({quoted(str(path))}, 'Protobuf', {quoted(columns)})"


def scopes(path: Path, columns: str) -> str:
    """Return the query that gives one row a scope block: tenant, service, source, block, scope."""
    return (
        f"SELECT tenant, block, arrayJoin(block.scope_blocks) AS scope, {SERVICE} AS service,"
        f" {source_id('block', 'scope')} AS source"
        f" FROM (SELECT tenant, arrayJoin(request.blocks) AS block FROM {segment_file(path, columns)})"
    )


def items(path: Path, columns: str) -> str:
    """Return the query that gives one row an item (span, log record, metric): tenant, service, source, item."""
    return f"SELECT tenant, service, source, arrayJoin(scope.items) AS item FROM ({scopes(path, columns)})"


def received(number: int) -> str:
    """Return the time of receipt that a segment's number tells."""
    return f"toDateTime({(number >> 12) // 1_000_000}, 'UTC')"


def insert(table: str, columns: dict[str, str], query: str, *, tail: str = "") -> str:
    """Return an INSERT of the named expressions over a query."""
    names = ", ".join(f"`{name}`" for name in columns)
    expressions = ", ".join(columns.values())
    return f"INSERT INTO {DATABASE}.{table} ({names}) SELECT {expressions} FROM ({query}){tail}"


def insert_sources(number: int, path: Path) -> str:
    """Return the INSERT of a segment's resources and scopes; it reads no item, so it serves every signal."""
    columns = {
        "tenant": "tenant",
        "service": "service",
        "source": "source",
        "resource": attribute_map("block.resource.attributes"),
        "resource_kinds": kind_digits("block.resource.attributes"),
        "resource_dropped_attributes": "block.resource.dropped_attributes_count",
        "resource_entities": "block.resource.entity_refs",
        "resource_schema_url": "block.schema_url",
        "scope_name": "scope.scope.name",
        "scope_version": "scope.scope.version",
        "scope": attribute_map("scope.scope.attributes"),
        "scope_kinds": kind_digits("scope.scope.attributes"),
        "scope_dropped_attributes": "scope.scope.dropped_attributes_count",
        "scope_schema_url": "scope.schema_url",
        "first_seen": received(number),
        "last_seen": received(number),
    }
    query = scopes(path, wire.SOURCE_COLUMNS)
    return insert("sources", columns, unseen(query, "sources", "source", number))


def unseen(query: str, table: str, key: str, number: int) -> str:
    """Return a query's first row of each key that the derived table did not see in the hour of this segment.

    So what hardly ever changes is written once an hour, not with every segment.
    """
    hour_s = (number >> 12) // 3_600_000_000 * 3600
    # One that was first seen later does not count: a segment that had to wait, or is replayed, tells of before.
    seen = f"first_seen <= {received(number)} AND last_seen >= toDateTime({hour_s}, 'UTC')"
    known = f"SELECT tenant, {key} FROM {DATABASE}.{table} WHERE {seen}"
    return f"SELECT * FROM ({query}) WHERE (tenant, {key}) NOT IN ({known}) LIMIT 1 BY tenant, {key}"


def insert_trace_bounds(number: int, path: Path) -> str:
    """Return the INSERT of the first and last second of each trace of a segment."""
    columns = {
        "received": received(number),
        "tenant": "tenant",
        "trace_id": "item.trace_id AS id",
        "first_ts": f"toDateTime64(min({time('item.start_time_unix_nano')}), 0, 'UTC')",
        "last_ts": f"toDateTime64(max({time('item.start_time_unix_nano')}), 0, 'UTC')",
    }
    query = items(path, wire.TRACE_BOUNDS_COLUMNS)
    return insert("trace_bounds", columns, query, tail=" GROUP BY tenant, id")


def insert_spans(number: int, path: Path) -> str:
    """Return the INSERT of a segment's spans."""
    columns = {
        "segment": str(number),
        "received": received(number),
        "tenant": "tenant",
        "ts": time("item.start_time_unix_nano"),
        "duration_ns": "toInt64(item.end_time_unix_nano) - toInt64(item.start_time_unix_nano)",
        "trace_id": "item.trace_id",
        "span_id": "item.span_id",
        "parent_span_id": "item.parent_span_id",
        "trace_state": "item.trace_state",
        "flags": "item.flags",
        "name": "item.name",
        "kind": "item.kind",
        "status_code": "item.status.code",
        "status_message": "item.status.message",
        "service": "service",
        "source": "source",
        "attributes": attribute_map("item.attributes"),
        "attribute_kinds": kind_digits("item.attributes"),
        "dropped_attributes": "item.dropped_attributes_count",
        "events.ts": f"arrayMap(t -> {time('t')}, item.events.time_unix_nano)",
        "events.name": "item.events.name",
        "events.attributes": f"arrayMap(a -> {attribute_map('a')}, item.events.attributes)",
        "events.attribute_kinds": f"arrayMap(a -> {kind_digits('a')}, item.events.attributes)",
        "events.dropped_attributes": "item.events.dropped_attributes_count",
        "dropped_events": "item.dropped_events_count",
        "links.trace_id": "item.links.trace_id",
        "links.span_id": "item.links.span_id",
        "links.trace_state": "item.links.trace_state",
        "links.flags": "item.links.flags",
        "links.attributes": f"arrayMap(a -> {attribute_map('a')}, item.links.attributes)",
        "links.attribute_kinds": f"arrayMap(a -> {kind_digits('a')}, item.links.attributes)",
        "links.dropped_attributes": "item.links.dropped_attributes_count",
        "dropped_links": "item.dropped_links_count",
        "weight": weight("item.trace_state"),
    }
    return insert("spans", columns, items(path, wire.TRACE_COLUMNS))


def insert_logs(number: int, path: Path) -> str:
    """Return the INSERT of a segment's log records.

    A record without a time gets the time it was observed, and without that the time it was received; `ts_origin` says
    which.
    """
    origin = "multiIf(item.time_unix_nano != 0, 'time', item.observed_time_unix_nano != 0, 'observed', 'received')"
    moment = (
        "multiIf(item.time_unix_nano != 0, item.time_unix_nano, item.observed_time_unix_nano != 0,"
        f" item.observed_time_unix_nano, {(number >> 12) * 1000})"
    )
    columns = {
        "segment": str(number),
        "received": received(number),
        "tenant": "tenant",
        "ts": time(moment),
        "ts_origin": origin,
        "observed_ts": time("item.observed_time_unix_nano"),
        "trace_id": "item.trace_id",
        "span_id": "item.span_id",
        "flags": "item.flags",
        "severity_number": "item.severity_number",
        "severity_text": "item.severity_text",
        "event_name": "item.event_name",
        "body": value_text("item.body"),
        "body_kind": "item.body.value",
        "service": "service",
        "source": "source",
        "attributes": attribute_map("item.attributes"),
        "attribute_kinds": kind_digits("item.attributes"),
        "dropped_attributes": "item.dropped_attributes_count",
    }
    return insert("logs", columns, items(path, wire.LOG_COLUMNS))


def points(kinds: tuple[str, ...], path: Path, fields: dict[str, str], *, only: str = "{}") -> str:
    """Return the query that gives one row a point of these kinds: what identifies its series, then `point`.

    A metric has one kind, so concatenating the points of all of them gives that one's. `only` is an expression around
    an array of points that may leave some of them out.
    """
    temporalities = [f"item.{kind}.aggregation_temporality" for kind in kinds if kind in wire.WITH_TEMPORALITY]
    data_points = [only.format(f"item.{kind}.data_points") for kind in kinds]
    columns = {
        "tenant": "tenant",
        "service": "service",
        "source": "source",
        "metric": "item.name",
        "unit": "item.unit",
        "description": "item.description",
        "metadata": "item.metadata",
        "kind": "item.data",
        "temporality": f"toInt32({' + '.join(temporalities) or '0'})",
        "monotonic": "toUInt8(item.sum.is_monotonic)" if "sum" in kinds else "toUInt8(0)",
        "point": f"arrayJoin({concatenated(data_points)})",
    }
    selected = ", ".join(f"{expression} AS {name}" for name, expression in columns.items())
    return f"SELECT {selected} FROM ({items(path, wire.metric_columns(kinds, fields))})"


SERIES_ID: Final = (
    "cityHash64(metric, unit, kind, temporality, monotonic, source, " + attribute_hash("point.attributes") + ")"
)
"""Identity of a series: its metric's name, unit, kind, temporality and monotonicity, its source and its attributes."""


def with_series(query: str) -> str:
    """Return a query over points with the identity of each one's series added."""
    return f"SELECT *, {SERIES_ID} AS series FROM ({query})"


def concatenated(arrays: list[str]) -> str:
    """Return the expression that joins arrays of one type."""
    return arrays[0] if len(arrays) == 1 else f"arrayConcat({', '.join(arrays)})"


def insert_series(number: int, path: Path) -> str:
    """Return the INSERT of the series that were not yet seen in the hour of this segment."""
    columns = {
        "tenant": "tenant",
        "metric": "metric",
        "series": "series",
        "kind": "kind",
        "unit": "unit",
        "description": "description",
        "temporality": "temporality",
        "monotonic": "monotonic",
        "metadata": attribute_map("metadata"),
        "metadata_kinds": kind_digits("metadata"),
        "service": "service",
        "source": "source",
        "attributes": attribute_map("point.attributes"),
        "attribute_kinds": kind_digits("point.attributes"),
        "first_seen": received(number),
        "last_seen": received(number),
    }
    query = with_series(points(tuple(METRIC_KINDS), path, {"attributes": wire.ATTRIBUTES}))
    return insert("series", columns, unseen(query, "series", "series", number))


def insert_points(
    number: int, path: Path, *, table: str, kinds: tuple[str, ...], fields: dict[str, str], values: dict[str, str]
) -> str:
    """Return the INSERT of a segment's points of these kinds, decoding these fields into these columns."""
    columns = {
        "segment": str(number),
        "received": received(number),
        "tenant": "tenant",
        "metric": "metric",
        "series": "series",
        "ts": time("point.time_unix_nano"),
        "start_ts": time("point.start_time_unix_nano"),
        "flags": "point.flags",
        **values,
    }
    query = with_series(points(kinds, path, {**wire.POINT, **fields}))
    return insert(table, columns, query)


def number_value(value: str) -> dict[str, str]:
    """Return the columns of a number that was sent as a double or as an integer."""
    is_integer = f"{value}.value = 'as_int'"
    return {
        "value": f"if({is_integer}, toFloat64({value}.as_int), {value}.as_double)",
        "integer": f"if({is_integer}, {value}.as_int, NULL)",
    }


def insert_samples(number: int, path: Path) -> str:
    """Return the INSERT of the number points of gauges and sums."""
    kinds = ("gauge", "sum")
    return insert_points(number, path, table="samples", kinds=kinds, fields=wire.NUMBER, values=number_value("point"))


TOTALS: Final = {name: f"point.{name}" for name in ("count", "sum", "min", "max")}


def insert_histograms(number: int, path: Path) -> str:
    """Return the INSERT of histogram points."""
    values = {**TOTALS, "bounds": "point.explicit_bounds", "buckets": "point.bucket_counts"}
    return insert_points(number, path, table="histograms", kinds=("histogram",), fields=wire.HISTOGRAM, values=values)


def insert_exponential_histograms(number: int, path: Path) -> str:
    """Return the INSERT of exponential histogram points."""
    values = {
        **TOTALS,
        "scale": "point.scale",
        "zero_count": "point.zero_count",
        "zero_threshold": "point.zero_threshold",
        "positive_offset": "point.positive.offset",
        "positive_buckets": "point.positive.bucket_counts",
        "negative_offset": "point.negative.offset",
        "negative_buckets": "point.negative.bucket_counts",
    }
    return insert_points(
        number,
        path,
        table="exponential_histograms",
        kinds=("exponential_histogram",),
        fields=wire.EXPONENTIAL_HISTOGRAM,
        values=values,
    )


def insert_summaries(number: int, path: Path) -> str:
    """Return the INSERT of summary points."""
    values = {
        "count": "point.count",
        "sum": "point.sum",
        "quantiles": "point.quantile_values.quantile",
        "quantile_values": "point.quantile_values.value",
    }
    return insert_points(number, path, table="summaries", kinds=("summary",), fields=wire.SUMMARY, values=values)


def insert_exemplars(number: int, path: Path) -> str:
    """Return the INSERT of the exemplars of a segment's points."""
    columns = {
        "segment": str(number),
        "received": received(number),
        "tenant": "tenant",
        "metric": "metric",
        "series": "series",
        "ts": time("exemplar.time_unix_nano"),
        "point_ts": time("point.time_unix_nano"),
        **number_value("exemplar"),
        "trace_id": "exemplar.trace_id",
        "span_id": "exemplar.span_id",
        "attributes": attribute_map("exemplar.filtered_attributes"),
        "attribute_kinds": kind_digits("exemplar.filtered_attributes"),
    }
    fields = {
        "attributes": wire.ATTRIBUTES,
        "time_unix_nano": "UInt64",
        "exemplars": f"Array({wire.EXEMPLAR})",
    }
    # Few points have exemplars: the others are gone before anything is copied or hashed.
    query = points(wire.WITH_EXEMPLARS, path, fields, only="arrayFilter(p -> notEmpty(p.exemplars), {})")
    joined = f"SELECT *, arrayJoin(point.exemplars) AS exemplar FROM ({query})"
    return insert("exemplars", columns, with_series(joined))


DERIVED: Final = {
    Signal.TRACES: (insert_sources, insert_trace_bounds),
    Signal.LOGS: (insert_sources,),
    Signal.METRICS: (insert_sources, insert_series),
}
"""The statements of each signal that come first, in this order: what the rows of a segment refer to. Each is made from
a segment's number and path."""

ROWS: Final = {
    Signal.TRACES: (insert_spans,),
    Signal.LOGS: (insert_logs,),
    Signal.METRICS: (
        insert_exemplars,
        insert_samples,
        insert_histograms,
        insert_exponential_histograms,
        insert_summaries,
    ),
}
"""The statements that come then, in any order or at once; the longest is first, so that two hands end together."""

TABLES: Final = {
    Signal.TRACES: ("spans",),
    Signal.LOGS: ("logs",),
    Signal.METRICS: ("samples", "histograms", "exponential_histograms", "summaries", "exemplars"),
}
"""The tables of each signal whose rows carry a segment number and are taken back before a replay; what is derived
holds only idempotent aggregates and needs no taking back."""
