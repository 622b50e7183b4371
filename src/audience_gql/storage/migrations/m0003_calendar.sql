-- The day on which weeks begin: MONDAY, SATURDAY or SUNDAY.
ALTER TABLE workspaces ADD COLUMN week_start text NOT NULL DEFAULT 'MONDAY';

-- Every time zone's clock. It is reference data: the same for all workspaces, and every machine may have a copy. Nothing refers to it by key.
CREATE TABLE zone_clocks (
  zone      text COLLATE "C" PRIMARY KEY,
  version   text COLLATE "C" NOT NULL,                       -- of the zone data
  starts    timestamptz[] NOT NULL,                          -- from each of these instants on, until the next one,
  readings  timestamp[] NOT NULL                             -- the local time is this reading plus the time since then
);
-- Statements look into the arrays for every person and event, so they are kept uncompressed in the row.
ALTER TABLE zone_clocks ALTER COLUMN starts SET STORAGE PLAIN, ALTER COLUMN readings SET STORAGE PLAIN;
