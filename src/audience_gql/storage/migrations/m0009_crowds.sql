-- While a crowd that crossed edges is being marked: the instant up to which the edges were crossed, and the id up to which people are marked.
ALTER TABLE buckets ADD COLUMN crowd_through timestamptz;
ALTER TABLE buckets ADD COLUMN crowd_marked_to bigint;
