CREATE TABLE IF NOT EXISTS telemetry.spans
(
    `segment` UInt64 CODEC(Delta, ZSTD(1)),
    `received` DateTime('UTC') CODEC(Delta, ZSTD(1)),
    `retention` Enum8('ordinary' = 0, 'valued' = 1) CODEC(ZSTD(1)),
    `tenant` LowCardinality(String) CODEC(ZSTD(1)),
    `ts` DateTime64(9, 'UTC') CODEC(Delta, ZSTD(1)),
    `duration_ns` Int64 CODEC(T64, ZSTD(1)),
    `trace_id` FixedString(16) CODEC(ZSTD(3)),
    `span_id` FixedString(8) CODEC(NONE),
    `parent_span_id` FixedString(8) CODEC(ZSTD(3)),
    `trace_state` String CODEC(ZSTD(1)),
    `flags` UInt32 CODEC(ZSTD(1)),
    `name` LowCardinality(String) CODEC(ZSTD(3)),
    `kind` Int32 CODEC(T64, ZSTD(1)),
    `status_code` Int32 CODEC(ZSTD(1)),
    `status_message` String CODEC(ZSTD(1)),
    `service` LowCardinality(String) CODEC(ZSTD(3)),
    `source` LowCardinality(UInt64) CODEC(ZSTD(3)),
    `attributes` Map(LowCardinality(String), LowCardinality(String)) CODEC(ZSTD(3)),
    `attribute_kinds` LowCardinality(String) CODEC(ZSTD(3)),
    `dropped_attributes` UInt32 CODEC(ZSTD(1)),
    `events.ts` Array(DateTime64(9, 'UTC')) CODEC(ZSTD(1)),
    `events.name` Array(LowCardinality(String)) CODEC(ZSTD(1)),
    `events.attributes` Array(Map(LowCardinality(String), String)) CODEC(ZSTD(3)),
    `events.attribute_kinds` Array(LowCardinality(String)) CODEC(ZSTD(1)),
    `events.dropped_attributes` Array(UInt32) CODEC(ZSTD(1)),
    `dropped_events` UInt32 CODEC(ZSTD(1)),
    `links.trace_id` Array(FixedString(16)) CODEC(ZSTD(1)),
    `links.span_id` Array(FixedString(8)) CODEC(ZSTD(1)),
    `links.trace_state` Array(String) CODEC(ZSTD(1)),
    `links.flags` Array(UInt32) CODEC(ZSTD(1)),
    `links.attributes` Array(Map(LowCardinality(String), String)) CODEC(ZSTD(1)),
    `links.attribute_kinds` Array(LowCardinality(String)) CODEC(ZSTD(1)),
    `links.dropped_attributes` Array(UInt32) CODEC(ZSTD(1)),
    `dropped_links` UInt32 CODEC(ZSTD(1)),
    INDEX attribute_items arrayMap((key, value) -> concat(key, '=', value), mapKeys(attributes), mapValues(attributes)) TYPE bloom_filter(0.025) GRANULARITY 1,
    INDEX service service TYPE set(64) GRANULARITY 1,
    INDEX ts ts TYPE minmax GRANULARITY 1
)
ENGINE = MergeTree
PARTITION BY (toYYYYMMDD(received), retention)
ORDER BY (tenant, toStartOfFiveMinutes(ts), trace_id, ts)
SETTINGS fsync_after_insert = 1, fsync_part_directory = 1, merge_selector_base = 8, min_bytes_for_wide_part = 67108864, min_compress_block_size = 262144, string_serialization_version = 'single_stream'
COMMENT 'One row a span';

