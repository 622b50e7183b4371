-- There are three families of tables. Definitions (workspaces, groups, segments, …) belong to a workspace and are small. All tables about
-- people have bucket_id, and their primary keys begin with it, so that a bucket can live on a separate node. The last family is the work of
-- the processes: queues, imports and what operators read.
-- Text is compared in the "C" collation, and in its folded form, so that no server locale can change a membership.

CREATE SEQUENCE ids START 1000 INCREMENT 1000;  -- one value is a block of 1,000 ids, drawn by the application

-- ---- Definitions

CREATE TABLE workspaces (
  id                   bigint PRIMARY KEY,
  name                 text NOT NULL UNIQUE,
  timezone             text NOT NULL DEFAULT 'UTC',
  definitions_version  bigint NOT NULL DEFAULT 0,            -- raised with every change of what ticks evaluate, so that a worker reads the
                                                             -- segments again only after such a change
  log_epoch            bigint NOT NULL DEFAULT 0,            -- raised after the database was restored from a backup: older cursors belong
                                                             -- to a log that has diverged from this one
  created_at           timestamptz NOT NULL
);

CREATE TABLE api_tokens (
  id            bigint PRIMARY KEY,
  workspace_id  bigint NOT NULL REFERENCES workspaces (id) ON DELETE CASCADE,
  name          text NOT NULL,
  prefix        text NOT NULL UNIQUE,
  secret_hash   bytea NOT NULL,
  scopes        text[] NOT NULL,
  created_at    timestamptz NOT NULL,
  expires_at    timestamptz,
  revoked_at    timestamptz,
  last_used_at  timestamptz
);

CREATE TABLE buckets (
  id                 bigint PRIMARY KEY,
  workspace_id       bigint NOT NULL REFERENCES workspaces (id) ON DELETE CASCADE,
  is_open            boolean NOT NULL DEFAULT true,          -- takes new subscribers
  next_sequence      bigint NOT NULL DEFAULT 1,              -- of membership_changes
  pruned_through     bigint NOT NULL DEFAULT 0,              -- up to this sequence, the log keeps only rows that are still true: a
                                                             -- member's last entry; after it, the log is complete
  last_instant       timestamptz NOT NULL,                   -- the bucket's time never goes back before it
  evaluated_through  timestamptz NOT NULL,                   -- edges up to here have been taken
  next_due_at        timestamptz,                            -- the next instant at which the clock changes anything; null: never
  turn               bigint NOT NULL DEFAULT 0,              -- raised by every tick, fill and repair, so that a tick knows whether its
                                                             -- remembered horizon is valid
  states_version     bigint NOT NULL DEFAULT 0,              -- as workspaces.definitions_version, for changes that concern only this
                                                             -- bucket's ticks, because fills begin bucket by bucket
  has_events_ahead   boolean NOT NULL DEFAULT true,          -- whether there may be events that occur after evaluated_through: only for
                                                             -- these events can the clock alone reach their time
  crowd_through      timestamptz,                            -- while a crowd that crossed edges is being marked: the instant up to which
                                                             -- the edges were crossed; null: no crowd is being marked
  crowd_marked_to    bigint                                  -- the id up to which people of this crowd are marked
) WITH (fillfactor = 50);
CREATE INDEX buckets_workspace ON buckets (workspace_id);
CREATE INDEX buckets_due ON buckets (next_due_at) WHERE next_due_at IS NOT NULL;

CREATE TABLE custom_fields (
  id            bigint PRIMARY KEY,
  workspace_id  bigint NOT NULL REFERENCES workspaces (id) ON DELETE CASCADE,
  key           text NOT NULL,
  label         text NOT NULL,
  type          text NOT NULL,
  options       text[],
  created_at    timestamptz NOT NULL,
  UNIQUE (workspace_id, key)
);

