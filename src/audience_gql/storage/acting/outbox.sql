-- The outbox of webhooks. Whoever puts a change into it holds the lock of the automation's place.

-- name: take_numbers
-- The first of the next numbers of a lane. The lane is locked from here on, and is due if nothing waited in it.
INSERT INTO webhook_lanes (bucket_id, endpoint_id, next_number, next_attempt_at)
VALUES ($1, $2, 1 + $3::bigint, $4)
ON CONFLICT (bucket_id, endpoint_id)
DO UPDATE SET next_number = webhook_lanes.next_number + $3::bigint,
  next_attempt_at = coalesce(webhook_lanes.next_attempt_at, excluded.next_attempt_at)
RETURNING next_number - $3::bigint

-- name: put
-- The names of fields contain no spaces, so a text of them stands for an array, which unnest would flatten.
INSERT INTO webhook_changes (bucket_id, endpoint_id, number, automation_id, run_id, subscriber_id, list_kind, list_id, entered, cause,
                             occurred_at, sequence, fields, trace)
SELECT :bucket_id::bigint, :endpoint_id::bigint, c.number, :automation_id::bigint, c.run_id, c.subscriber_id, :list_kind::text,
       :list_id::bigint, c.entered, c.cause, c.occurred_at, c.sequence, string_to_array(c.fields, ' '), :trace::text
FROM unnest(:numbers::bigint[], :runs::bigint[], :people::bigint[], :have_entered::boolean[], :causes::text[], :instants::timestamptz[],
            :sequences::bigint[], :fields::text[])
  AS c (number, run_id, subscriber_id, entered, cause, occurred_at, sequence, fields)