CREATE TABLE IF NOT EXISTS telemetry.trace_bounds
(
    `received` DateTime('UTC') CODEC(Delta, ZSTD(1)),
    `retention` Enum8('ordinary' = 0, 'valued' = 1) CODEC(ZSTD(1)),
    `tenant` LowCardinality(String) CODEC(ZSTD(1)),
    `trace_id` FixedString(16) CODEC(NONE),
    `first_ts` SimpleAggregateFunction(min, DateTime64(0, 'UTC')) CODEC(T64, ZSTD(1)),
    `last_ts` SimpleAggregateFunction(max, DateTime64(0, 'UTC')) CODEC(T64, ZSTD(1))
)
ENGINE = AggregatingMergeTree
PARTITION BY (toYYYYMMDD(received), retention)
ORDER BY (tenant, trace_id)
SETTINGS fsync_after_insert = 1, fsync_part_directory = 1, merge_selector_base = 8, min_bytes_for_wide_part = 67108864, string_serialization_version = 'single_stream'
COMMENT 'First and last second of each trace, so that a trace is found by its id alone';

CREATE TABLE IF NOT EXISTS telemetry.sources
(
    `tenant` LowCardinality(String) CODEC(ZSTD(1)),
    `service` LowCardinality(String) CODEC(ZSTD(1)),
    `source` UInt64 CODEC(ZSTD(1)),
    `resource` Map(LowCardinality(String), String) CODEC(ZSTD(1)),
    `resource_kinds` LowCardinality(String) CODEC(ZSTD(1)),
    `resource_dropped_attributes` UInt32 CODEC(ZSTD(1)),
    `resource_entities` Array(String) CODEC(ZSTD(1)),
    `resource_schema_url` String CODEC(ZSTD(1)),
    `scope_name` String CODEC(ZSTD(1)),
    `scope_version` String CODEC(ZSTD(1)),
    `scope` Map(LowCardinality(String), String) CODEC(ZSTD(1)),
    `scope_kinds` LowCardinality(String) CODEC(ZSTD(1)),
    `scope_dropped_attributes` UInt32 CODEC(ZSTD(1)),
    `scope_schema_url` String CODEC(ZSTD(1)),
    `first_seen` SimpleAggregateFunction(min, DateTime('UTC')) CODEC(ZSTD(1)),
    `last_seen` SimpleAggregateFunction(max, DateTime('UTC')) CODEC(ZSTD(1))
)
ENGINE = AggregatingMergeTree
ORDER BY (tenant, service, source)
SETTINGS allow_dimensions_outside_sorting_key = 1, fsync_after_insert = 1, fsync_part_directory = 1, merge_selector_base = 8, min_bytes_for_wide_part = 67108864, string_serialization_version = 'single_stream'
COMMENT 'One row a resource and instrumentation scope';

CREATE TABLE IF NOT EXISTS telemetry.logs
(
    `segment` UInt64 CODEC(Delta, ZSTD(1)),
    `received` DateTime('UTC') CODEC(Delta, ZSTD(1)),
    `retention` Enum8('ordinary' = 0, 'valued' = 1) CODEC(ZSTD(1)),
    `tenant` LowCardinality(String) CODEC(ZSTD(1)),
    `ts` DateTime64(9, 'UTC') CODEC(Delta, ZSTD(1)),
    `ts_origin` Enum8('time' = 0, 'observed' = 1, 'received' = 2) CODEC(ZSTD(1)),
    `observed_ts` DateTime64(9, 'UTC') CODEC(Delta, ZSTD(1)),
    `trace_id` FixedString(16) CODEC(ZSTD(1)),
    `span_id` FixedString(8) CODEC(ZSTD(1)),
    `flags` UInt32 CODEC(ZSTD(1)),
    `severity_number` Int32 CODEC(ZSTD(1)),
    `severity_text` LowCardinality(String) CODEC(ZSTD(1)),
    `event_name` LowCardinality(String) CODEC(ZSTD(1)),
    `body` String CODEC(ZSTD(1)),
    `body_kind` Enum8('unset' = 0, 'string_value' = 1, 'bool_value' = 2, 'int_value' = 3, 'double_value' = 4, 'array_value' = 5, 'kvlist_value' = 6, 'bytes_value' = 7) CODEC(ZSTD(1)),
    `service` LowCardinality(String) CODEC(ZSTD(1)),
    `source` LowCardinality(UInt64) CODEC(ZSTD(1)),
    `attributes` Map(LowCardinality(String), String) CODEC(ZSTD(3)),
    `attribute_kinds` LowCardinality(String) CODEC(ZSTD(1)),
    `dropped_attributes` UInt32 CODEC(ZSTD(1)),
    INDEX body body TYPE text(tokenizer = 'splitByNonAlpha', preprocessor = lower(body)) GRANULARITY 1,
    INDEX attribute_items arrayMap((key, value) -> concat(key, '=', value), mapKeys(attributes), mapValues(attributes)) TYPE bloom_filter(0.025) GRANULARITY 1,
    INDEX trace_id trace_id TYPE bloom_filter(0.01) GRANULARITY 1,
    INDEX ts ts TYPE minmax GRANULARITY 1
)
ENGINE = MergeTree
PARTITION BY (toYYYYMMDD(received), retention)
ORDER BY (tenant, toStartOfFiveMinutes(ts), service, ts)
SETTINGS fsync_after_insert = 1, fsync_part_directory = 1, merge_selector_base = 8, min_bytes_for_wide_part = 67108864, string_serialization_version = 'single_stream'
COMMENT 'One row a log record';

