"""The one list of telemetry tables: their columns, sorting keys, retention and row filter all come from here.

Evidence for the layout is in docs/adr/0002-table-layout.md. Words used by every table:

- `segment`: number of the spool segment a row came with; `received`: that segment's time, so a replay repeats it.
- `retention`: class that decides how long a row stays; a row moves class by being inserted again, never by mutation.
- `attributes` and `attribute_kinds`: values as text and, position by position, a digit for the kind each was sent as
  (its place in `VALUE_KINDS`). Arrays and maps are kept as the bytes of their protobuf message, so that every kind
  can be given back as it came. The digits of a row depend on its operation: as one word they take a byte, not ten.
- `weight`: how many spans a row stands for: its sender kept one in so many, or retention did. Counts are sums of it.
- `source`: identity of a resource with its instrumentation scope; table `sources` says what it stands for.
"""

from typing import Final

from homeostat_server.store.telemetry.tables import DESCRIBING, Column, Index, Retention, Table

VALUE_KINDS: Final = (
    "unset",
    "string_value",
    "bool_value",
    "int_value",
    "double_value",
    "array_value",
    "kvlist_value",
    "bytes_value",
)
"""Members of OTLP's AnyValue; the position is the field number on the wire and the number of the Enum here."""

KIND: Final = "Enum8(" + ", ".join(f"'{kind}' = {number}" for number, kind in enumerate(VALUE_KINDS)) + ")"
TEXT: Final = "LowCardinality(String)"
KINDS: Final = TEXT
MAP: Final = f"Map({TEXT}, String)"
TIME: Final = "DateTime64(9, 'UTC')"
TRACE_ID: Final = "FixedString(16)"
SPAN_ID: Final = "FixedString(8)"
DENSE: Final = "ZSTD(3)"
"""For the columns of spans that compress: 3 % fewer bytes of a span than by level 1, and no more CPU."""
KIBIBYTE: Final = 1024
LARGE: Final = 512 * KIBIBYTE
"""Bytes of a block of a column of spans that repeats itself from trace to trace: an eighth of it takes 40 % more. All
others gain nothing by it, and a look-up of a trace decompresses a block of each (docs/adr/0013-blocks-of-spans.md)."""
RETENTION: Final = "Enum8('ordinary' = 0, 'valued' = 1)"

ORIGIN: Final = (
    Column("segment", "UInt64", "Delta, ZSTD(1)"),
    Column("received", "DateTime('UTC')", "Delta, ZSTD(1)"),
    Column("retention", RETENTION),
    Column("tenant", TEXT),
)
ATTRIBUTES: Final = (
    Column("attributes", MAP, "ZSTD(3)"),
    Column("attribute_kinds", KINDS),
    Column("dropped_attributes", "UInt32"),
)
SOURCE: Final = "LowCardinality(UInt64)"
SUBJECT: Final = (Column("service", TEXT), Column("source", SOURCE))

ITEMS: Final = "arrayMap((key, value) -> concat(key, '=', value), mapKeys(attributes), mapValues(attributes))"
ATTRIBUTE_INDEX: Final = Index("attribute_items", ITEMS, "bloom_filter(0.025)")

