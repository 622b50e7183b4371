-- The keys in a refused row, as SHA-256 of "kind:value": the row goes with whoever has one of them.
ALTER TABLE import_rejects ADD COLUMN key_hashes text[] NOT NULL DEFAULT '{}';
