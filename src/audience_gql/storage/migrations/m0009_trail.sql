-- The audit trail: who changed which definition, when, and how. Rows are only ever added, and deleted only with their workspace.
-- It belongs to a workspace and not to a bucket: of people it holds nothing except the id of somebody who was erased.
CREATE TABLE trail_entries (
  id             bigint PRIMARY KEY,
  workspace_id   bigint NOT NULL REFERENCES workspaces (id) ON DELETE CASCADE,
  at             timestamptz NOT NULL,
  actor_kind     text NOT NULL CHECK (actor_kind IN ('TOKEN', 'COMMAND_LINE', 'SERVER')),
  token_id       bigint,                                     -- of the token; null for other actors
  actor_name     text NOT NULL,                              -- the token's name at that time, or what acted
  kind           text NOT NULL,
  object_id      bigint NOT NULL,
  object_bucket  bigint,                                     -- of a person; null for everything else
  object_name    text,                                       -- at that time; null for a person and for what has no name
  before         jsonb,                                      -- null for something new
  after          jsonb,                                      -- null for something deleted
  lines_added    text[] NOT NULL DEFAULT '{}',               -- how the condition changed, in words
  lines_removed  text[] NOT NULL DEFAULT '{}'
);
CREATE INDEX trail_entries_latest ON trail_entries (workspace_id, at, id);
CREATE INDEX trail_entries_of_object ON trail_entries (workspace_id, object_id, at, id);

ALTER TABLE api_tokens
  ADD COLUMN networks text[],                                -- from which the token may be used; null: from anywhere
  ADD COLUMN last_used_address text,
  ADD COLUMN last_used_agent text;                           -- the class of the client, such as BROWSER

ALTER TABLE workspaces ADD COLUMN deleted_at timestamptz;    -- since when the workspace is being deleted; null: it is not