SPANS: Final = Table(
    name="spans",
    subject="One row a span",
    columns=(
        *ORIGIN,
        Column("ts", TIME, "T64, ZSTD(1)"),
        Column("duration_ns", "Int64", "T64, ZSTD(1)"),
        Column("trace_id", TRACE_ID, DENSE),
        Column("span_id", SPAN_ID, "NONE"),  # random bytes: nothing compresses them
        Column("parent_span_id", SPAN_ID, DENSE),
        Column("trace_state", "String"),
        Column("flags", "UInt32"),
        Column("name", TEXT, DENSE, block_bytes=LARGE),
        Column("kind", "Int32", "T64, ZSTD(1)"),
        Column("status_code", "Int32"),
        Column("status_message", "String"),
        Column("service", TEXT, DENSE, block_bytes=LARGE),
        Column("source", SOURCE, DENSE, block_bytes=LARGE),
        # Values as words: the same ones come again and again, and what does not costs a place in a small dictionary.
        Column("attributes", f"Map({TEXT}, {TEXT})", "ZSTD(5)", block_bytes=128 * KIBIBYTE),
        Column("attribute_kinds", KINDS, DENSE, block_bytes=LARGE),
        Column("dropped_attributes", "UInt32"),
        Column("events.ts", f"Array({TIME})"),
        Column("events.name", f"Array({TEXT})"),
        Column("events.attributes", f"Array({MAP})", DENSE, block_bytes=LARGE),
        Column("events.attribute_kinds", f"Array({KINDS})"),
        Column("events.dropped_attributes", "Array(UInt32)"),
        Column("dropped_events", "UInt32"),
        Column("links.trace_id", f"Array({TRACE_ID})"),
        Column("links.span_id", f"Array({SPAN_ID})"),
        Column("links.trace_state", "Array(String)"),
        Column("links.flags", "Array(UInt32)"),
        Column("links.attributes", f"Array({MAP})"),
        Column("links.attribute_kinds", f"Array({KINDS})"),
        Column("links.dropped_attributes", "Array(UInt32)"),
        Column("dropped_links", "UInt32"),
        Column("weight", "Float64", default="1"),
    ),
    order_by="(tenant, toStartOfFiveMinutes(ts), trace_id, ts)",
    retention=Retention.PARTITION,
    indexes=(
        ATTRIBUTE_INDEX,
        Index("service", "service", "set(64)"),
        Index("ts", "ts", "minmax"),
    ),
)

TRACE_BOUNDS: Final = Table(
    name="trace_bounds",
    subject="First and last second of each trace, so that a trace is found by its id alone",
    columns=(
        Column("received", "DateTime('UTC')", "Delta, ZSTD(1)"),
        Column("retention", RETENTION),
        Column("tenant", TEXT),
        Column("trace_id", TRACE_ID, "NONE"),
        Column("first_ts", "SimpleAggregateFunction(min, DateTime64(0, 'UTC'))", "T64, ZSTD(1)"),
        Column("last_ts", "SimpleAggregateFunction(max, DateTime64(0, 'UTC'))", "T64, ZSTD(1)"),
    ),
    order_by="(tenant, trace_id)",
    retention=Retention.PARTITION,
    derived=True,
)

SOURCES: Final = Table(
    name="sources",
    subject="One row a resource and instrumentation scope",
    columns=(
        Column("tenant", TEXT),
        Column("service", TEXT),
        Column("source", "UInt64"),
        Column("resource", MAP),
        Column("resource_kinds", KINDS),
        Column("resource_dropped_attributes", "UInt32"),
        Column("resource_entities", "Array(String)"),
        Column("resource_schema_url", "String"),
        Column("scope_name", "String"),
        Column("scope_version", "String"),
        Column("scope", MAP),
        Column("scope_kinds", KINDS),
        Column("scope_dropped_attributes", "UInt32"),
        Column("scope_schema_url", "String"),
        Column("first_seen", "SimpleAggregateFunction(min, DateTime('UTC'))"),
        Column("last_seen", "SimpleAggregateFunction(max, DateTime('UTC'))"),
    ),
    order_by="(tenant, service, source)",
    retention=Retention.LAST_SEEN,
    derived=True,
    settings=DESCRIBING,
)

WORDS: Final = f"Array({TEXT})"
REALS: Final = "Array(Float64)"
BINS: Final = "Array(Array(UInt16))"
WEIGHTS: Final = "Array(Array(Float64))"

