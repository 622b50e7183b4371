-- Rows that were written but for some part, told beside those that were refused. No row is both.
ALTER TABLE import_rejects ADD COLUMN is_notice boolean NOT NULL DEFAULT false;
ALTER TABLE imports ADD COLUMN noticed bigint NOT NULL DEFAULT 0;
