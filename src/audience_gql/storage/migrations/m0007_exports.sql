-- Exports of lists to files, and how far each has come. They belong to the work of the processes.
CREATE TABLE exports (
  id            bigint PRIMARY KEY,
  workspace_id  bigint NOT NULL REFERENCES workspaces (id) ON DELETE CASCADE,
  state         text NOT NULL CHECK (state IN ('WAITING', 'RUNNING', 'DONE', 'FAILED', 'EXPIRED')),
  list_kind     text NOT NULL,                               -- SEGMENT or GROUP
  list_id       bigint NOT NULL,
  list_name     text NOT NULL,                               -- when the export was requested
  plan          jsonb NOT NULL,                              -- the format, and the columns by name
  secret_hash   bytea NOT NULL,
  attempt       integer NOT NULL DEFAULT 0,                  -- raised whenever a worker begins to write the file
  total         bigint,                                      -- members in the attempt's snapshot; null: not counted yet
  rows          bigint NOT NULL DEFAULT 0,                   -- written so far by this attempt
  bytes         bigint NOT NULL DEFAULT 0,                   -- stored so far by this attempt
  heads         jsonb,                                       -- bucket id -> last sequence of its log in the snapshot
  failure       text,
  created_at    timestamptz NOT NULL,
  taken_at      timestamptz,                                 -- when the attempt's snapshot was taken; null: not yet
  seen_at       timestamptz,                                 -- the last sign of life of the worker that writes
  expires_at    timestamptz NOT NULL
);
CREATE INDEX exports_kept ON exports (workspace_id, id) WHERE state IN ('WAITING', 'RUNNING', 'DONE');

-- Pieces of the files. All pieces of a file have the same size, except the last one. Pieces of older attempts, and those of exports that
-- have ended otherwise than with a file, are never read, and are deleted soon.
CREATE TABLE export_chunks (
  export_id  bigint NOT NULL REFERENCES exports (id) ON DELETE CASCADE,
  attempt    integer NOT NULL,
  position   bigint NOT NULL,                                -- of its first byte in the file
  content    bytea NOT NULL,
  PRIMARY KEY (export_id, attempt, position)
);
ALTER TABLE export_chunks ALTER COLUMN content SET STORAGE EXTERNAL;  -- CREATE TABLE accepts this only from Postgres 16 on
