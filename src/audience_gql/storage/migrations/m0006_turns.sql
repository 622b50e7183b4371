-- Raised by every tick, fill and repair.
ALTER TABLE buckets ADD COLUMN turn bigint NOT NULL DEFAULT 0;
