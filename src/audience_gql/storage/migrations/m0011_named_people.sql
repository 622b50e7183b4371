-- The people that a refused row's message names: bucket id and subscriber id of each person, one after the other.
ALTER TABLE import_rejects ADD COLUMN people bigint[] NOT NULL DEFAULT '{}';