TRACE_SUMMARIES: Final = Table(
    name="trace_summaries",
    subject="What five minutes of spans come to; the newest version of a bucket counts, with all its parts",
    columns=(
        Column("tenant", TEXT),
        Column("bucket", "DateTime('UTC')"),
        Column("version", "UInt64"),  # when it was made, in ns
        Column("part", "UInt16"),
        Column("parts", "UInt16"),
        Column("form", "UInt16"),
        Column("rows", "UInt64"),  # spans seen of it and the buckets beside it, and the last segment
        Column("through", "UInt64"),
        Column("node_service", WORDS),
        Column("node_entry", "Array(UInt8)"),
        Column("node_calls", REALS),
        Column("node_errors", REALS),
        Column("node_bins", BINS),
        Column("node_weights", WEIGHTS),
        Column("edge_caller", WORDS),
        Column("edge_caller_kind", WORDS),
        Column("edge_callee", WORDS),
        Column("edge_callee_kind", WORDS),
        Column("edge_async", "Array(UInt8)"),
        Column("edge_calls", REALS),
        Column("edge_errors", REALS),
        Column("edge_bins", BINS),
        Column("edge_weights", WEIGHTS),
        Column("work_service", WORDS),
        Column("work_operation", WORDS),
        Column("work_self_ns", REALS),
        Column("work_on_path", REALS),
        Column("work_spans", REALS),
        Column("work_example", f"Array({TRACE_ID})"),
        Column("work_example_ns", REALS),
        Column("pattern_name", WORDS),
        Column("pattern_service", WORDS),
        Column("pattern_operation", WORDS),
        Column("pattern_callees", f"Array({WORDS})"),
        Column("pattern_places", "Array(UInt64)"),
        Column("pattern_found", REALS),
        Column("pattern_calls", REALS),
        Column("pattern_spent_ns", REALS),
        Column("pattern_wasted_ns", REALS),
        Column("pattern_example", f"Array({TRACE_ID})"),
        Column("pattern_example_ns", REALS),
        Column("clock_service", WORDS),
        Column("clock_spans", REALS),
        Column("spans", "Float64"),
        Column("child_spans", "Float64"),
        Column("child_spans_seen", "Float64"),
        Column("repeated", "Float64"),
        Column("rings", "Float64"),
        Column("left_out", "Float64"),
        Column("requests", "Float64"),
        Column("requests_ns", "Float64"),
        Column("background", "Float64"),
        Column("background_ns", "Float64"),
        Column("last_seen", "SimpleAggregateFunction(max, DateTime('UTC'))"),
    ),
    order_by="(tenant, bucket, version, part)",
    retention=Retention.LAST_SEEN,
    derived=True,
    # A row may be a megabyte: an hour is a dozen of them, and its neighbours need not be read.
    settings={**DESCRIBING, "index_granularity": "16"},
)

LOGS: Final = Table(
    name="logs",
    subject="One row a log record",
    columns=(
        *ORIGIN,
        Column("ts", TIME, "Delta, ZSTD(1)"),
        Column("ts_origin", "Enum8('time' = 0, 'observed' = 1, 'received' = 2)"),
        Column("observed_ts", TIME, "Delta, ZSTD(1)"),
        Column("trace_id", TRACE_ID),
        Column("span_id", SPAN_ID),
        Column("flags", "UInt32"),
        Column("severity_number", "Int32"),
        Column("severity_text", TEXT),
        Column("event_name", TEXT),
        Column("body", "String"),
        Column("body_kind", KIND),
        *SUBJECT,
        *ATTRIBUTES,
    ),
    order_by="(tenant, toStartOfFiveMinutes(ts), service, ts)",
    retention=Retention.PARTITION,
    indexes=(
        Index("body", "body", "text(tokenizer = 'splitByNonAlpha', preprocessor = lower(body))"),
        ATTRIBUTE_INDEX,
        Index("trace_id", "trace_id", "bloom_filter(0.01)"),
        Index("ts", "ts", "minmax"),
    ),
)

METRIC_KINDS: Final = {"gauge": 5, "sum": 7, "histogram": 9, "exponential_histogram": 10, "summary": 11}
"""Members of OTLP's Metric with their field numbers on the wire, which are the numbers of the Enum here."""

METRIC_KIND: Final = "Enum8('unset' = 0, " + ", ".join(f"'{kind}' = {n}" for kind, n in METRIC_KINDS.items()) + ")"

SERIES: Final = Table(
    name="series",
    subject="One row a time series: what its samples have in common",
    columns=(
        Column("tenant", TEXT),
        Column("metric", TEXT),
        Column("series", "UInt64"),
        Column("kind", METRIC_KIND),
        Column("unit", TEXT),
        Column("description", "String"),
        Column("temporality", "Int32"),
        Column("monotonic", "Bool"),
        Column("metadata", MAP),
        Column("metadata_kinds", KINDS),
        *SUBJECT,
        Column("attributes", MAP, "ZSTD(3)"),
        Column("attribute_kinds", KINDS),
        Column("first_seen", "SimpleAggregateFunction(min, DateTime('UTC'))"),
        Column("last_seen", "SimpleAggregateFunction(max, DateTime('UTC'))"),
    ),
    order_by="(tenant, metric, series)",
    retention=Retention.LAST_SEEN,
    derived=True,
    settings=DESCRIBING,
)

