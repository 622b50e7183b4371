-- Up to this sequence, the log keeps only rows that are still true: a member's last entry. After it, the log is complete.
ALTER TABLE buckets ADD COLUMN pruned_through bigint NOT NULL DEFAULT 0;

-- Raised after the database was restored from a backup: older cursors belong to a log that has diverged from this one.
ALTER TABLE workspaces ADD COLUMN log_epoch bigint NOT NULL DEFAULT 0;

-- How many people entered and left in the hours that were pruned from the log. Kept for ever. An hour without a change has no row.
CREATE TABLE segment_hours (
  bucket_id   bigint NOT NULL,
  segment_id  bigint NOT NULL,
  hour        timestamptz NOT NULL,
  entered     bigint NOT NULL,
  "left"      bigint NOT NULL,
  PRIMARY KEY (bucket_id, segment_id, hour)
);
