ALTER TABLE imports
  ADD COLUMN file_name        text,                          -- as the caller gave it; null: not given
  ADD COLUMN started_by       text,                          -- the name that the caller's token had; null: started by an older version
  ADD COLUMN ended_at         timestamptz,                   -- null: not ended, or ended under an older version
  ADD COLUMN is_recorded      boolean NOT NULL DEFAULT false,-- whether import_effects has everything that this import did
  ADD COLUMN recorded         bigint NOT NULL DEFAULT 0,     -- how many rows import_effects received
  ADD COLUMN undo_state       text CHECK (undo_state IN ('RUNNING', 'DONE')),  -- null: nobody asked to undo this import
  ADD COLUMN undo_started_at  timestamptz,
  ADD COLUMN undo_started_by  text,
  ADD COLUMN undo_ended_at    timestamptz,
  ADD COLUMN undo_counts      jsonb NOT NULL DEFAULT '{}';   -- what the undo did so far: numbers by name
CREATE INDEX imports_latest ON imports (workspace_id, created_at, id);
CREATE INDEX imports_undoing ON imports (id) WHERE undo_state = 'RUNNING';

-- What an import did to each person, one row for each batch that changed them. Undoing the import works through these rows, the latest batch
-- first, and deletes them. They quote values of people, so erasing a person deletes theirs.
CREATE TABLE import_effects (
  bucket_id          bigint NOT NULL,
  import_id          bigint NOT NULL,
  step               bigint NOT NULL,                        -- the batch: the position of its first byte in the file
  subscriber_id      bigint NOT NULL,
  at                 timestamptz NOT NULL,                   -- the instant of the batch; memberships that it added have it as added_at
  is_created         boolean NOT NULL,                       -- whether the batch created the person
  updated_at_before  timestamptz,                            -- the person's updated_at before the batch; null: it created them
  updated_at_after   timestamptz NOT NULL,
  joined             bigint[] NOT NULL,                      -- ids of the groups that the batch added the person to
  changes            jsonb NOT NULL,                         -- values before and after, except for the profile of a person whom it created; and
                                                             -- the groups that the batch removed the person from, with their added_at
  PRIMARY KEY (bucket_id, import_id, step, subscriber_id)
);
CREATE INDEX import_effects_person ON import_effects (bucket_id, subscriber_id);
