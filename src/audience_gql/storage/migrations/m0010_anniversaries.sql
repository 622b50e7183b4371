-- A date is no longer its own anniversary. Segments with a condition on anniversaries, and segments that read them, now have other
-- members: a new generation makes workers fill them again. Ids are positive, so no earlier request has the ticket 0.
WITH RECURSIVE changed (id) AS (
  SELECT s.id FROM segments s WHERE s.condition @? '$.**.anniversaryInNext' OR s.condition @? '$.**.anniversaryInLast'
  UNION
  SELECT d.segment_id FROM changed c JOIN segment_dependencies d ON d.depends_on_id = c.id
), raised AS (
  UPDATE segments s SET generation = s.generation + 1 FROM changed c WHERE c.id = s.id RETURNING s.workspace_id
), told AS (
  UPDATE workspaces w SET definitions_version = w.definitions_version + 1
  WHERE w.id IN (SELECT r.workspace_id FROM raised r)
)
INSERT INTO wanted_fills (segment_id, ticket) SELECT c.id, 0 FROM changed c
ON CONFLICT (segment_id) DO UPDATE SET ticket = excluded.ticket;
