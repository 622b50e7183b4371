-- Deleted groups and custom fields that still have rows in buckets. A row is deleted when nothing of them is left.
CREATE TABLE wanted_clearings (
  kind          text NOT NULL,                               -- group or field
  ref           bigint NOT NULL,
  workspace_id  bigint NOT NULL,
  PRIMARY KEY (kind, ref)
);

-- A group is deleted before its members. Writers of members lock the group's row themselves (definitions.hold_groups).
ALTER TABLE group_members DROP CONSTRAINT group_members_group_id_fkey;
