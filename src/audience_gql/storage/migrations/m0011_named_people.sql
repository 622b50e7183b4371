-- Whom a refused row's message names: the bucket and the id of each, one after the other.
ALTER TABLE import_rejects ADD COLUMN people bigint[] NOT NULL DEFAULT '{}';
