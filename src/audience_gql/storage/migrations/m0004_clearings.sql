-- What was deleted and still has rows in buckets. A row goes when nothing of it is left.
CREATE TABLE wanted_clearings (
  kind          text NOT NULL,                               -- group or field
  ref           bigint NOT NULL,
  workspace_id  bigint NOT NULL,
  PRIMARY KEY (kind, ref)
);

-- A group goes before its members do. Writers of members hold the group's row themselves (definitions.hold_groups).
ALTER TABLE group_members DROP CONSTRAINT group_members_group_id_fkey;
