-- What one automation reads and writes in one bucket. Whoever writes holds the lock of the automation's place there.

-- name: automations_with_work
-- They have changes to read, holds that may be over, or members who are still to have their run.
SELECT p.automation_id
FROM automation_places p
JOIN automations a ON a.id = p.automation_id
JOIN buckets b ON b.id = p.bucket_id
WHERE p.bucket_id = $1 AND NOT a.is_paused AND (
  EXISTS (SELECT FROM membership_changes c
          WHERE c.bucket_id = $1 AND c.list_id = a.list_id AND c.list_kind = a.list_kind AND c.sequence > p.sequence)
  OR EXISTS (SELECT FROM runs r
             WHERE r.bucket_id = $1 AND r.automation_id = a.id AND r.state = 'WAITING' AND r.due_at <= b.evaluated_through)
  OR p.existing_to IS NOT NULL AND (a.list_kind = 'GROUP' OR EXISTS (
       SELECT FROM segments s JOIN segment_states st ON st.bucket_id = $1 AND st.segment_id = s.id AND st.generation = s.generation
       WHERE s.id = a.list_id AND (st.filled_to IS NULL OR st.fill_cause = 'REPAIR'))))
ORDER BY p.automation_id

-- name: lock_place
-- A segment's members are known once it is filled. The statements that follow see everything that the fill wrote.
SELECT p.sequence, p.begun_after, p.existing_to, a.list_kind = 'GROUP' OR EXISTS (
         SELECT FROM segments s JOIN segment_states st ON st.bucket_id = $1 AND st.segment_id = s.id AND st.generation = s.generation
         WHERE s.id = a.list_id AND (st.filled_to IS NULL OR st.fill_cause = 'REPAIR')) AS is_filled
FROM automation_places p JOIN automations a ON a.id = p.automation_id
WHERE p.bucket_id = $1 AND p.automation_id = $2 FOR UPDATE OF p

-- name: unread
-- The changes of a list after a place, with the end of the log and the bucket's progress in the same snapshot.
SELECT b.next_sequence - 1 AS head, b.evaluated_through, c.sequence, c.subscriber_id, c.entered, c.cause, c.origin, c.occurred_at,
       c.unchanged_at
FROM buckets b
LEFT JOIN LATERAL (
  SELECT m.sequence, m.subscriber_id, m.entered, m.cause, m.origin, m.occurred_at, m.unchanged_at
  FROM membership_changes m
  WHERE m.bucket_id = b.id AND m.list_id = $3 AND m.list_kind = $2 AND m.sequence > $4
  ORDER BY m.sequence LIMIT $5) c ON true
WHERE b.id = $1
ORDER BY c.sequence

-- name: waiting
-- The runs that wait for the end of a hold: those of these people, and those that are due and whose person no tick has yet to evaluate.
SELECT r.id, r.subscriber_id, r.entered, r.origin, r.cause, r.started_at, r.due_at,
       r.due_at <= $4::timestamptz AND NOT EXISTS (SELECT FROM dirty d WHERE d.bucket_id = $1 AND d.subscriber_id = r.subscriber_id) AS is_over
FROM runs r
WHERE r.bucket_id = $1 AND r.automation_id = $2 AND r.state = 'WAITING' AND r.subscriber_id = ANY($3::bigint[])
UNION ALL
SELECT x.* FROM (
  SELECT r.id, r.subscriber_id, r.entered, r.origin, r.cause, r.started_at, r.due_at, true AS is_over
  FROM runs r
  WHERE r.bucket_id = $1 AND r.automation_id = $2 AND r.state = 'WAITING' AND r.due_at <= $4
    AND r.subscriber_id <> ALL($3::bigint[])
    AND NOT EXISTS (SELECT FROM dirty d WHERE d.bucket_id = $1 AND d.subscriber_id = r.subscriber_id)
  ORDER BY r.due_at LIMIT $5) x

-- name: histories
-- Per person for whom the automation has acted: when it did last, and how often since an instant.
SELECT r.subscriber_id, max(coalesce(r.due_at, r.started_at)) AS last_at,
       count(*) FILTER (WHERE coalesce(r.due_at, r.started_at) > $4) AS runs
FROM runs r
WHERE r.bucket_id = $1 AND r.automation_id = $2 AND r.subscriber_id = ANY($3::bigint[]) AND r.state = 'DONE'
GROUP BY r.subscriber_id

-- name: existing_in_segment
-- Whoever entered after the end of the log that was read is left to the next look.
SELECT m.subscriber_id FROM segment_members m
WHERE m.bucket_id = $1 AND m.segment_id = $2 AND m.subscriber_id > $3
  AND NOT EXISTS (SELECT FROM membership_changes c
                  WHERE c.bucket_id = $1 AND c.subscriber_id = m.subscriber_id AND c.sequence > $4 AND c.list_id = $2)
ORDER BY m.subscriber_id LIMIT $5