CREATE TABLE event_names (
  id            bigint PRIMARY KEY,
  workspace_id  bigint NOT NULL REFERENCES workspaces (id) ON DELETE CASCADE,
  name          text COLLATE "C" NOT NULL,
  UNIQUE (workspace_id, name)
);

CREATE TABLE groups (
  id            bigint PRIMARY KEY,
  workspace_id  bigint NOT NULL REFERENCES workspaces (id) ON DELETE CASCADE,
  name          text NOT NULL,
  name_folded   text COLLATE "C" NOT NULL,
  description   text,
  created_at    timestamptz NOT NULL,
  updated_at    timestamptz NOT NULL,
  UNIQUE (workspace_id, name_folded)
);

CREATE TABLE segments (
  id              bigint PRIMARY KEY,
  workspace_id    bigint NOT NULL REFERENCES workspaces (id) ON DELETE CASCADE,
  name            text NOT NULL,
  name_folded     text COLLATE "C" NOT NULL,
  description     text,
  condition       jsonb NOT NULL,                            -- in the shape of ConditionInput, ids as plain numbers
  summary         text NOT NULL,
  revision        integer NOT NULL DEFAULT 1,                -- raised by every edit
  generation      integer NOT NULL DEFAULT 1,                -- raised by every edit of its condition, or of a condition that it reads
  failure         text,                                      -- not null: FAILED, and not evaluated until edited
  is_paused       boolean NOT NULL DEFAULT false,            -- left out of ticks, fills and recomputes until resumed
  paused_through  timestamptz,                               -- while paused: facts up to here are included; null: it was not filled
  created_at      timestamptz NOT NULL,
  updated_at      timestamptz NOT NULL,
  UNIQUE (workspace_id, name_folded)
);

-- Which segments a segment's condition names. Stored beside the definition, so that "used by" and refills need not search JSON.
CREATE TABLE segment_dependencies (
  segment_id     bigint NOT NULL REFERENCES segments (id) ON DELETE CASCADE,
  depends_on_id  bigint NOT NULL REFERENCES segments (id),
  PRIMARY KEY (segment_id, depends_on_id)
);
CREATE INDEX segment_dependencies_used_by ON segment_dependencies (depends_on_id);

-- ---- People

CREATE TABLE subscribers (
  bucket_id            bigint NOT NULL REFERENCES buckets (id),
  id                   bigint NOT NULL,                      -- random and never reused
  email                text,
  email_folded         text COLLATE "C",
  email_changed_at     timestamptz,                          -- since when they have another address than their first one; null: first one
  phone                text,
  phone_folded         text COLLATE "C",
  external_id          text,
  external_id_folded   text COLLATE "C",
  first_name           text,
  first_name_folded    text COLLATE "C",
  last_name            text,
  last_name_folded     text COLLATE "C",
  language             text,
  language_folded      text COLLATE "C",
  timezone             text,
  timezone_folded      text COLLATE "C",
  birthday             date,
  country              text,
  country_folded       text COLLATE "C",
  region               text,
  region_folded        text COLLATE "C",
  city                 text,
  city_folded          text COLLATE "C",
  postal_code          text,
  postal_code_folded   text COLLATE "C",
  fields               jsonb NOT NULL DEFAULT '{}',          -- custom field id → value as written
  fields_folded        jsonb NOT NULL DEFAULT '{}',          -- custom field id → folded text, only where it differs
  created_at           timestamptz NOT NULL,
  updated_at           timestamptz NOT NULL,
  PRIMARY KEY (bucket_id, id)
);
CREATE INDEX subscribers_created ON subscribers (bucket_id, created_at, id);

-- Who owns an email, phone or external id: the only table about people whose key begins with the workspace.
CREATE TABLE identities (
  workspace_id   bigint NOT NULL,
  kind           text NOT NULL,
  value          text COLLATE "C" NOT NULL,
  bucket_id      bigint NOT NULL,
  subscriber_id  bigint NOT NULL,
  PRIMARY KEY (workspace_id, kind, value)
);

