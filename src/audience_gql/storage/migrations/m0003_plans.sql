-- Raised with every change of what ticks evaluate. A worker reads the segments again only after such a change.
ALTER TABLE workspaces ADD COLUMN definitions_version bigint NOT NULL DEFAULT 0;
-- The same for changes that concern only one bucket's ticks, because fills begin bucket by bucket.
ALTER TABLE buckets ADD COLUMN states_version bigint NOT NULL DEFAULT 0;
-- Whether there may be events that occur after `evaluated_through`. Only for these events can the clock alone reach their time.
ALTER TABLE buckets ADD COLUMN has_events_ahead boolean NOT NULL DEFAULT true;

-- Marks are inserted and deleted by the thousand. In a key of all their columns, dead marks filled pages that every tick had to read
-- until a vacuum. An index of two columns keeps them in posting lists of 50 to 100 per entry, which cost a tick almost nothing. Two marks
-- are never merged, even if they are equal.
ALTER TABLE dirty DROP CONSTRAINT dirty_pkey;
ALTER TABLE dirty DROP COLUMN batch;
CREATE INDEX dirty_bucket ON dirty (bucket_id, lane);
