-- Where the clock moves people: ranges of the indexes that hold facts by their instants. Each is scoped by one bucket, and bound throughout.
-- OFFSET 0 keeps the planner from turning one index probe a window into a scan of the whole table.

-- name: edges_of_events
-- Where only the `newest` of somebody's events alter a verdict, others are passed over.
SELECT e.subscriber_id, w.ref AS ref, w.position
FROM unnest($2::bigint[], $3::timestamptz[], $4::timestamptz[], $5::bigint[])
  WITH ORDINALITY AS w (ref, after, upto, newest, position)
CROSS JOIN LATERAL (
  SELECT x.subscriber_id FROM events x
  WHERE x.bucket_id = $1 AND x.name_id = w.ref AND x.occurred_at > w.after AND x.occurred_at <= w.upto
    AND (w.newest IS NULL OR NOT EXISTS (
      SELECT FROM events y
      WHERE y.bucket_id = $1 AND y.subscriber_id = x.subscriber_id AND y.name_id = w.ref
        AND y.occurred_at > x.occurred_at AND y.occurred_at <= $6
      OFFSET w.newest - 1))
  OFFSET 0) e

-- name: edges_of_subscriber_dates
SELECT e.subscriber_id, w.ref AS ref, w.position
FROM unnest($2::bigint[], $3::timestamptz[], $4::timestamptz[]) WITH ORDINALITY AS w (ref, after, upto, position)
CROSS JOIN LATERAL (
  SELECT x.subscriber_id FROM subscriber_dates x
  WHERE x.bucket_id = $1 AND x.field_id = w.ref AND x.at > w.after AND x.at <= w.upto OFFSET 0) e

-- name: edges_of_group_members
SELECT e.subscriber_id, w.ref AS ref, w.position
FROM unnest($2::bigint[], $3::timestamptz[], $4::timestamptz[]) WITH ORDINALITY AS w (ref, after, upto, position)
CROSS JOIN LATERAL (
  SELECT x.subscriber_id FROM group_members x
  WHERE x.bucket_id = $1 AND x.group_id = w.ref AND x.added_at > w.after AND x.added_at <= w.upto OFFSET 0) e

-- name: edges_of_channel_states
SELECT e.subscriber_id, 0::bigint AS ref, w.position
FROM unnest($2::text[], $3::timestamptz[], $4::timestamptz[]) WITH ORDINALITY AS w (ref, after, upto, position)
CROSS JOIN LATERAL (
  SELECT x.subscriber_id FROM channel_states x
  WHERE x.bucket_id = $1 AND x.channel = w.ref AND x.changed_at > w.after AND x.changed_at <= w.upto OFFSET 0) e

-- name: edges_of_segment_members
SELECT e.subscriber_id, w.ref AS ref, w.position
FROM unnest($2::bigint[], $3::timestamptz[], $4::timestamptz[]) WITH ORDINALITY AS w (ref, after, upto, position)
CROSS JOIN LATERAL (
  SELECT x.subscriber_id FROM segment_members x
  WHERE x.bucket_id = $1 AND x.segment_id = w.ref AND x.entered_at > w.after AND x.entered_at <= w.upto OFFSET 0) e

-- name: next_of_events
-- Where only the `newest` of somebody's events alter a verdict, the first of these; but never more than so many are looked through.
SELECT w.position, e.at
FROM unnest($2::bigint[], $3::timestamptz[], $4::bigint[]) WITH ORDINALITY AS w (ref, after, newest, position)
CROSS JOIN LATERAL (
  SELECT k.at
  FROM (
    SELECT x.occurred_at AS at, x.subscriber_id, row_number() OVER (ORDER BY x.occurred_at) AS number
    FROM events x
    WHERE x.bucket_id = $1 AND x.name_id = w.ref AND x.occurred_at > w.after
    ORDER BY x.occurred_at LIMIT 32) k
  WHERE w.newest IS NULL OR k.number = 32 OR NOT EXISTS (
    SELECT FROM events y
    WHERE y.bucket_id = $1 AND y.subscriber_id = k.subscriber_id AND y.name_id = w.ref
      AND y.occurred_at > k.at AND y.occurred_at <= $5
    OFFSET w.newest - 1)
  ORDER BY k.at LIMIT 1) e

