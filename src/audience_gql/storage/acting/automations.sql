-- Automations and their places in the logs.

-- name: trigger_lists
SELECT DISTINCT a.list_kind, a.list_id FROM automations a WHERE a.workspace_id = $1 AND NOT a.is_paused

-- name: begin_places
INSERT INTO automation_places (bucket_id, automation_id, sequence, begun_after, existing_to)
SELECT b.id, $2::bigint, b.next_sequence - 1, b.next_sequence - 1, $3::bigint FROM buckets b WHERE b.workspace_id = $1

-- name: lock_places
SELECT 1 FROM automation_places p WHERE p.bucket_id = $1 AND p.automation_id = $2 FOR UPDATE

-- name: skip_to_the_end
UPDATE automation_places p SET sequence = b.next_sequence - 1, existing_to = NULL
FROM buckets b WHERE p.bucket_id = ANY($1::bigint[]) AND b.id = p.bucket_id AND p.automation_id = $2

-- name: cancel_waiting
UPDATE runs r SET state = 'CANCELLED', reason = $4, ended_at = $3, changed_at = $3
WHERE r.bucket_id = ANY($1::bigint[]) AND r.automation_id = $2 AND r.state = 'WAITING'

-- name: fire_for_existing
UPDATE automation_places p SET existing_to = -1, begun_after = p.sequence
WHERE p.bucket_id = ANY($1::bigint[]) AND p.automation_id = $2

-- name: forget_runs
DELETE FROM runs r
USING (SELECT x.id FROM runs x WHERE x.bucket_id = $1 AND x.automation_id = $2 ORDER BY x.id LIMIT $3) f
WHERE r.bucket_id = $1 AND r.id = f.id

-- name: forget_place
DELETE FROM automation_places p WHERE p.bucket_id = $1 AND p.automation_id = $2

-- name: have_been_made
SELECT EXISTS (SELECT FROM automations)
