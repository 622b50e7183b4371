-- Where a mark and a change come from: 0 a caller, the clock or an edit; -1 an import; otherwise the depth of the run that caused it,
-- 1 for the run of an automation that nothing but a caller, the clock or an edit had started.
ALTER TABLE dirty ADD COLUMN origin smallint NOT NULL DEFAULT 0;
ALTER TABLE membership_changes ADD COLUMN origin smallint NOT NULL DEFAULT 0;
-- The last instant before `occurred_at` at which the membership is known to have been the opposite.
ALTER TABLE membership_changes ADD COLUMN unchanged_at timestamptz;
-- The instant of the last tick after which nobody waited for an evaluation.
ALTER TABLE buckets ADD COLUMN settled_at timestamptz;

-- What happens when somebody enters or leaves a list.
CREATE TABLE automations (
  id             bigint PRIMARY KEY,
  workspace_id   bigint NOT NULL REFERENCES workspaces ON DELETE CASCADE,
  name           text NOT NULL,
  name_folded    text COLLATE "C" NOT NULL,
  description    text,
  list_kind      text NOT NULL,                              -- the trigger: SEGMENT or GROUP
  list_id        bigint NOT NULL,
  on_entered     boolean NOT NULL,
  on_left        boolean NOT NULL,
  rules          jsonb NOT NULL,                             -- hold, reentry, causes and onlyIf
  actions        jsonb NOT NULL,                             -- in order
  revision       integer NOT NULL DEFAULT 1,
  is_paused      boolean NOT NULL DEFAULT false,
  created_at     timestamptz NOT NULL,
  updated_at     timestamptz NOT NULL,
  UNIQUE (workspace_id, name_folded)
);
CREATE INDEX automations_list ON automations (list_kind, list_id);

-- How far an automation has read the log of a bucket. Whoever acts for it there locks this row.
CREATE TABLE automation_places (
  bucket_id      bigint NOT NULL,
  automation_id  bigint NOT NULL,
  sequence       bigint NOT NULL,                            -- everything up to here is decided
  begun_after    bigint NOT NULL,                            -- the sequence after which the automation has read everything
  existing_to    bigint,                                     -- members up to this id have had their run; null: nobody is to have one
  PRIMARY KEY (bucket_id, automation_id)
) WITH (fillfactor = 50);
CREATE INDEX automation_places_automation ON automation_places (automation_id);

-- One automation acting for one person once.
CREATE TABLE runs (
  bucket_id      bigint NOT NULL,
  id             bigint NOT NULL,
  automation_id  bigint NOT NULL,
  subscriber_id  bigint NOT NULL,
  state          text NOT NULL,                              -- WAITING, DONE, CANCELLED, SKIPPED, FAILED or CUT_OFF
  reason         text,                                       -- why it is not DONE
  entered        boolean NOT NULL,
  cause          text NOT NULL,                              -- the change's cause, or EXISTING
  sequence       bigint,                                     -- the change's, in the bucket's log; null for EXISTING
  origin         smallint NOT NULL,                          -- the change's
  revision       integer NOT NULL,                           -- the automation's
  started_at     timestamptz NOT NULL,                       -- when the change occurred
  due_at         timestamptz,                                -- when a hold is over; null: none was asked for
  ended_at       timestamptz,                                -- null while WAITING
  changed_at     timestamptz NOT NULL,                       -- when this row was last written
  PRIMARY KEY (bucket_id, id)
) WITH (fillfactor = 90);
CREATE INDEX runs_person ON runs (bucket_id, subscriber_id, automation_id, started_at);
CREATE INDEX runs_automation ON runs (bucket_id, automation_id, started_at, id);
CREATE INDEX runs_changed ON runs (bucket_id, changed_at);
CREATE INDEX runs_waiting ON runs (bucket_id, automation_id, due_at) WHERE state = 'WAITING';

-- URLs that receive webhooks.
CREATE TABLE webhook_endpoints (
  id               bigint PRIMARY KEY,
  workspace_id     bigint NOT NULL REFERENCES workspaces ON DELETE CASCADE,
  name             text NOT NULL,
  name_folded      text COLLATE "C" NOT NULL,
  url              text NOT NULL,
  secret           text NOT NULL,
  previous_secret  text,                                     -- still signs until `previous_until`
  previous_until   timestamptz,
  is_enabled       boolean NOT NULL DEFAULT true,
  disabled_reason  text,
  failing_since    timestamptz,                              -- null after a success
  revision         integer NOT NULL DEFAULT 1,
  created_at       timestamptz NOT NULL,
  updated_at       timestamptz NOT NULL,
  UNIQUE (workspace_id, name_folded)
);

