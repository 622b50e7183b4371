-- Shorten the log of one bucket, one slice at a time, under the bucket's lock.

-- name: buckets_to_prune
-- The log is complete after `pruned_through`, so its first row there is the oldest and decides.
SELECT b.id FROM buckets b
CROSS JOIN LATERAL (
  SELECT c.occurred_at FROM membership_changes c WHERE c.bucket_id = b.id AND c.sequence = b.pruned_through + 1) f
WHERE f.occurred_at < $1 ORDER BY b.id

-- name: lock_bucket
SELECT b.pruned_through FROM buckets b WHERE b.id = $1 FOR NO KEY UPDATE

-- name: slice_end
-- The last sequence of the next slice, all of which is older than `$4` and read by every automation that is not paused.
SELECT max(c.sequence) FROM membership_changes c
WHERE c.bucket_id = $1 AND c.sequence > $2 AND c.sequence <= $3 AND c.occurred_at < $4
  AND c.sequence < coalesce((
    SELECT min(f.sequence)
    FROM automation_places p JOIN automations a ON a.id = p.automation_id AND NOT a.is_paused
    CROSS JOIN LATERAL (
      SELECT u.sequence FROM membership_changes u
      WHERE u.bucket_id = $1 AND u.list_id = a.list_id AND u.sequence > p.sequence ORDER BY u.sequence LIMIT 1) f
    WHERE p.bucket_id = $1), 9223372036854775807)

-- name: keep_hours
INSERT INTO segment_hours (bucket_id, segment_id, hour, entered, "left")
SELECT c.bucket_id, c.list_id, date_trunc('hour', c.occurred_at, 'UTC'),
       count(*) FILTER (WHERE c.entered), count(*) FILTER (WHERE NOT c.entered)
FROM membership_changes c
WHERE c.bucket_id = $1 AND c.sequence > $2 AND c.sequence <= $3 AND c.list_kind = 'SEGMENT'
  AND EXISTS (SELECT FROM segments d WHERE d.id = c.list_id)
GROUP BY 1, 2, 3
ON CONFLICT (bucket_id, segment_id, hour)
DO UPDATE SET entered = segment_hours.entered + excluded.entered, "left" = segment_hours."left" + excluded."left"

-- name: forget_passed
-- For each person and list in the slice, delete all rows up to the end of the slice, except an entry that is still true there.
-- Deleting a group logs that everybody leaves it. Deleting a segment logs nothing, so the rows of deleted segments are deleted here.
DELETE FROM membership_changes c
USING (
  SELECT s.list_kind, s.list_id, s.subscriber_id, max(s.sequence) AS latest
  FROM membership_changes s WHERE s.bucket_id = $1 AND s.sequence > $2 AND s.sequence <= $3
  GROUP BY s.list_kind, s.list_id, s.subscriber_id) p
WHERE c.bucket_id = $1 AND c.subscriber_id = p.subscriber_id AND c.list_id = p.list_id AND c.list_kind = p.list_kind
  AND c.sequence <= $3
  AND NOT (c.entered AND c.sequence = p.latest
    AND (c.list_kind = 'GROUP' OR EXISTS (SELECT FROM segments d WHERE d.id = c.list_id)))

-- name: advance
UPDATE buckets b SET pruned_through = $2, complete_since = $3 WHERE b.id = $1

-- name: forget_segment
DELETE FROM membership_changes c
USING (
  SELECT m.sequence FROM membership_changes m JOIN buckets b ON b.id = m.bucket_id
  WHERE m.bucket_id = $1 AND m.list_id = $2 AND m.list_kind = 'SEGMENT' AND m.sequence <= b.pruned_through
  ORDER BY m.sequence LIMIT $3) f
WHERE c.bucket_id = $1 AND c.sequence = f.sequence

-- name: forget_hours
DELETE FROM segment_hours h WHERE h.bucket_id = $1 AND h.segment_id = $2
