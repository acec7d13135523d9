ALTER TABLE telemetry.spans
    MODIFY COLUMN `ts` DateTime64(9, 'UTC') CODEC(T64, ZSTD(1)),
    MODIFY COLUMN `attributes` Map(LowCardinality(String), LowCardinality(String)) CODEC(ZSTD(5));

ALTER TABLE telemetry.spans MODIFY SETTING min_compress_block_size = 524288;
