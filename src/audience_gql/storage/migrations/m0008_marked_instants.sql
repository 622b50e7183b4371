-- When the one event happened that a mark tells of; null for other facts, and where it tells of several.
ALTER TABLE dirty ADD COLUMN at timestamptz;
