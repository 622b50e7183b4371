-- Notices are about rows that were written except for some part. They are stored beside the refused rows; no row is both.
ALTER TABLE import_rejects ADD COLUMN is_notice boolean NOT NULL DEFAULT false;
ALTER TABLE imports ADD COLUMN noticed bigint NOT NULL DEFAULT 0;