-- The order of one endpoint's messages in one bucket. Whoever adds a message, or takes the lane to send, locks this row.
CREATE TABLE webhook_lanes (
  bucket_id        bigint NOT NULL,
  endpoint_id      bigint NOT NULL,
  next_number      bigint NOT NULL DEFAULT 1,                -- of the next change that is put into the outbox
  formed_to        bigint NOT NULL DEFAULT 0,                -- changes up to this number belong to deliveries
  next_attempt_at  timestamptz,                              -- null: nothing waits
  leased_until     timestamptz,                              -- a worker is sending until then
  lease            bigint,                                   -- an id of that worker's turn
  PRIMARY KEY (bucket_id, endpoint_id)
) WITH (fillfactor = 50);
CREATE INDEX webhook_lanes_due ON webhook_lanes (next_attempt_at) WHERE next_attempt_at IS NOT NULL;
CREATE INDEX webhook_lanes_endpoint ON webhook_lanes (endpoint_id);

-- The outbox: what a lane has to send, in order. It holds ids and no data about people. A message is composed when it is sent.
CREATE TABLE webhook_changes (
  bucket_id      bigint NOT NULL,
  endpoint_id    bigint NOT NULL,
  number         bigint NOT NULL,
  automation_id  bigint NOT NULL,
  run_id         bigint NOT NULL,
  subscriber_id  bigint NOT NULL,
  list_kind      text NOT NULL,                              -- the automation's trigger when the run acted
  list_id        bigint NOT NULL,
  entered        boolean NOT NULL,
  cause          text NOT NULL,
  occurred_at    timestamptz NOT NULL,
  sequence       bigint NOT NULL,                            -- a feed's reader at this place of the bucket's log still has to read the lane's later changes
  fields         text[] NOT NULL,                            -- what a message contains of the person besides their keys
  PRIMARY KEY (bucket_id, endpoint_id, number)
);
CREATE INDEX webhook_changes_person ON webhook_changes (bucket_id, subscriber_id);

-- Where the next message of an automation in a lane continues.
CREATE TABLE webhook_chains (
  bucket_id      bigint NOT NULL,
  endpoint_id    bigint NOT NULL,
  automation_id  bigint NOT NULL,
  messages       bigint NOT NULL,                            -- how many there were, where all that were dropped together count as one
  sequence       bigint NOT NULL,                            -- the place in the bucket's log after the last one
  cursor         text,                                       -- of the last one; null: it was dropped
  PRIMARY KEY (bucket_id, endpoint_id, automation_id)
) WITH (fillfactor = 50);

-- One message to one endpoint.
CREATE TABLE deliveries (
  bucket_id        bigint NOT NULL,
  id               bigint NOT NULL,
  endpoint_id      bigint NOT NULL,
  automation_id    bigint NOT NULL,
  epoch            bigint NOT NULL,                          -- of the log when the message was formed
  first_number     bigint NOT NULL,
  last_number      bigint NOT NULL,
  state            text NOT NULL,                            -- WAITING, DELIVERED, FAILED or DROPPED
  after            text NOT NULL,                            -- cursors of the feed
  cursor           text NOT NULL,
  attempts         integer NOT NULL DEFAULT 0,
  step             smallint NOT NULL DEFAULT 0,              -- how many attempts of the schedule have failed
  next_attempt_at  timestamptz,                              -- null unless WAITING
  created_at       timestamptz NOT NULL,
  ended_at         timestamptz,
  PRIMARY KEY (bucket_id, id)
) WITH (fillfactor = 90);
CREATE INDEX deliveries_lane ON deliveries (bucket_id, endpoint_id, first_number);
CREATE INDEX deliveries_endpoint ON deliveries (bucket_id, endpoint_id, created_at, id);
CREATE INDEX deliveries_ended ON deliveries (ended_at) WHERE ended_at IS NOT NULL;
CREATE INDEX deliveries_waiting ON deliveries (bucket_id, endpoint_id, first_number) WHERE state = 'WAITING';

CREATE TABLE delivery_attempts (
  bucket_id     bigint NOT NULL,
  delivery_id   bigint NOT NULL,
  number        integer NOT NULL,
  at            timestamptz NOT NULL,
  status        integer,                                     -- of the HTTP response; null: there was none
  milliseconds  integer NOT NULL,
  failure       text,
  response      text NOT NULL,                               -- its beginning; empty after the erasure of a person in the message
  PRIMARY KEY (bucket_id, delivery_id, number)
);