CREATE TABLE IF NOT EXISTS telemetry.series
(
    `tenant` LowCardinality(String) CODEC(ZSTD(1)),
    `metric` LowCardinality(String) CODEC(ZSTD(1)),
    `series` UInt64 CODEC(ZSTD(1)),
    `kind` Enum8('unset' = 0, 'gauge' = 5, 'sum' = 7, 'histogram' = 9, 'exponential_histogram' = 10, 'summary' = 11) CODEC(ZSTD(1)),
    `unit` LowCardinality(String) CODEC(ZSTD(1)),
    `description` String CODEC(ZSTD(1)),
    `temporality` Int32 CODEC(ZSTD(1)),
    `monotonic` Bool CODEC(ZSTD(1)),
    `metadata` Map(LowCardinality(String), String) CODEC(ZSTD(1)),
    `metadata_kinds` LowCardinality(String) CODEC(ZSTD(1)),
    `service` LowCardinality(String) CODEC(ZSTD(1)),
    `source` LowCardinality(UInt64) CODEC(ZSTD(1)),
    `attributes` Map(LowCardinality(String), String) CODEC(ZSTD(3)),
    `attribute_kinds` LowCardinality(String) CODEC(ZSTD(1)),
    `first_seen` SimpleAggregateFunction(min, DateTime('UTC')) CODEC(ZSTD(1)),
    `last_seen` SimpleAggregateFunction(max, DateTime('UTC')) CODEC(ZSTD(1))
)
ENGINE = AggregatingMergeTree
ORDER BY (tenant, metric, series)
SETTINGS allow_dimensions_outside_sorting_key = 1, fsync_after_insert = 1, fsync_part_directory = 1, merge_selector_base = 8, min_bytes_for_wide_part = 67108864, string_serialization_version = 'single_stream'
COMMENT 'One row a time series: what its samples have in common';

