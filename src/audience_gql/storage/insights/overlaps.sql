-- How many people segments have in common, one bucket at a time.

-- name: combinations
-- One row for each combination of the segments $2 that somebody is in; segment n of them has the bit n of $3. OFFSET 0 makes Postgres read
-- each segment by its key. Otherwise it may read the memberships of all segments.
SELECT x.combination, count(*) AS people
FROM (
  SELECT bit_or(w.bit) AS combination
  FROM unnest($2::bigint[], $3::integer[]) AS w (segment_id, bit)
  CROSS JOIN LATERAL (
    SELECT m.subscriber_id FROM segment_members m WHERE m.bucket_id = $1 AND m.segment_id = w.segment_id OFFSET 0) p
  GROUP BY p.subscriber_id) x
GROUP BY x.combination

-- name: memberships
-- The number of all memberships in each bucket.
SELECT t.bucket_id, sum(t.members)::bigint AS memberships
FROM buckets b JOIN segment_states t ON t.bucket_id = b.id
WHERE b.workspace_id = $1
GROUP BY t.bucket_id

-- name: in_common
-- How many of a segment's members with an id from $3 up to $4, excluded, are in each other segment. A segment that shares nobody has no row.
-- OFFSET 0 makes Postgres read each member's memberships by their key. As a join, it compares everybody with everybody as long as the table
-- has no statistics, as after a fill.
SELECT o.segment_id, count(*) AS people
FROM segment_members m
CROSS JOIN LATERAL (
  SELECT x.segment_id FROM segment_members x
  WHERE x.bucket_id = $1 AND x.subscriber_id = m.subscriber_id AND x.segment_id <> $2 OFFSET 0) o
WHERE m.bucket_id = $1 AND m.segment_id = $2 AND m.subscriber_id >= $3 AND m.subscriber_id < $4
GROUP BY o.segment_id

-- name: sizes
-- The members of the segments of a workspace that still exist.
SELECT d.id, coalesce(sum(t.members), 0)::bigint AS members
FROM buckets b
JOIN segments d ON d.workspace_id = b.workspace_id
LEFT JOIN segment_states t ON t.bucket_id = b.id AND t.segment_id = d.id
WHERE b.workspace_id = $1
GROUP BY d.id
