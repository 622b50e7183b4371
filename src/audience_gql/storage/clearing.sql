-- Delete what a deleted group or custom field leaves behind, one slice at a time. A slice is part of one bucket, in one transaction.

-- name: want
INSERT INTO wanted_clearings (kind, ref, workspace_id) VALUES ($1, $2, $3)

-- name: workspaces
SELECT DISTINCT w.workspace_id FROM wanted_clearings w ORDER BY w.workspace_id

-- name: wanted
SELECT w.kind, w.ref FROM wanted_clearings w WHERE w.workspace_id = $1 ORDER BY w.ref

-- name: settle
DELETE FROM wanted_clearings w WHERE w.kind = $1 AND w.ref = $2

-- name: members_end
-- The last id of the next `$3` members; null when fewer members are left.
SELECT m.subscriber_id FROM group_members m WHERE m.bucket_id = $1 AND m.group_id = $2
ORDER BY m.subscriber_id OFFSET $3 - 1 LIMIT 1

-- name: logged_members
-- The members according to the log: the present members, without the joins and with the leaves that are marked but not yet logged.
SELECT g.subscriber_id
FROM (
  SELECT m.subscriber_id, 1 AS difference
  FROM group_members m WHERE m.bucket_id = $1 AND m.group_id = $2 AND m.subscriber_id <= $3
  UNION ALL
  SELECT d.subscriber_id, CASE d.kind WHEN 'group_joined' THEN -1 ELSE 1 END
  FROM dirty d
  WHERE d.bucket_id = $1 AND d.ref = $2 AND d.kind IN ('group_joined', 'group_left') AND d.subscriber_id <= $3) g
GROUP BY g.subscriber_id HAVING sum(g.difference) > 0

-- name: forget_marks
DELETE FROM dirty d
WHERE d.bucket_id = $1 AND d.ref = $2 AND d.kind IN ('group_joined', 'group_left') AND d.subscriber_id <= $3

-- name: forget_members
DELETE FROM group_members m WHERE m.bucket_id = $1 AND m.group_id = $2 AND m.subscriber_id <= $3

-- name: forget_group_state
DELETE FROM group_states t WHERE t.bucket_id = $1 AND t.group_id = $2

-- name: forget_values
-- Lock the rows in the order of their ids, as every writer of people does, so that writers do not deadlock.
UPDATE subscribers s SET fields = s.fields - $4::text, fields_folded = s.fields_folded - $4::text
FROM (
  SELECT r.id FROM subscribers r
  WHERE r.bucket_id = $1 AND r.id > $2 AND r.id <= $3 AND jsonb_exists(r.fields, $4::text)
  ORDER BY r.id FOR NO KEY UPDATE) held
WHERE s.bucket_id = $1 AND s.id = held.id

-- name: forget_dates
-- Each day is also stored under the negative field id, for anniversaries.
DELETE FROM subscriber_dates d
WHERE d.bucket_id = $1 AND d.subscriber_id > $2 AND d.subscriber_id <= $3 AND d.field_id = ANY($4::bigint[])
