-- Up to this sequence only what is still true is kept: a member's last entering. Beyond it the log is whole.
ALTER TABLE buckets ADD COLUMN pruned_through bigint NOT NULL DEFAULT 0;

-- Raised when the database was restored: cursors from before are of a log that went on differently.
ALTER TABLE workspaces ADD COLUMN log_epoch bigint NOT NULL DEFAULT 0;

-- Who entered and left in the hours that the log was pruned of. Kept for ever; an hour without a change has no row.
CREATE TABLE segment_hours (
  bucket_id   bigint NOT NULL,
  segment_id  bigint NOT NULL,
  hour        timestamptz NOT NULL,
  entered     bigint NOT NULL,
  "left"      bigint NOT NULL,
  PRIMARY KEY (bucket_id, segment_id, hour)
);
