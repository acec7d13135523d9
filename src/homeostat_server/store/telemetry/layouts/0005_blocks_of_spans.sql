ALTER TABLE telemetry.spans RESET SETTING min_compress_block_size;

ALTER TABLE telemetry.spans MODIFY COLUMN `name` MODIFY SETTING min_compress_block_size = 524288;

ALTER TABLE telemetry.spans MODIFY COLUMN `service` MODIFY SETTING min_compress_block_size = 524288;

ALTER TABLE telemetry.spans MODIFY COLUMN `source` MODIFY SETTING min_compress_block_size = 524288;

ALTER TABLE telemetry.spans MODIFY COLUMN `attributes` MODIFY SETTING min_compress_block_size = 131072;

ALTER TABLE telemetry.spans MODIFY COLUMN `attribute_kinds` MODIFY SETTING min_compress_block_size = 524288;

ALTER TABLE telemetry.spans MODIFY COLUMN `events.attributes` MODIFY SETTING min_compress_block_size = 524288;