-- before_…: the state before a bounce, or before a state that an event set, so that a bounce ends together with its address. Status NONE:
-- there was no state. Null: nothing needs to be kept.
CREATE TABLE channel_states (
  bucket_id          bigint NOT NULL,
  subscriber_id      bigint NOT NULL,
  channel            text NOT NULL,
  status             text NOT NULL,
  changed_at         timestamptz NOT NULL,
  reason             text,
  before_status      text,
  before_changed_at  timestamptz,
  before_reason      text,
  PRIMARY KEY (bucket_id, subscriber_id, channel),
  FOREIGN KEY (bucket_id, subscriber_id) REFERENCES subscribers (bucket_id, id) ON DELETE CASCADE
);
CREATE INDEX channel_states_changed ON channel_states (bucket_id, channel, changed_at, subscriber_id);

-- A person's own dates (created, updated, birthday, custom dates) as rows, so that time edges are index ranges without DDL at run time.
-- field_id: 1 created, 2 updated, 3 birthday, otherwise the custom field's id. A day is stored as its midnight in UTC. For anniversaries,
-- its month and day are also stored alone, as a day of the year 2000 under the negative field_id.
CREATE TABLE subscriber_dates (
  bucket_id      bigint NOT NULL,
  subscriber_id  bigint NOT NULL,
  field_id       bigint NOT NULL,
  at             timestamptz NOT NULL,
  PRIMARY KEY (bucket_id, subscriber_id, field_id),
  FOREIGN KEY (bucket_id, subscriber_id) REFERENCES subscribers (bucket_id, id) ON DELETE CASCADE
);
CREATE INDEX subscriber_dates_wheel ON subscriber_dates (bucket_id, field_id, at, subscriber_id);

-- A group is deleted before its members. Writers of members lock the group's row themselves (definitions.hold_groups).
CREATE TABLE group_members (
  bucket_id      bigint NOT NULL,
  group_id       bigint NOT NULL,
  subscriber_id  bigint NOT NULL,
  added_at       timestamptz NOT NULL,
  PRIMARY KEY (bucket_id, group_id, subscriber_id),
  FOREIGN KEY (bucket_id, subscriber_id) REFERENCES subscribers (bucket_id, id) ON DELETE CASCADE
);
CREATE INDEX group_members_person ON group_members (bucket_id, subscriber_id, group_id);
CREATE INDEX group_members_added ON group_members (bucket_id, group_id, added_at, subscriber_id);

-- The tables from here on have no foreign keys: ticks and the writers of events write them, and lock the people FOR KEY SHARE themselves.
CREATE TABLE events (
  bucket_id          bigint NOT NULL,
  subscriber_id      bigint NOT NULL,
  name_id            bigint NOT NULL,
  occurred_at        timestamptz NOT NULL,
  id                 bigint NOT NULL,
  value              numeric,
  properties         jsonb NOT NULL DEFAULT '{}',
  properties_folded  jsonb NOT NULL DEFAULT '{}',            -- folded text, only for the keys where it differs
  properties_times   jsonb,                                  -- for texts that are instants: the instant in UTC; null: there are none
  PRIMARY KEY (bucket_id, subscriber_id, name_id, occurred_at, id)
);
CREATE INDEX events_wheel ON events (bucket_id, name_id, occurred_at, subscriber_id);

CREATE TABLE event_keys (
  bucket_id      bigint NOT NULL,
  subscriber_id  bigint NOT NULL,
  key            text COLLATE "C" NOT NULL,
  PRIMARY KEY (bucket_id, subscriber_id, key)
);

CREATE TABLE segment_members (
  bucket_id      bigint NOT NULL,
  segment_id     bigint NOT NULL,
  subscriber_id  bigint NOT NULL,
  entered_at     timestamptz NOT NULL,
  PRIMARY KEY (bucket_id, segment_id, subscriber_id)
);
CREATE INDEX segment_members_person ON segment_members (bucket_id, subscriber_id, segment_id);
CREATE INDEX segment_members_entered ON segment_members (bucket_id, segment_id, entered_at, subscriber_id);

