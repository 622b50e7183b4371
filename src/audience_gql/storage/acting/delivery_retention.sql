-- Forget old messages of one bucket, one slice at a time. Nothing writes what is deleted here, except the erasure of a person.

-- name: buckets_to_shorten
SELECT d.bucket_id FROM deliveries d WHERE d.ended_at < $1 GROUP BY d.bucket_id

-- name: old_deliveries
SELECT d.id, d.endpoint_id, d.first_number, d.last_number FROM deliveries d
WHERE d.bucket_id = $1 AND d.ended_at < $2 ORDER BY d.endpoint_id, d.first_number LIMIT $3 FOR UPDATE

-- name: forget_attempts
DELETE FROM delivery_attempts a WHERE a.bucket_id = $1 AND a.delivery_id = ANY($2::bigint[])

-- name: forget_changes
DELETE FROM webhook_changes c
USING unnest($2::bigint[], $3::bigint[], $4::bigint[]) AS m (endpoint_id, first_number, last_number)
WHERE c.bucket_id = $1 AND c.endpoint_id = m.endpoint_id AND c.number >= m.first_number AND c.number <= m.last_number

-- name: forget_deliveries
DELETE FROM deliveries d WHERE d.bucket_id = $1 AND d.id = ANY($2::bigint[])

-- name: forget_dropped
-- Changes that were dropped before they belonged to a message: those before all messages that are left.
DELETE FROM webhook_changes c
USING (
  SELECT l.endpoint_id, least(l.formed_to, coalesce(
    (SELECT min(d.first_number) - 1 FROM deliveries d WHERE d.bucket_id = $1 AND d.endpoint_id = l.endpoint_id), l.formed_to)) AS upto
  FROM webhook_lanes l WHERE l.bucket_id = $1) m
WHERE c.bucket_id = $1 AND c.endpoint_id = m.endpoint_id AND c.number <= m.upto AND c.occurred_at < $2