POINT: Final = (
    *ORIGIN,
    Column("metric", TEXT),
    Column("series", "UInt64", "Delta, ZSTD(1)"),
    Column("ts", TIME, "DoubleDelta, ZSTD(1)"),
    Column("start_ts", TIME, "DoubleDelta, ZSTD(1)"),
    Column("flags", "UInt32"),
)
POINT_ORDER: Final = "(tenant, metric, series, ts)"

SAMPLES: Final = Table(
    name="samples",
    subject="One row a number point of a gauge or a sum",
    columns=(
        *POINT,
        Column("value", "Float64", "Gorilla, ZSTD(1)"),
        Column("integer", "Nullable(Int64)", "Delta, ZSTD(1)"),  # the exact value when it was sent as an integer
    ),
    order_by=POINT_ORDER,
    retention=Retention.PARTITION,
    indexes=(Index("ts", "ts", "minmax"),),
)

HISTOGRAMS: Final = Table(
    name="histograms",
    subject="One row a histogram point with explicit bounds",
    columns=(
        *POINT,
        Column("count", "UInt64"),
        Column("sum", "Nullable(Float64)"),
        Column("min", "Nullable(Float64)"),
        Column("max", "Nullable(Float64)"),
        Column("bounds", "Array(Float64)"),
        Column("buckets", "Array(UInt64)"),
    ),
    order_by=POINT_ORDER,
    retention=Retention.PARTITION,
    indexes=(Index("ts", "ts", "minmax"),),
)

EXPONENTIAL_HISTOGRAMS: Final = Table(
    name="exponential_histograms",
    subject="One row an exponential histogram point at the resolution it was sent with",
    columns=(
        *POINT,
        Column("count", "UInt64"),
        Column("sum", "Nullable(Float64)"),
        Column("min", "Nullable(Float64)"),
        Column("max", "Nullable(Float64)"),
        Column("scale", "Int32"),
        Column("zero_count", "UInt64"),
        Column("zero_threshold", "Float64"),
        Column("positive_offset", "Int32"),
        Column("positive_buckets", "Array(UInt64)"),
        Column("negative_offset", "Int32"),
        Column("negative_buckets", "Array(UInt64)"),
    ),
    order_by=POINT_ORDER,
    retention=Retention.PARTITION,
    indexes=(Index("ts", "ts", "minmax"),),
)

SUMMARIES: Final = Table(
    name="summaries",
    subject="One row a summary point",
    columns=(
        *POINT,
        Column("count", "UInt64"),
        Column("sum", "Float64"),
        Column("quantiles", "Array(Float64)"),
        Column("quantile_values", "Array(Float64)"),
    ),
    order_by=POINT_ORDER,
    retention=Retention.PARTITION,
    indexes=(Index("ts", "ts", "minmax"),),
)

EXEMPLARS: Final = Table(
    name="exemplars",
    subject="One row an exemplar of any metric point",
    columns=(
        *ORIGIN,
        Column("metric", TEXT),
        Column("series", "UInt64", "Delta, ZSTD(1)"),
        Column("ts", TIME, "Delta, ZSTD(1)"),
        Column("point_ts", TIME, "Delta, ZSTD(1)"),
        Column("value", "Float64"),
        Column("integer", "Nullable(Int64)"),
        Column("trace_id", TRACE_ID),
        Column("span_id", SPAN_ID),
        Column("attributes", MAP, "ZSTD(3)"),
        Column("attribute_kinds", KINDS),
    ),
    order_by=POINT_ORDER,
    retention=Retention.PARTITION,
    indexes=(Index("ts", "ts", "minmax"),),
)

CATALOGUE: Final = (
    SPANS,
    TRACE_BOUNDS,
    SOURCES,
    TRACE_SUMMARIES,
    LOGS,
    SERIES,
    SAMPLES,
    HISTOGRAMS,
    EXPONENTIAL_HISTOGRAMS,
    SUMMARIES,
    EXEMPLARS,
)
