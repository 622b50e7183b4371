-- The documents that a workspace trusts. Rows are added and deleted, never changed. They hold texts of documents only, never variables.
CREATE TABLE trusted_documents (
  id            bigint PRIMARY KEY,
  workspace_id  bigint NOT NULL REFERENCES workspaces (id) ON DELETE CASCADE,
  sha256        text NOT NULL CHECK (sha256 ~ '^[0-9a-f]{64}$'),  -- of the text in UTF-8
  text          text NOT NULL,
  operations    text[] NOT NULL,                             -- the names of its operations, in order; '' for one without a name
  published_at  timestamptz NOT NULL,
  published_by  text NOT NULL,                               -- the name that the publisher had at that time
  UNIQUE (workspace_id, sha256)
);
CREATE INDEX trusted_documents_latest ON trusted_documents (workspace_id, published_at, id);

ALTER TABLE api_tokens ADD COLUMN only_trusted_documents boolean NOT NULL DEFAULT false;