-- The log. `sequence` is gapless and in commit order within a bucket, because writers take it under the bucket's lock.
CREATE TABLE membership_changes (
  bucket_id      bigint NOT NULL,
  sequence       bigint NOT NULL,
  list_kind      text NOT NULL,                              -- SEGMENT or GROUP
  list_id        bigint NOT NULL,
  subscriber_id  bigint NOT NULL,
  entered        boolean NOT NULL,
  cause          text NOT NULL,
  revision       integer,
  occurred_at    timestamptz NOT NULL,
  PRIMARY KEY (bucket_id, sequence)
);
CREATE INDEX membership_changes_person ON membership_changes (bucket_id, subscriber_id, sequence);
CREATE INDEX membership_changes_list ON membership_changes (bucket_id, list_id, sequence);

-- How many people entered and left in the hours that were pruned from the log. Kept for ever. An hour without a change has no row.
CREATE TABLE segment_hours (
  bucket_id   bigint NOT NULL,
  segment_id  bigint NOT NULL,
  hour        timestamptz NOT NULL,
  entered     bigint NOT NULL,
  "left"      bigint NOT NULL,
  PRIMARY KEY (bucket_id, segment_id, hour)
);

-- Marks: what a committed change may have altered. Writers only append; only ticks delete.
-- Marks are inserted and deleted by the thousand. In a key of all their columns, dead marks filled pages that every tick had to read
-- until a vacuum. An index of two columns keeps them in posting lists of 50 to 100 per entry, which cost a tick almost nothing. Two marks
-- are never merged, even if they are equal.
CREATE TABLE dirty (
  bucket_id      bigint NOT NULL,
  lane           smallint NOT NULL,                          -- 0 live, 1 bulk
  subscriber_id  bigint NOT NULL,
  kind           text NOT NULL,
  ref            bigint NOT NULL,
  at             timestamptz                                 -- when the event occurred that the mark is about; null for other facts, and
                                                             -- for several events
) WITH (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 10000);
CREATE INDEX dirty_bucket ON dirty (bucket_id, lane);

CREATE TABLE segment_states (
  bucket_id      bigint NOT NULL,
  segment_id     bigint NOT NULL,
  generation     integer NOT NULL,                           -- the segment's generation that `filled_to` is about
  filled_to      bigint,                                     -- people up to this id are filled; null: all people
  fill_cause     text NOT NULL,                              -- DEFINITION, or REPAIR for a recompute
  fill_entered   bigint NOT NULL DEFAULT 0,                  -- changes found by the present fill, or by the last one
  fill_left      bigint NOT NULL DEFAULT 0,
  filled_at      timestamptz,
  members        bigint NOT NULL DEFAULT 0,
  PRIMARY KEY (bucket_id, segment_id)
) WITH (fillfactor = 50);
CREATE INDEX segment_states_segment ON segment_states (segment_id);

CREATE TABLE group_states (
  bucket_id  bigint NOT NULL,
  group_id   bigint NOT NULL,
  members    bigint NOT NULL DEFAULT 0,                      -- as of the last tick; readers add the marks that are not yet taken
  PRIMARY KEY (bucket_id, group_id)
) WITH (fillfactor = 50);
CREATE INDEX group_states_group ON group_states (group_id);

-- ---- The work of the processes

-- The worker processes, one row each, refreshed every few seconds, so that readiness can tell whether a worker is running.
CREATE TABLE workers (
  id                  bigint PRIMARY KEY,
  started_at          timestamptz NOT NULL,
  seen_at             timestamptz NOT NULL,
  looked_for_jobs_at  timestamptz                            -- when it last looked for jobs in Redis and got an answer; null: never yet
);