-- name: existing_in_group
-- The same, and whoever has joined without an entry in the log yet.
SELECT m.subscriber_id FROM group_members m
WHERE m.bucket_id = $1 AND m.group_id = $2 AND m.subscriber_id > $3
  AND NOT EXISTS (SELECT FROM membership_changes c
                  WHERE c.bucket_id = $1 AND c.subscriber_id = m.subscriber_id AND c.sequence > $4 AND c.list_id = $2)
  AND NOT EXISTS (SELECT FROM dirty d
                  WHERE d.bucket_id = $1 AND d.subscriber_id = m.subscriber_id AND d.ref = $2 AND d.kind IN ('group_joined', 'group_left'))
ORDER BY m.subscriber_id LIMIT $5

-- name: with_a_run
-- Those of these people who have had a run because of a change after a sequence.
SELECT DISTINCT r.subscriber_id FROM runs r
WHERE r.bucket_id = $1 AND r.automation_id = $2 AND r.subscriber_id = ANY($3::bigint[]) AND r.sequence > $4

-- name: add_runs
INSERT INTO runs (bucket_id, id, automation_id, revision, subscriber_id, state, reason, entered, cause, sequence, origin, started_at,
                  due_at, ended_at, changed_at)
SELECT :bucket_id::bigint, r.id, :automation_id::bigint, :revision::integer, r.subscriber_id, r.state, r.reason, r.entered, r.cause,
       r.sequence, r.origin, r.started_at, r.due_at, CASE WHEN r.state <> 'WAITING' THEN :now::timestamptz END, :now::timestamptz
FROM unnest(:ids::bigint[], :people::bigint[], :states::text[], :reasons::text[], :have_entered::boolean[], :causes::text[],
            :sequences::bigint[], :origins::smallint[], :instants::timestamptz[], :dues::timestamptz[])
  AS r (id, subscriber_id, state, reason, entered, cause, sequence, origin, started_at, due_at)

-- name: end_runs
UPDATE runs r SET state = e.state, reason = e.reason, ended_at = $2, changed_at = $2
FROM unnest($3::bigint[], $4::text[], $5::text[]) AS e (id, state, reason)
WHERE r.bucket_id = $1 AND r.id = e.id

-- name: move_place
UPDATE automation_places p SET sequence = $3, existing_to = $4 WHERE p.bucket_id = $1 AND p.automation_id = $2

-- name: next_due
SELECT min(r.due_at) FROM runs r
JOIN automations a ON a.id = r.automation_id AND NOT a.is_paused
WHERE r.bucket_id = $1 AND r.state = 'WAITING'

-- name: buckets_with_work
-- What a sweep finds: buckets with changes that an automation has not read, or with members who are still to have their run.
-- No two lists have the same id, so the id of a list says its kind.
SELECT p.bucket_id
FROM automation_places p
WHERE p.existing_to IS NOT NULL OR EXISTS (
  SELECT FROM membership_changes c
  WHERE c.bucket_id = p.bucket_id AND c.sequence > p.sequence
    AND c.list_id = (SELECT a.list_id FROM automations a WHERE a.id = p.automation_id AND NOT a.is_paused))
GROUP BY p.bucket_id

-- name: ending_holds
-- By bucket, when the first hold ends, if that is soon.
SELECT r.bucket_id, min(r.due_at) AS due_at
FROM runs r
WHERE r.state = 'WAITING' AND r.due_at <= $1 AND NOT EXISTS (SELECT FROM automations a WHERE a.id = r.automation_id AND a.is_paused)
GROUP BY r.bucket_id

-- name: recent_runs
SELECT r.bucket_id, r.state, count(*) AS runs FROM runs r WHERE r.changed_at >= $1 AND r.state <> 'WAITING' GROUP BY r.bucket_id, r.state

-- name: waiting_runs
SELECT r.bucket_id, count(*) AS runs FROM runs r WHERE r.state = 'WAITING' GROUP BY r.bucket_id

-- name: oldest_unread
-- By bucket, when the first change occurred that some automation has not read.
SELECT p.bucket_id, min((
  SELECT c.occurred_at FROM membership_changes c
  WHERE c.bucket_id = p.bucket_id AND c.sequence > p.sequence
    AND c.list_id = (SELECT a.list_id FROM automations a WHERE a.id = p.automation_id AND NOT a.is_paused)
  ORDER BY c.sequence LIMIT 1)) AS oldest
FROM automation_places p
GROUP BY p.bucket_id

-- name: prune_runs
-- The last run that acted for a person stays: rules about re-entry ask for it.
DELETE FROM runs r
USING (
  SELECT x.id FROM runs x
  WHERE x.bucket_id = $1 AND x.changed_at < $2 AND x.state <> 'WAITING'
    AND (x.state <> 'DONE' OR EXISTS (
      SELECT FROM runs l
      WHERE l.bucket_id = $1 AND l.subscriber_id = x.subscriber_id AND l.automation_id = x.automation_id AND l.state = 'DONE'
        AND (l.started_at, l.id) > (x.started_at, x.id)))
  ORDER BY x.changed_at LIMIT $3) f
WHERE r.bucket_id = $1 AND r.id = f.id

-- name: buckets_with_places
SELECT DISTINCT p.bucket_id FROM automation_places p