-- name: next_of_subscriber_dates
SELECT w.position, e.at
FROM unnest($2::bigint[], $3::timestamptz[]) WITH ORDINALITY AS w (ref, after, position)
CROSS JOIN LATERAL (
  SELECT x.at AS at FROM subscriber_dates x
  WHERE x.bucket_id = $1 AND x.field_id = w.ref AND x.at > w.after ORDER BY x.at LIMIT 1) e

-- name: next_of_group_members
SELECT w.position, e.at
FROM unnest($2::bigint[], $3::timestamptz[]) WITH ORDINALITY AS w (ref, after, position)
CROSS JOIN LATERAL (
  SELECT x.added_at AS at FROM group_members x
  WHERE x.bucket_id = $1 AND x.group_id = w.ref AND x.added_at > w.after ORDER BY x.added_at LIMIT 1) e

-- name: next_of_channel_states
SELECT w.position, e.at
FROM unnest($2::text[], $3::timestamptz[]) WITH ORDINALITY AS w (ref, after, position)
CROSS JOIN LATERAL (
  SELECT x.changed_at AS at FROM channel_states x
  WHERE x.bucket_id = $1 AND x.channel = w.ref AND x.changed_at > w.after ORDER BY x.changed_at LIMIT 1) e

-- name: next_of_segment_members
SELECT w.position, e.at
FROM unnest($2::bigint[], $3::timestamptz[]) WITH ORDINALITY AS w (ref, after, position)
CROSS JOIN LATERAL (
  SELECT x.entered_at AS at FROM segment_members x
  WHERE x.bucket_id = $1 AND x.segment_id = w.ref AND x.entered_at > w.after ORDER BY x.entered_at LIMIT 1) e

-- name: edges_of_days
-- Of those with a date in the windows, the people in one of the zones `$5`, or without a zone where `$6` says so.
SELECT e.subscriber_id, w.ref AS ref, w.position
FROM unnest($2::bigint[], $3::timestamptz[], $4::timestamptz[]) WITH ORDINALITY AS w (ref, after, upto, position)
CROSS JOIN LATERAL (
  SELECT x.subscriber_id FROM subscriber_dates x
  WHERE x.bucket_id = $1 AND x.field_id = w.ref AND x.at > w.after AND x.at <= w.upto OFFSET 0) e
JOIN subscribers s ON s.bucket_id = $1 AND s.id = e.subscriber_id
WHERE s.timezone = ANY($5::text[]) OR ($6::boolean AND s.timezone IS NULL)

-- name: edges_of_periods
-- Of those with an event in the windows, each once: the people in one of the zones `$5`, or without a known zone where `$6` says so, or all where
-- `$7` does. The ids bound the people of a slice.
SELECT e.subscriber_id, w.ref AS ref, w.position
FROM unnest($2::bigint[], $3::timestamptz[], $4::timestamptz[]) WITH ORDINALITY AS w (ref, after, upto, position)
CROSS JOIN LATERAL (
  SELECT DISTINCT x.subscriber_id FROM events x
  WHERE x.bucket_id = $1 AND x.name_id = w.ref AND x.occurred_at >= w.after AND x.occurred_at < w.upto
    AND x.subscriber_id > $8 AND x.subscriber_id <= $9 OFFSET 0) e
JOIN subscribers s ON s.bucket_id = $1 AND s.id = e.subscriber_id
WHERE $7::boolean OR s.timezone = ANY($5::text[])
  OR ($6::boolean AND NOT EXISTS (SELECT FROM zone_clocks z WHERE z.zone = s.timezone))
