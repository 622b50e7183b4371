-- The fixed statements of a tick and of a fill. Each is scoped by one bucket; instants and ids are always bound.

-- name: lock_bucket
SELECT b.workspace_id, b.next_sequence, b.last_instant, b.evaluated_through, b.next_due_at, b.states_version, b.has_events_ahead,
       b.turn, b.crowd_through, b.crowd_marked_to, b.settled_at
FROM buckets b WHERE b.id = $1 FOR NO KEY UPDATE

-- name: read_bucket
SELECT b.workspace_id, b.next_sequence, b.last_instant, b.evaluated_through, b.next_due_at, b.states_version, b.has_events_ahead,
       b.turn, b.crowd_through, b.crowd_marked_to, b.settled_at
FROM buckets b WHERE b.id = $1

-- name: definitions_version
SELECT w.definitions_version FROM workspaces w WHERE w.id = $1

-- name: tick_segments
-- The segments that a tick of this bucket evaluates, and those that they may read.
SELECT w.timezone, w.week_start, coalesce(array_agg(s.id), '{}') AS ids, coalesce(array_agg(s.revision), '{}') AS revisions,
       coalesce(array_agg(s.is_evaluated), '{}') AS evaluated
FROM workspaces w
LEFT JOIN LATERAL (
  SELECT d.id, d.revision,
         d.failure IS NULL AND NOT d.is_paused AND st.generation IS NOT DISTINCT FROM d.generation AS is_evaluated
  FROM segments d
  LEFT JOIN segment_states st ON st.bucket_id = $1 AND st.segment_id = d.id
  WHERE d.workspace_id = w.id
  ORDER BY d.id) s ON s.id IS NOT NULL
WHERE w.id = $2
GROUP BY w.id

-- name: take_marks
-- Only the holder of the bucket's lock deletes here, so a row found is a row taken. In one row: many marks are read in a fraction
-- of the time so, and what a tick asks anyway comes along. The time is that at which the statement came: after the lock was given, and
-- before anything that these marks tell of could be missed.
WITH taken AS (
  DELETE FROM dirty d
  USING (SELECT m.ctid AS place FROM dirty m WHERE m.bucket_id = $1 ORDER BY m.lane LIMIT $2) f
  WHERE d.bucket_id = $1 AND d.ctid = f.place
  RETURNING d.subscriber_id, d.kind, d.ref, d.lane, d.at, d.origin, d.trace)
SELECT statement_timestamp() AS asked_at, w.definitions_version, t.traces, t.people, t.kinds, t.refs, t.lanes, t.instants, t.origins
FROM workspaces w
CROSS JOIN (
  SELECT array_agg(taken.subscriber_id) AS people, array_agg(taken.kind) AS kinds, array_agg(taken.ref) AS refs,
         array_agg(taken.lane) AS lanes, array_agg(taken.at) AS instants, array_agg(taken.origin) AS origins,
         array_agg(DISTINCT taken.trace) FILTER (WHERE taken.trace IS NOT NULL) AS traces
  FROM taken) t
WHERE w.id = $3

-- name: take_group_marks
-- The rest of what is marked about groups for these people, whatever its lane: coming and going is netted only over all of it. Postgres
-- compares each mark with a hash of the people, so this reads the bucket's marks once, however many people are named.
DELETE FROM dirty d
WHERE d.bucket_id = $1 AND d.kind IN ('group_joined', 'group_left') AND d.subscriber_id = ANY($2::bigint[])
RETURNING d.subscriber_id, d.kind, d.ref, d.lane, d.at, d.origin

