-- Segments with something to be filled, found again, or forgotten. A row goes when its ticket is worked off; every request brings a
-- new ticket, so that one that comes meanwhile is not lost with it.
CREATE TABLE wanted_fills (
  segment_id  bigint PRIMARY KEY,
  ticket      bigint NOT NULL
);

INSERT INTO wanted_fills (segment_id, ticket)
SELECT s.id, 0 FROM segments s UNION SELECT st.segment_id, 0 FROM segment_states st;

-- What the auditor found, an hour a row: it is asked for by operators, and read by nobody else.
CREATE TABLE audits (
  hour         timestamptz PRIMARY KEY,
  slices       bigint NOT NULL,
  people       bigint NOT NULL,
  differences  bigint NOT NULL,
  last_at      timestamptz NOT NULL
);
