-- While a crowd that crossed edges is being marked: the instant up to which it did, and the id up to which its people are marked.
ALTER TABLE buckets ADD COLUMN crowd_through timestamptz;
ALTER TABLE buckets ADD COLUMN crowd_marked_to bigint;
