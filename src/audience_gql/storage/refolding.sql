-- What refolding.py reads and writes. In statements about people, $1 is the bucket.

-- name: buckets
SELECT b.id, b.workspace_id FROM buckets b ORDER BY b.id

-- name: people
-- A page of people whose stored values the new rules may change. $3: the whitespace characters. $4: the old names of time zones.
SELECT
  s.id, s.created_at, s.email, s.email_folded, s.external_id, s.external_id_folded, s.first_name, s.first_name_folded, s.last_name,
  s.last_name_folded, s.timezone, s.timezone_folded, s.region, s.region_folded, s.city, s.city_folded, s.postal_code,
  s.postal_code_folded, s.fields, s.fields_folded
FROM subscribers s
WHERE s.bucket_id = $1 AND s.id > $2 AND (
  s.email ~ '[^\x01-\x7f]' OR s.email ILIKE '%@%xn--%' OR s.timezone = ANY($4::text[])
  OR EXISTS (
    SELECT FROM unnest(ARRAY[s.external_id, s.first_name, s.last_name, s.region, s.city, s.postal_code]) AS t (text)
    WHERE t.text <> btrim(t.text, $3))
  OR EXISTS (
    SELECT FROM jsonb_path_query(s.fields, '$.*[*] ? (@.type() == "string")') AS f (value)
    WHERE f.value #>> '{}' <> btrim(f.value #>> '{}', $3) OR f.value #>> '{}' = ''))
ORDER BY s.id LIMIT $5

-- name: write_person
UPDATE subscribers s SET
  email_folded = $3, external_id = $4, external_id_folded = $5, first_name = $6, first_name_folded = $7, last_name = $8,
  last_name_folded = $9, timezone = $10, timezone_folded = $11, region = $12, region_folded = $13, city = $14, city_folded = $15,
  postal_code = $16, postal_code_folded = $17, fields = $18, fields_folded = $19
WHERE s.bucket_id = $1 AND s.id = $2

-- name: mark
INSERT INTO dirty (bucket_id, lane, subscriber_id, kind, ref)
SELECT $1::bigint, 1, m.subscriber_id, m.kind, m.ref FROM unnest($2::bigint[], $3::text[], $4::bigint[]) AS m (subscriber_id, kind, ref)

-- name: release
DELETE FROM identities i USING unnest($3::text[], $4::text[], $5::bigint[]) AS k (kind, value, subscriber_id)
WHERE i.workspace_id = $2 AND i.kind = k.kind AND i.value = k.value AND i.bucket_id = $1 AND i.subscriber_id = k.subscriber_id

-- name: give_away
INSERT INTO identities (workspace_id, kind, value, bucket_id, subscriber_id)
SELECT k.workspace_id, k.kind, k.value, k.bucket_id, k.subscriber_id
FROM unnest($1::bigint[], $2::text[], $3::text[], $4::bigint[], $5::bigint[])
  WITH ORDINALITY AS k (workspace_id, kind, value, bucket_id, subscriber_id, place)
ORDER BY k.place ON CONFLICT (workspace_id, kind, value) DO NOTHING
RETURNING workspace_id, kind, value, bucket_id, subscriber_id

-- name: trim_event_keys
WITH gone AS (
  DELETE FROM event_keys k WHERE k.bucket_id = $1 AND k.key <> btrim(k.key, $2) RETURNING k.bucket_id, k.subscriber_id, k.key)
INSERT INTO event_keys (bucket_id, subscriber_id, key)
SELECT g.bucket_id, g.subscriber_id, btrim(g.key, $2) FROM gone g WHERE btrim(g.key, $2) <> ''
ON CONFLICT (bucket_id, subscriber_id, key) DO NOTHING

-- name: trim_event_names
UPDATE event_names n SET name = f.trimmed FROM (
  SELECT DISTINCT ON (x.workspace_id, btrim(x.name, $1)) x.id, x.workspace_id, btrim(x.name, $1) AS trimmed
  FROM event_names x WHERE x.name <> btrim(x.name, $1) ORDER BY x.workspace_id, btrim(x.name, $1), x.id) f
WHERE n.id = f.id AND NOT EXISTS (
  SELECT FROM event_names o WHERE o.workspace_id = f.workspace_id AND o.name = f.trimmed)

-- name: event_names_left
SELECT n.workspace_id, n.name FROM event_names n WHERE n.name <> btrim(n.name, $1) ORDER BY n.workspace_id, n.name

-- name: rename_workspaces_zones
UPDATE workspaces w SET timezone = z.present FROM unnest($1::text[], $2::text[]) AS z (old, present) WHERE w.timezone = z.old

-- name: segments
SELECT s.id, s.condition FROM segments s
WHERE s.condition @? '$.**.email' OR s.condition @? '$.**.timezone' OR s.condition @? '$.** ? (@ like_regex "^\\s|\\s$")'
ORDER BY s.id

-- name: refill
-- These segments, and the segments that read them, now have other members. Ids are positive, so no other request has the ticket 0.
WITH RECURSIVE changed (id) AS (
  SELECT c.id FROM unnest($1::bigint[]) AS c (id)
  UNION
  SELECT d.segment_id FROM changed c JOIN segment_dependencies d ON d.depends_on_id = c.id
), raised AS (
  UPDATE segments s SET generation = s.generation + 1 FROM changed c WHERE c.id = s.id RETURNING s.workspace_id
), told AS (
  UPDATE workspaces w SET definitions_version = w.definitions_version + 1 WHERE w.id IN (SELECT r.workspace_id FROM raised r)
)
INSERT INTO wanted_fills (segment_id, ticket) SELECT c.id, 0 FROM changed c
ON CONFLICT (segment_id) DO UPDATE SET ticket = excluded.ticket, lane = 0
