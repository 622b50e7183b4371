-- Segments to fill, to recompute, or to clear after their deletion. A row is deleted when the work for its ticket is done. Every request
-- writes a new ticket, so a request during the work is not lost.
CREATE TABLE wanted_fills (
  segment_id  bigint PRIMARY KEY,
  ticket      bigint NOT NULL
);

INSERT INTO wanted_fills (segment_id, ticket)
SELECT s.id, 0 FROM segments s UNION SELECT st.segment_id, 0 FROM segment_states st;

-- What the auditor found, one row per hour. Only operators read it.
CREATE TABLE audits (
  hour         timestamptz PRIMARY KEY,
  slices       bigint NOT NULL,
  people       bigint NOT NULL,
  differences  bigint NOT NULL,
  last_at      timestamptz NOT NULL
);