-- Segments to fill, to recompute, or to clear after their deletion. A row is deleted when the work for its ticket is done. Every request
-- writes a new ticket, so a request during the work is not lost.
CREATE TABLE wanted_fills (
  segment_id  bigint PRIMARY KEY,
  ticket      bigint NOT NULL,
  lane        smallint NOT NULL DEFAULT 0                    -- lower lanes go first. 0: new and edited segments. 1: recomputes, and the
                                                             -- clearing of deleted segments
);

-- Deleted groups and custom fields that still have rows in buckets. A row is deleted when nothing of them is left.
CREATE TABLE wanted_clearings (
  kind          text NOT NULL,                               -- group or field
  ref           bigint NOT NULL,
  workspace_id  bigint NOT NULL,
  PRIMARY KEY (kind, ref)
);

-- What the auditor found, one row per hour. Only operators read it.
CREATE TABLE audits (
  hour         timestamptz PRIMARY KEY,
  slices       bigint NOT NULL,
  people       bigint NOT NULL,
  differences  bigint NOT NULL,
  last_at      timestamptz NOT NULL
);

-- Imports of people from files, and how far each has come.
CREATE TABLE imports (
  id            bigint PRIMARY KEY,
  workspace_id  bigint NOT NULL REFERENCES workspaces (id) ON DELETE CASCADE,
  state         text NOT NULL CHECK (state IN ('WAITING', 'RUNNING', 'DONE', 'FAILED', 'CANCELLED')),
  plan          jsonb NOT NULL,
  dry_run       boolean NOT NULL,
  secret_hash   bytea NOT NULL,
  upload_id     bigint,                                      -- the upload that arrived completely; null: none has yet
  bytes         bigint NOT NULL DEFAULT 0,                   -- size of that file
  bytes_read    bigint NOT NULL DEFAULT 0,                   -- all rows up to here are written; another process continues here
  lines_read    bigint NOT NULL DEFAULT 0,
  header        text[],
  rows_read     bigint NOT NULL DEFAULT 0,
  created       bigint NOT NULL DEFAULT 0,
  updated       bigint NOT NULL DEFAULT 0,
  rejected      bigint NOT NULL DEFAULT 0,
  noticed       bigint NOT NULL DEFAULT 0,
  failure       text,
  created_at    timestamptz NOT NULL
);
CREATE INDEX imports_under_way ON imports (id) WHERE state IN ('WAITING', 'RUNNING');

-- Pieces of a file as they arrived. They are stored until the rows are written, so that one process can receive and another process them.
-- Pieces of an upload that broke off are never read, and are deleted later.
CREATE TABLE import_chunks (
  import_id    bigint NOT NULL REFERENCES imports (id) ON DELETE CASCADE,
  upload_id    bigint NOT NULL,
  position     bigint NOT NULL,                              -- of its first byte in the file
  content      bytea NOT NULL,
  received_at  timestamptz NOT NULL,
  PRIMARY KEY (import_id, upload_id, position)
);
ALTER TABLE import_chunks ALTER COLUMN content SET STORAGE EXTERNAL;  -- CREATE TABLE accepts this only from Postgres 16 on

-- What an import says about rows: refusals, and notices about rows that were written except for some part. No row of a file has both.
CREATE TABLE import_rejects (
  import_id   bigint NOT NULL REFERENCES imports (id) ON DELETE CASCADE,
  line        bigint NOT NULL,
  message     text NOT NULL,
  people      bigint[] NOT NULL DEFAULT '{}',                -- whom the message names: bucket id and subscriber id, one after the other
  key_hashes  text[] NOT NULL DEFAULT '{}',                  -- the keys in the row, as SHA-256 of "kind:value"; erasing a person who has
                                                             -- one of these keys deletes the row
  is_notice   boolean NOT NULL DEFAULT false,
  PRIMARY KEY (import_id, line)
);
