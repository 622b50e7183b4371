-- What advice about segments is made from, and the two instants that it remembers.

-- name: people
SELECT count(*) AS people FROM buckets b JOIN subscribers s ON s.bucket_id = b.id WHERE b.workspace_id = $1

-- name: triggers
SELECT a.list_id FROM automations a WHERE a.workspace_id = $1 AND a.list_kind = 'SEGMENT'

-- name: conditions_of_automations
SELECT a.rules -> 'onlyIf' AS condition FROM automations a
WHERE a.workspace_id = $1 AND jsonb_typeof(a.rules -> 'onlyIf') = 'object'

-- name: last_change
-- The latest change of each of the segments $2 in the bucket $1 that is in the complete log. A segment without one has no row.
SELECT w.segment_id, c.occurred_at
FROM unnest($2::bigint[]) AS w (segment_id)
CROSS JOIN LATERAL (
  SELECT m.occurred_at FROM membership_changes m
  WHERE m.bucket_id = $1 AND m.list_id = w.segment_id ORDER BY m.sequence DESC LIMIT 1) c

-- name: last_hour
-- The same in the part of the log that was shortened: the latest hour with a change.
SELECT h.segment_id, max(h.hour) AS hour FROM segment_hours h
WHERE h.bucket_id = $1 AND h.segment_id = ANY($2::bigint[]) GROUP BY h.segment_id

-- name: members
-- The members of each of the segments $2 in the bucket $1 with ids in ($3, $4]. OFFSET 0 makes Postgres read each segment by its key.
SELECT w.segment_id, p.subscriber_ids
FROM unnest($2::bigint[]) AS w (segment_id)
CROSS JOIN LATERAL (
  SELECT array_agg(m.subscriber_id) AS subscriber_ids FROM segment_members m
  WHERE m.bucket_id = $1 AND m.segment_id = w.segment_id AND m.subscriber_id > $3 AND m.subscriber_id <= $4 OFFSET 0) p
WHERE p.subscriber_ids IS NOT NULL

-- name: members_by_segment
SELECT t.segment_id, t.members FROM segment_states t WHERE t.bucket_id = $1 AND t.segment_id = ANY($2::bigint[])

-- name: note_reads
-- Rows are locked in the order of their ids, so that two processes that note the same segments wait for one another.
UPDATE segments SET last_read_at = $3 WHERE id IN (
  SELECT s.id FROM segments s
  WHERE s.workspace_id = $1 AND s.id = ANY($2::bigint[]) AND (s.last_read_at IS NULL OR s.last_read_at < $4)
  ORDER BY s.id FOR NO KEY UPDATE)

-- name: note_reads_alone
-- The same, of somebody who has the workspace for themselves.
UPDATE segments SET last_read_at = $3
WHERE workspace_id = $1 AND id = ANY($2::bigint[]) AND (last_read_at IS NULL OR last_read_at < $4)

-- name: mark_reviewed
UPDATE segments SET reviewed_at = $3 WHERE workspace_id = $1 AND id = ANY($2::bigint[])
