-- Raised with every change of what ticks evaluate: a worker reads the segments anew only then.
ALTER TABLE workspaces ADD COLUMN definitions_version bigint NOT NULL DEFAULT 0;
-- The same for what only one bucket's ticks evaluate, since fills begin bucket by bucket.
ALTER TABLE buckets ADD COLUMN states_version bigint NOT NULL DEFAULT 0;
-- Whether events may be known that are stamped later than `evaluated_through`: only they come of age by the clock.
ALTER TABLE buckets ADD COLUMN has_events_ahead boolean NOT NULL DEFAULT true;

-- Marks come and go by the thousand. In a key of all their columns the dead ones filled pages that every tick had to walk through until
-- a vacuum; in one of two columns they fold into lists, fifty to a hundred an entry, and cost a tick next to nothing. Two marks are never
-- merged, equal or not.
ALTER TABLE dirty DROP CONSTRAINT dirty_pkey;
ALTER TABLE dirty DROP COLUMN batch;
CREATE INDEX dirty_bucket ON dirty (bucket_id, lane);
