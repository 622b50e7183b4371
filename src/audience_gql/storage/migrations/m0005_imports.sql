CREATE TABLE imports (
  id            bigint PRIMARY KEY,
  workspace_id  bigint NOT NULL REFERENCES workspaces (id) ON DELETE CASCADE,
  state         text NOT NULL CHECK (state IN ('WAITING', 'RUNNING', 'DONE', 'FAILED', 'CANCELLED')),
  plan          jsonb NOT NULL,
  dry_run       boolean NOT NULL,
  secret_hash   bytea NOT NULL,
  upload_id     bigint,                       -- the upload that arrived completely; null: none has yet
  bytes         bigint NOT NULL DEFAULT 0,    -- size of that file
  bytes_read    bigint NOT NULL DEFAULT 0,    -- all rows up to here are written; another process continues here
  lines_read    bigint NOT NULL DEFAULT 0,
  header        text[],
  rows_read     bigint NOT NULL DEFAULT 0,
  created       bigint NOT NULL DEFAULT 0,
  updated       bigint NOT NULL DEFAULT 0,
  rejected      bigint NOT NULL DEFAULT 0,
  failure       text,
  created_at    timestamptz NOT NULL
);
CREATE INDEX imports_under_way ON imports (id) WHERE state IN ('WAITING', 'RUNNING');

-- Pieces of a file as they arrived. Pieces of an upload that broke off are never read, and are deleted later.
CREATE TABLE import_chunks (
  import_id    bigint NOT NULL REFERENCES imports (id) ON DELETE CASCADE,
  upload_id    bigint NOT NULL,
  position     bigint NOT NULL,               -- of its first byte in the file
  content      bytea NOT NULL,
  received_at  timestamptz NOT NULL,
  PRIMARY KEY (import_id, upload_id, position)
);
ALTER TABLE import_chunks ALTER COLUMN content SET STORAGE EXTERNAL;  -- CREATE TABLE accepts this only from Postgres 16 on

CREATE TABLE import_rejects (
  import_id  bigint NOT NULL REFERENCES imports (id) ON DELETE CASCADE,
  line       bigint NOT NULL,
  message    text NOT NULL,
  PRIMARY KEY (import_id, line)
);