CREATE TABLE IF NOT EXISTS telemetry.samples
(
    `segment` UInt64 CODEC(Delta, ZSTD(1)),
    `received` DateTime('UTC') CODEC(Delta, ZSTD(1)),
    `retention` Enum8('ordinary' = 0, 'valued' = 1) CODEC(ZSTD(1)),
    `tenant` LowCardinality(String) CODEC(ZSTD(1)),
    `metric` LowCardinality(String) CODEC(ZSTD(1)),
    `series` UInt64 CODEC(Delta, ZSTD(1)),
    `ts` DateTime64(9, 'UTC') CODEC(DoubleDelta, ZSTD(1)),
    `start_ts` DateTime64(9, 'UTC') CODEC(DoubleDelta, ZSTD(1)),
    `flags` UInt32 CODEC(ZSTD(1)),
    `value` Float64 CODEC(Gorilla, ZSTD(1)),
    `integer` Nullable(Int64) CODEC(Delta, ZSTD(1)),
    INDEX ts ts TYPE minmax GRANULARITY 1
)
ENGINE = MergeTree
PARTITION BY (toYYYYMMDD(received), retention)
ORDER BY (tenant, metric, series, ts)
SETTINGS fsync_after_insert = 1, fsync_part_directory = 1, merge_selector_base = 8, min_bytes_for_wide_part = 67108864, string_serialization_version = 'single_stream'
COMMENT 'One row a number point of a gauge or a sum';

CREATE TABLE IF NOT EXISTS telemetry.histograms
(
    `segment` UInt64 CODEC(Delta, ZSTD(1)),
    `received` DateTime('UTC') CODEC(Delta, ZSTD(1)),
    `retention` Enum8('ordinary' = 0, 'valued' = 1) CODEC(ZSTD(1)),
    `tenant` LowCardinality(String) CODEC(ZSTD(1)),
    `metric` LowCardinality(String) CODEC(ZSTD(1)),
    `series` UInt64 CODEC(Delta, ZSTD(1)),
    `ts` DateTime64(9, 'UTC') CODEC(DoubleDelta, ZSTD(1)),
    `start_ts` DateTime64(9, 'UTC') CODEC(DoubleDelta, ZSTD(1)),
    `flags` UInt32 CODEC(ZSTD(1)),
    `count` UInt64 CODEC(ZSTD(1)),
    `sum` Nullable(Float64) CODEC(ZSTD(1)),
    `min` Nullable(Float64) CODEC(ZSTD(1)),
    `max` Nullable(Float64) CODEC(ZSTD(1)),
    `bounds` Array(Float64) CODEC(ZSTD(1)),
    `buckets` Array(UInt64) CODEC(ZSTD(1)),
    INDEX ts ts TYPE minmax GRANULARITY 1
)
ENGINE = MergeTree
PARTITION BY (toYYYYMMDD(received), retention)
ORDER BY (tenant, metric, series, ts)
SETTINGS fsync_after_insert = 1, fsync_part_directory = 1, merge_selector_base = 8, min_bytes_for_wide_part = 67108864, string_serialization_version = 'single_stream'
COMMENT 'One row a histogram point with explicit bounds';

CREATE TABLE IF NOT EXISTS telemetry.exponential_histograms
(
    `segment` UInt64 CODEC(Delta, ZSTD(1)),
    `received` DateTime('UTC') CODEC(Delta, ZSTD(1)),
    `retention` Enum8('ordinary' = 0, 'valued' = 1) CODEC(ZSTD(1)),
    `tenant` LowCardinality(String) CODEC(ZSTD(1)),
    `metric` LowCardinality(String) CODEC(ZSTD(1)),
    `series` UInt64 CODEC(Delta, ZSTD(1)),
    `ts` DateTime64(9, 'UTC') CODEC(DoubleDelta, ZSTD(1)),
    `start_ts` DateTime64(9, 'UTC') CODEC(DoubleDelta, ZSTD(1)),
    `flags` UInt32 CODEC(ZSTD(1)),
    `count` UInt64 CODEC(ZSTD(1)),
    `sum` Nullable(Float64) CODEC(ZSTD(1)),
    `min` Nullable(Float64) CODEC(ZSTD(1)),
    `max` Nullable(Float64) CODEC(ZSTD(1)),
    `scale` Int32 CODEC(ZSTD(1)),
    `zero_count` UInt64 CODEC(ZSTD(1)),
    `zero_threshold` Float64 CODEC(ZSTD(1)),
    `positive_offset` Int32 CODEC(ZSTD(1)),
    `positive_buckets` Array(UInt64) CODEC(ZSTD(1)),
    `negative_offset` Int32 CODEC(ZSTD(1)),
    `negative_buckets` Array(UInt64) CODEC(ZSTD(1)),
    INDEX ts ts TYPE minmax GRANULARITY 1
)
ENGINE = MergeTree
PARTITION BY (toYYYYMMDD(received), retention)
ORDER BY (tenant, metric, series, ts)
SETTINGS fsync_after_insert = 1, fsync_part_directory = 1, merge_selector_base = 8, min_bytes_for_wide_part = 67108864, string_serialization_version = 'single_stream'
COMMENT 'One row an exponential histogram point at the resolution it was sent with';

