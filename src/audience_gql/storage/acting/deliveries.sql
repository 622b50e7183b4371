-- Lanes, messages and attempts of webhooks. Whoever writes here holds the lock of the lane's row, unless a comment says otherwise.

-- name: due_lanes
-- What a sweep finds, without a lock. A lane is not due while somebody has it.
SELECT l.bucket_id, l.endpoint_id
FROM webhook_lanes l
WHERE l.next_attempt_at <= $1 AND (l.leased_until IS NULL OR l.leased_until <= $1)
  AND EXISTS (SELECT FROM webhook_endpoints e WHERE e.id = l.endpoint_id AND e.is_enabled)
GROUP BY l.bucket_id, l.endpoint_id

-- name: claim
-- It does not wait for a lane that is locked: whoever has the lock wakes the courier afterwards, or sends itself.
UPDATE webhook_lanes l SET lease = $3, leased_until = $5
FROM (
  SELECT x.endpoint_id FROM webhook_lanes x
  WHERE x.bucket_id = $1 AND x.endpoint_id = $2 AND x.next_attempt_at <= $4::timestamptz
    AND (x.leased_until IS NULL OR x.leased_until <= $4)
  FOR UPDATE SKIP LOCKED) f
WHERE l.bucket_id = $1 AND l.endpoint_id = f.endpoint_id
RETURNING l.formed_to

-- name: keep
UPDATE webhook_lanes l SET leased_until = $4 WHERE l.bucket_id = $1 AND l.endpoint_id = $2 AND l.lease = $3
RETURNING l.formed_to

-- name: rest
UPDATE webhook_lanes l SET lease = NULL, leased_until = NULL, next_attempt_at = $3 WHERE l.bucket_id = $1 AND l.endpoint_id = $2

-- name: let_go
-- Give a lane back in the middle of an attempt. This needs no lock.
UPDATE webhook_lanes l SET lease = NULL, leased_until = NULL WHERE l.bucket_id = $1 AND l.endpoint_id = $2 AND l.lease = $3

-- name: oldest_waiting
SELECT d.id, d.automation_id, d.epoch, d.first_number, d.last_number, d.after, d.cursor, d.attempts, d.step, d.next_attempt_at, d.created_at
FROM deliveries d
WHERE d.bucket_id = $1 AND d.endpoint_id = $2 AND d.state = 'WAITING'
ORDER BY d.first_number LIMIT 1

-- name: changes
-- The next changes after a number, up to another.
SELECT c.number, c.automation_id, c.run_id, c.subscriber_id, c.list_kind, c.list_id, c.entered, c.cause, c.occurred_at, c.sequence, c.fields, c.trace
FROM webhook_changes c
WHERE c.bucket_id = $1 AND c.endpoint_id = $2 AND c.number > $3 AND c.number <= $4
ORDER BY c.number LIMIT $5

-- name: chain
SELECT h.messages, h.sequence, h.cursor FROM webhook_chains h WHERE h.bucket_id = $1 AND h.endpoint_id = $2 AND h.automation_id = $3

-- name: begun_after
-- Where an automation began to read, in every bucket.
SELECT p.bucket_id, p.begun_after FROM automation_places p
WHERE p.bucket_id = ANY($1::bigint[]) AND p.automation_id = $2

-- name: set_formed_to
UPDATE webhook_lanes l SET formed_to = $3 WHERE l.bucket_id = $1 AND l.endpoint_id = $2

-- name: add_delivery
INSERT INTO deliveries (bucket_id, id, endpoint_id, automation_id, epoch, first_number, last_number, state, after, cursor,
                        next_attempt_at, created_at)
VALUES ($1, $2, $3, $4, $5, $6, $7, 'WAITING', $8, $9, $10, $10)

-- name: set_chain
INSERT INTO webhook_chains (bucket_id, endpoint_id, automation_id, messages, sequence, cursor)
VALUES ($1, $2, $3, $4, $5, $6)
ON CONFLICT (bucket_id, endpoint_id, automation_id)
DO UPDATE SET messages = excluded.messages, sequence = excluded.sequence, cursor = excluded.cursor

-- name: add_attempt
INSERT INTO delivery_attempts (bucket_id, delivery_id, number, at, status, milliseconds, failure, response)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8)

-- name: end_attempt
UPDATE deliveries d SET state = $3, attempts = $4, step = $5, next_attempt_at = $6, ended_at = $7
WHERE d.bucket_id = $1 AND d.id = $2 AND d.state = 'WAITING'

-- name: drop_delivery
UPDATE deliveries d SET state = 'DROPPED', next_attempt_at = NULL, ended_at = $3
WHERE d.bucket_id = $1 AND d.id = $2 AND d.state = 'WAITING'

-- name: forget_changes
-- The changes up to a number that a deleted automation has put into the outbox after another number.
DELETE FROM webhook_changes c
WHERE c.bucket_id = $1 AND c.endpoint_id = $2 AND c.number > $3 AND c.number <= $4 AND c.automation_id = $5

-- name: people
SELECT s.id, s.email, s.phone, s.external_id, s.first_name, s.last_name, s.language, s.timezone, s.birthday, s.latitude, s.longitude,
       s.country, s.region, s.city, s.postal_code, s.fields
FROM subscribers s WHERE s.bucket_id = $1 AND s.id = ANY($2::bigint[])

-- name: segment_names
SELECT s.id, s.name FROM segments s WHERE s.id = ANY($1::bigint[])

-- name: group_names
SELECT g.id, g.name FROM groups g WHERE g.id = ANY($1::bigint[])

-- name: wake_lanes_of
UPDATE webhook_lanes l SET next_attempt_at = $3
WHERE l.bucket_id = $1 AND EXISTS (
  SELECT FROM deliveries d
  WHERE d.bucket_id = $1 AND d.endpoint_id = l.endpoint_id AND d.automation_id = $2 AND d.state = 'WAITING')

-- name: drop_of_automation
UPDATE deliveries d SET state = 'DROPPED', next_attempt_at = NULL, ended_at = $3
WHERE d.bucket_id = $1 AND d.automation_id = $2 AND d.state = 'WAITING'

-- name: forget_unformed
DELETE FROM webhook_changes c
USING (
  SELECT x.endpoint_id, x.number FROM webhook_lanes l
  JOIN webhook_changes x ON x.bucket_id = l.bucket_id AND x.endpoint_id = l.endpoint_id AND x.number > l.formed_to
  WHERE l.bucket_id = $1 AND x.automation_id = $2 LIMIT $3) f
WHERE c.bucket_id = $1 AND c.endpoint_id = f.endpoint_id AND c.number = f.number

-- name: forget_chains
DELETE FROM webhook_chains h WHERE h.bucket_id = $1 AND h.automation_id = $2

-- name: delivery_totals
SELECT d.bucket_id, d.state, count(*) AS deliveries, min(d.created_at) AS oldest
FROM deliveries d WHERE d.state = 'WAITING' OR d.ended_at >= $1
GROUP BY d.bucket_id, d.state
