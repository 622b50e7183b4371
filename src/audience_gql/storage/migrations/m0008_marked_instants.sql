-- When the event occurred that the mark is about; null for other facts, and for several events.
ALTER TABLE dirty ADD COLUMN at timestamptz;