-- name: apply_changes
-- Log, members, counters and the bucket's own time at once: the parts see nothing of each other, and need not.
WITH logged AS (
  INSERT INTO membership_changes
    (bucket_id, sequence, list_kind, list_id, subscriber_id, entered, cause, revision, occurred_at, origin, unchanged_at)
  SELECT :bucket_id::bigint, :sequence::bigint + c.position - 1, c.list_kind, c.list_id, c.subscriber_id, c.entered, c.cause, c.revision,
         :now::timestamptz, c.origin, :unchanged_at::timestamptz
  FROM unnest(:list_kinds::text[], :list_ids::bigint[], :people::bigint[], :have_entered::boolean[], :causes::text[],
              :revisions::integer[], :origins::smallint[])
    WITH ORDINALITY AS c (list_kind, list_id, subscriber_id, entered, cause, revision, origin, position)
), entered AS (
  INSERT INTO segment_members (bucket_id, segment_id, subscriber_id, entered_at)
  SELECT :bucket_id::bigint, c.segment_id, c.subscriber_id, :now::timestamptz
  FROM unnest(:entered_lists::bigint[], :entered_people::bigint[]) AS c (segment_id, subscriber_id)
), gone AS (
  DELETE FROM segment_members m
  USING unnest(:left_lists::bigint[], :left_people::bigint[]) AS c (segment_id, subscriber_id)
  WHERE m.bucket_id = :bucket_id AND m.segment_id = c.segment_id AND m.subscriber_id = c.subscriber_id
), counted AS (
  UPDATE segment_states st SET members = st.members + c.difference
  FROM unnest(:counted_lists::bigint[], :differences::bigint[]) AS c (segment_id, difference)
  WHERE st.bucket_id = :bucket_id AND st.segment_id = c.segment_id
)
UPDATE buckets
SET next_sequence = :sequence::bigint + :changes::bigint, last_instant = :now, evaluated_through = :evaluated_through,
    next_due_at = :next_due_at, has_events_ahead = :has_events_ahead, crowd_through = :crowd_through,
    crowd_marked_to = :crowd_marked_to, settled_at = :settled_at, turn = turn + 1
WHERE id = :bucket_id AND turn = :turn

-- name: log_people
INSERT INTO membership_changes
  (bucket_id, sequence, list_kind, list_id, subscriber_id, entered, cause, revision, occurred_at, unchanged_at)
SELECT :bucket_id::bigint, :sequence::bigint + c.position - 1, 'SEGMENT', :segment_id::bigint, c.subscriber_id, :entered::boolean,
       :cause::text, :revision::integer, :now::timestamptz, :unchanged_at::timestamptz
FROM unnest(:people::bigint[]) WITH ORDINALITY AS c (subscriber_id, position)

-- name: people_in
INSERT INTO segment_members (bucket_id, segment_id, subscriber_id, entered_at)
SELECT $1::bigint, $2::bigint, c.subscriber_id, $4::timestamptz FROM unnest($3::bigint[]) AS c (subscriber_id)

-- name: people_out
DELETE FROM segment_members m
WHERE m.bucket_id = $1 AND m.segment_id = $2 AND m.subscriber_id = ANY($3::bigint[])

-- name: marked_people
SELECT DISTINCT d.subscriber_id FROM dirty d
WHERE d.bucket_id = $1 AND d.subscriber_id = ANY($2::bigint[])

-- name: leave_trace
UPDATE buckets SET trace = $2, trace_sequence = $3 WHERE id = $1

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
SET last_instant = :now, evaluated_through = :evaluated_through, next_due_at = :next_due_at, has_events_ahead = :has_events_ahead,
    crowd_through = :crowd_through, crowd_marked_to = :crowd_marked_to, settled_at = :settled_at, turn = turn + 1
WHERE id = :bucket_id AND turn = :turn

-- name: advance_bucket
-- What was filled may have instants of its own, and what was repaired may be read by others: the next tick looks at all edges.
UPDATE buckets SET next_sequence = $2, last_instant = $3, next_due_at = $3, has_events_ahead = true, turn = turn + 1
WHERE id = $1 AND turn = $4

-- name: start_fill
WITH told AS (UPDATE buckets b SET states_version = b.states_version + 1 WHERE b.id = $1)
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

-- name: leave_recompute
UPDATE segment_states st
SET filled_to = NULL, fill_entered = $4, fill_left = $5, filled_at = $6
WHERE st.bucket_id = $1 AND st.segment_id = $2 AND st.generation = $3 AND st.fill_cause = 'REPAIR'

-- name: forget_end
-- The last of the next `$3` people whom a deleted segment leaves behind; null when fewer are left.
SELECT n.subscriber_id FROM segment_members n WHERE n.bucket_id = $1 AND n.segment_id = $2
ORDER BY n.subscriber_id OFFSET $3 - 1 LIMIT 1

-- name: forget_people
-- The state goes last, so that an interrupted clean-up is found again.
DELETE FROM segment_members m WHERE m.bucket_id = $1 AND m.segment_id = $2 AND m.subscriber_id <= $3

-- name: forget_state
DELETE FROM segment_states st WHERE st.bucket_id = $1 AND st.segment_id = $2