CREATE TABLE IF NOT EXISTS telemetry.summaries
(
    `segment` UInt64 CODEC(Delta, ZSTD(1)),
    `received` DateTime('UTC') CODEC(Delta, ZSTD(1)),
    `retention` Enum8('ordinary' = 0, 'valued' = 1) CODEC(ZSTD(1)),
    `tenant` LowCardinality(String) CODEC(ZSTD(1)),
    `metric` LowCardinality(String) CODEC(ZSTD(1)),
    `series` UInt64 CODEC(Delta, ZSTD(1)),
    `ts` DateTime64(9, 'UTC') CODEC(DoubleDelta, ZSTD(1)),
    `start_ts` DateTime64(9, 'UTC') CODEC(DoubleDelta, ZSTD(1)),
    `flags` UInt32 CODEC(ZSTD(1)),
    `count` UInt64 CODEC(ZSTD(1)),
    `sum` Float64 CODEC(ZSTD(1)),
    `quantiles` Array(Float64) CODEC(ZSTD(1)),
    `quantile_values` Array(Float64) CODEC(ZSTD(1)),
    INDEX ts ts TYPE minmax GRANULARITY 1
)
ENGINE = MergeTree
PARTITION BY (toYYYYMMDD(received), retention)
ORDER BY (tenant, metric, series, ts)
SETTINGS fsync_after_insert = 1, fsync_part_directory = 1, merge_selector_base = 8, min_bytes_for_wide_part = 67108864, string_serialization_version = 'single_stream'
COMMENT 'One row a summary point';

CREATE TABLE IF NOT EXISTS telemetry.exemplars
(
    `segment` UInt64 CODEC(Delta, ZSTD(1)),
    `received` DateTime('UTC') CODEC(Delta, ZSTD(1)),
    `retention` Enum8('ordinary' = 0, 'valued' = 1) CODEC(ZSTD(1)),
    `tenant` LowCardinality(String) CODEC(ZSTD(1)),
    `metric` LowCardinality(String) CODEC(ZSTD(1)),
    `series` UInt64 CODEC(Delta, ZSTD(1)),
    `ts` DateTime64(9, 'UTC') CODEC(Delta, ZSTD(1)),
    `point_ts` DateTime64(9, 'UTC') CODEC(Delta, ZSTD(1)),
    `value` Float64 CODEC(ZSTD(1)),
    `integer` Nullable(Int64) CODEC(ZSTD(1)),
    `trace_id` FixedString(16) CODEC(ZSTD(1)),
    `span_id` FixedString(8) CODEC(ZSTD(1)),
    `attributes` Map(LowCardinality(String), String) CODEC(ZSTD(3)),
    `attribute_kinds` LowCardinality(String) CODEC(ZSTD(1)),
    INDEX ts ts TYPE minmax GRANULARITY 1
)
ENGINE = MergeTree
PARTITION BY (toYYYYMMDD(received), retention)
ORDER BY (tenant, metric, series, ts)
SETTINGS fsync_after_insert = 1, fsync_part_directory = 1, merge_selector_base = 8, min_bytes_for_wide_part = 67108864, string_serialization_version = 'single_stream'
COMMENT 'One row an exemplar of any metric point';
