-- Erase people of one bucket. Foreign keys with ON DELETE CASCADE delete dates, channels and groups together with a person's own row.

-- name: hold_people
SELECT s.id FROM subscribers s WHERE s.bucket_id = $1 AND s.id = ANY($2::bigint[]) ORDER BY s.id FOR UPDATE

-- name: lists_of
-- The groups are corrected by the marks that are not yet logged: a mark for joining means that the log does not have the person in the
-- group yet, and a mark for leaving means that it still does.
SELECT m.subscriber_id, 'SEGMENT' AS list_kind, m.segment_id AS list_id
FROM segment_members m WHERE m.bucket_id = $1 AND m.subscriber_id = ANY($2::bigint[])
UNION ALL
SELECT g.subscriber_id, 'GROUP', g.group_id
FROM (
  SELECT x.subscriber_id, x.group_id, 1 AS difference
  FROM group_members x WHERE x.bucket_id = $1 AND x.subscriber_id = ANY($2::bigint[])
  UNION ALL
  SELECT d.subscriber_id, d.ref, CASE d.kind WHEN 'group_joined' THEN -1 ELSE 1 END
  FROM dirty d
  WHERE d.bucket_id = $1 AND d.subscriber_id = ANY($2::bigint[]) AND d.kind IN ('group_joined', 'group_left')) g
GROUP BY g.subscriber_id, g.group_id HAVING sum(g.difference) > 0

-- name: erase_identities
DELETE FROM identities i
WHERE i.workspace_id = $1 AND i.bucket_id = $2 AND i.subscriber_id = ANY($3::bigint[]) RETURNING i.kind, i.value

-- name: erase_events
DELETE FROM events e WHERE e.bucket_id = $1 AND e.subscriber_id = ANY($2::bigint[])

-- name: erase_event_keys
DELETE FROM event_keys k WHERE k.bucket_id = $1 AND k.subscriber_id = ANY($2::bigint[])

-- name: erase_memberships
DELETE FROM segment_members m WHERE m.bucket_id = $1 AND m.subscriber_id = ANY($2::bigint[])

-- name: erase_marks
DELETE FROM dirty d WHERE d.bucket_id = $1 AND d.subscriber_id = ANY($2::bigint[])

-- name: erase_effects
DELETE FROM import_effects f WHERE f.bucket_id = $1 AND f.subscriber_id = ANY($2::bigint[])

-- name: erase_responses
-- The answers of receivers to messages that contained the people: an answer may repeat the message.
UPDATE delivery_attempts a SET response = ''
FROM webhook_changes c
CROSS JOIN LATERAL (
  SELECT d.id, d.last_number FROM deliveries d
  WHERE d.bucket_id = $1 AND d.endpoint_id = c.endpoint_id AND d.first_number <= c.number
  ORDER BY d.first_number DESC LIMIT 1) m
WHERE c.bucket_id = $1 AND c.subscriber_id = ANY($2::bigint[]) AND m.last_number >= c.number
  AND a.response <> '' AND a.bucket_id = $1 AND a.delivery_id = m.id

-- name: erase_people
DELETE FROM subscribers s WHERE s.bucket_id = $1 AND s.id = ANY($2::bigint[])
