-- What the people of two segments did, one bucket at a time.

-- name: outcomes
-- side: 0 only in the segment $2, 1 only in $3, 2 in both. A person joined at $5 if they were a member then, otherwise when they first entered
-- before $6. Their events of the name $4 count from then on, for the time $7, or up to $6 if it is null. With $7, people count only if all of that
-- time has passed. Erased people have no row in `subscribers`.
WITH stays AS (
  SELECT c.subscriber_id, c.list_id,
         max(c.sequence) FILTER (WHERE c.occurred_at <= $5) AS last_before,
         max(c.sequence) FILTER (WHERE c.occurred_at <= $5 AND c.entered) AS last_entry_before,
         min(c.occurred_at) FILTER (WHERE c.occurred_at > $5 AND c.entered) AS entered_at
  FROM membership_changes c
  WHERE c.bucket_id = $1 AND c.list_id IN ($2, $3) AND c.list_kind = 'SEGMENT' AND c.occurred_at < $6
  GROUP BY c.subscriber_id, c.list_id),
joined AS (
  SELECT t.subscriber_id, t.list_id, CASE WHEN t.last_entry_before = t.last_before THEN $5 ELSE t.entered_at END AS joined_at
  FROM stays t
  WHERE t.last_entry_before = t.last_before OR t.entered_at IS NOT NULL),
people AS (
  SELECT j.subscriber_id, min(j.joined_at) AS joined_at,
         CASE WHEN count(*) = 2 THEN 2 WHEN min(j.list_id) = $3 THEN 1 ELSE 0 END AS side
  FROM joined j JOIN subscribers s ON s.bucket_id = $1 AND s.id = j.subscriber_id
  GROUP BY j.subscriber_id),
outcomes AS (
  SELECT p.side, count(e.id) AS events, coalesce(sum(e.value), 0) AS value
  FROM people p
  LEFT JOIN events e ON e.bucket_id = $1 AND e.subscriber_id = p.subscriber_id AND e.name_id = $4
    AND e.occurred_at >= p.joined_at AND e.occurred_at < least($6, p.joined_at + $7) AND e.occurred_at >= $5 AND e.occurred_at < $6
  WHERE $7::interval IS NULL OR p.joined_at + $7 <= $6
  GROUP BY p.subscriber_id, p.side)
SELECT o.side, count(*) AS people, count(*) FILTER (WHERE o.events > 0) AS converted, sum(o.events)::bigint AS events,
       sum(o.value) AS value, sum(o.value * o.value) AS squares
FROM outcomes o
GROUP BY o.side
