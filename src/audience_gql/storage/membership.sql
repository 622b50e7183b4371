-- The fixed statements of a tick and of a fill. Each is scoped by one bucket; instants and ids are always bound.

-- name: lock_bucket
SELECT workspace_id, next_sequence, last_instant, evaluated_through
FROM buckets WHERE id = $1 FOR NO KEY UPDATE

-- name: tick_segments
-- The segments that a tick of this bucket evaluates, and those that they may read.
SELECT s.id, s.revision, w.timezone,
       s.failure IS NULL AND NOT s.is_paused AND st.generation IS NOT DISTINCT FROM s.generation AS is_evaluated
FROM segments s
JOIN workspaces w ON w.id = s.workspace_id
LEFT JOIN segment_states st ON st.bucket_id = $1 AND st.segment_id = s.id
WHERE s.workspace_id = $2
ORDER BY s.id

-- name: take_marks
-- Only the holder of the bucket's lock deletes here, so a row found is a row taken.
DELETE FROM dirty d
WHERE d.bucket_id = $1 AND d.ctid = ANY (ARRAY(
  SELECT m.ctid FROM dirty m WHERE m.bucket_id = $1
  ORDER BY m.lane, m.batch, m.subscriber_id, m.kind, m.ref LIMIT $2))
RETURNING d.subscriber_id, d.kind, d.ref

-- name: take_group_marks
-- The rest of what is marked for these people and groups, whatever its lane: coming and going is netted only over all of it.
DELETE FROM dirty d
USING unnest($2::bigint[], $3::bigint[]) AS p (subscriber_id, group_id)
WHERE d.bucket_id = $1 AND d.kind IN ('group_joined', 'group_left')
  AND d.subscriber_id = p.subscriber_id AND d.ref = p.group_id
RETURNING d.subscriber_id, d.kind, d.ref

-- name: mark_people
INSERT INTO dirty (bucket_id, lane, batch, subscriber_id, kind, ref)
SELECT $1::bigint, 1::smallint, $2::bigint, p.subscriber_id, 'clock', 0::bigint
FROM (SELECT DISTINCT u.subscriber_id FROM unnest($3::bigint[]) AS u (subscriber_id)) p

-- name: log_changes
INSERT INTO membership_changes
  (bucket_id, sequence, list_kind, list_id, subscriber_id, entered, cause, revision, occurred_at)
SELECT $1::bigint, $2::bigint + c.position - 1, c.list_kind, c.list_id, c.subscriber_id, c.entered, c.cause, c.revision,
       $3::timestamptz
FROM unnest($4::text[], $5::bigint[], $6::bigint[], $7::boolean[], $8::text[], $9::integer[])
  WITH ORDINALITY AS c (list_kind, list_id, subscriber_id, entered, cause, revision, position)

-- name: members_in
INSERT INTO segment_members (bucket_id, segment_id, subscriber_id, entered_at)
SELECT $1::bigint, c.segment_id, c.subscriber_id, $2::timestamptz
FROM unnest($3::bigint[], $4::bigint[]) AS c (segment_id, subscriber_id)

-- name: members_out
DELETE FROM segment_members m
USING unnest($2::bigint[], $3::bigint[]) AS c (segment_id, subscriber_id)
WHERE m.bucket_id = $1 AND m.segment_id = c.segment_id AND m.subscriber_id = c.subscriber_id

-- name: count_segments
UPDATE segment_states st SET members = st.members + c.difference
FROM unnest($2::bigint[], $3::bigint[]) AS c (segment_id, difference)
WHERE st.bucket_id = $1 AND st.segment_id = c.segment_id

-- name: count_groups
INSERT INTO group_states AS g (bucket_id, group_id, members)
SELECT $1::bigint, c.group_id, c.difference FROM unnest($2::bigint[], $3::bigint[]) AS c (group_id, difference)
ON CONFLICT (bucket_id, group_id) DO UPDATE SET members = g.members + excluded.members

-- name: leave_bucket
UPDATE buckets
SET next_sequence = $2, last_instant = $3, evaluated_through = $4, next_due_at = $5
WHERE id = $1

-- name: advance_bucket
UPDATE buckets SET next_sequence = $2, last_instant = $3 WHERE id = $1

-- name: start_fill
INSERT INTO segment_states AS st (bucket_id, segment_id, generation, filled_to, fill_cause)
VALUES ($1, $2, $3, -1, 'DEFINITION')
ON CONFLICT (bucket_id, segment_id) DO UPDATE
SET generation = excluded.generation, filled_to = -1, fill_cause = 'DEFINITION', fill_entered = 0, fill_left = 0
WHERE st.generation <> excluded.generation

-- name: segment_to_fill
SELECT s.workspace_id, s.revision, s.generation, s.failure, s.is_paused, st.filled_to, st.fill_cause,
       st.generation IS NOT DISTINCT FROM s.generation AS is_started
FROM segments s
LEFT JOIN segment_states st ON st.bucket_id = $1 AND st.segment_id = s.id
WHERE s.id = $2

-- name: range_end
-- The last of the next `$3` people after `$2`; null when fewer are left, so that the range goes to the end.
SELECT r.id FROM subscribers r WHERE r.bucket_id = $1 AND r.id > $2 ORDER BY r.id OFFSET $3 - 1 LIMIT 1

-- name: leave_fill
UPDATE segment_states st
SET filled_to = $3, fill_entered = st.fill_entered + $4, fill_left = st.fill_left + $5,
    filled_at = CASE WHEN $3::bigint IS NULL THEN $6::timestamptz ELSE st.filled_at END
WHERE st.bucket_id = $1 AND st.segment_id = $2

-- name: forget_segment
-- What a deleted segment leaves behind, a slice at a time; the state goes last, so that an interrupted clean-up is found again.
DELETE FROM segment_members m
WHERE m.bucket_id = $1 AND m.segment_id = $2 AND m.subscriber_id IN (
  SELECT n.subscriber_id FROM segment_members n WHERE n.bucket_id = $1 AND n.segment_id = $2
  ORDER BY n.subscriber_id LIMIT $3)

-- name: forget_state
DELETE FROM segment_states st WHERE st.bucket_id = $1 AND st.segment_id = $2
