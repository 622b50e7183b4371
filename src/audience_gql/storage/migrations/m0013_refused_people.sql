-- The keys in a refused row, as SHA-256 of "kind:value". Erasing a person who has one of these keys deletes the row.
ALTER TABLE import_rejects ADD COLUMN key_hashes text[] NOT NULL DEFAULT '{}';
