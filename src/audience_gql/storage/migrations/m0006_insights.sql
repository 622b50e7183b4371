-- The log has every change from this instant on; null: it was never shortened, or before this column was added.
ALTER TABLE buckets ADD COLUMN complete_since timestamptz;
-- When somebody last read the segment's members or listened to it, to the hour, and when somebody last reviewed it; null: never.
ALTER TABLE segments ADD COLUMN last_read_at timestamptz;
ALTER TABLE segments ADD COLUMN reviewed_at timestamptz;
