-- What a change of an endpoint does to its lanes. Whoever writes here has called `lock_lanes` before.

-- name: lock_lanes
SELECT 1 FROM webhook_lanes l WHERE l.bucket_id = $1 AND l.endpoint_id = $2 FOR UPDATE

-- name: wake_lanes
UPDATE webhook_lanes l SET next_attempt_at = $3
WHERE l.bucket_id = ANY($1::bigint[]) AND l.endpoint_id = $2 AND l.next_attempt_at IS NOT NULL

-- name: retry_waiting
UPDATE deliveries d SET step = 0, next_attempt_at = $3
WHERE d.bucket_id = ANY($1::bigint[]) AND d.endpoint_id = $2 AND d.state = 'WAITING'

-- name: drop_waiting
UPDATE deliveries d SET state = 'DROPPED', next_attempt_at = NULL, ended_at = $3
WHERE d.bucket_id = ANY($1::bigint[]) AND d.endpoint_id = $2 AND d.state = 'WAITING'

-- name: break_chains
-- The next message of each automation shows that the changes which belong to no message are missing.
INSERT INTO webhook_chains (bucket_id, endpoint_id, automation_id, messages, sequence, cursor)
SELECT c.bucket_id, c.endpoint_id, c.automation_id, 1, max(c.sequence), NULL
FROM webhook_lanes l
JOIN webhook_changes c ON c.bucket_id = l.bucket_id AND c.endpoint_id = l.endpoint_id AND c.number > l.formed_to
WHERE l.bucket_id = ANY($1::bigint[]) AND l.endpoint_id = $2
GROUP BY c.bucket_id, c.endpoint_id, c.automation_id
ON CONFLICT (bucket_id, endpoint_id, automation_id)
DO UPDATE SET messages = webhook_chains.messages + 1, sequence = greatest(webhook_chains.sequence, excluded.sequence), cursor = NULL

-- name: empty_lanes
UPDATE webhook_lanes l SET formed_to = l.next_number - 1, next_attempt_at = NULL, lease = NULL, leased_until = NULL
WHERE l.bucket_id = ANY($1::bigint[]) AND l.endpoint_id = $2

-- name: lane_of
SELECT d.endpoint_id FROM deliveries d WHERE d.bucket_id = $1 AND d.id = $2

-- name: replay
UPDATE deliveries d SET state = 'WAITING', step = 0, next_attempt_at = $3, ended_at = NULL
WHERE d.bucket_id = $1 AND d.id = $2 AND d.state = 'FAILED'

-- name: replay_failed
UPDATE deliveries d SET state = 'WAITING', step = 0, next_attempt_at = $3, ended_at = NULL
WHERE d.bucket_id = ANY($1::bigint[]) AND d.endpoint_id = $2 AND d.state = 'FAILED' AND d.created_at >= $4 AND d.created_at < $5

-- name: wake_replayed
UPDATE webhook_lanes l SET next_attempt_at = $3
WHERE l.bucket_id = ANY($1::bigint[]) AND l.endpoint_id = $2
  AND EXISTS (SELECT 1 FROM deliveries d WHERE d.bucket_id = l.bucket_id AND d.endpoint_id = l.endpoint_id AND d.state = 'WAITING')

-- name: forget_attempts
DELETE FROM delivery_attempts a
USING (SELECT x.id FROM deliveries x WHERE x.bucket_id = $1 AND x.endpoint_id = $2 ORDER BY x.first_number LIMIT $3) f
WHERE a.bucket_id = $1 AND a.delivery_id = f.id

-- name: forget_deliveries
DELETE FROM deliveries d
USING (SELECT x.id FROM deliveries x WHERE x.bucket_id = $1 AND x.endpoint_id = $2 ORDER BY x.first_number LIMIT $3) f
WHERE d.bucket_id = $1 AND d.id = f.id

-- name: forget_changes
DELETE FROM webhook_changes c
USING (SELECT x.number FROM webhook_changes x WHERE x.bucket_id = $1 AND x.endpoint_id = $2 ORDER BY x.number LIMIT $3) f
WHERE c.bucket_id = $1 AND c.endpoint_id = $2 AND c.number = f.number

-- name: forget_chains
DELETE FROM webhook_chains h WHERE h.bucket_id = $1 AND h.endpoint_id = $2

-- name: forget_lane
DELETE FROM webhook_lanes l WHERE l.bucket_id = $1 AND l.endpoint_id = $2

-- name: have_been_made
SELECT EXISTS (SELECT FROM webhook_endpoints)
