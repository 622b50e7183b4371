-- What the other servers read: the product's tables as views without its inner columns, in a schema that PostGraphile turns into a GraphQL API.
-- The comments are PostGraphile's smart tags. A segment carries the bucket of its members, so that PostGraphile's statements begin
-- with the bucket as ours do, and use the same indexes. There must be one bucket.

DROP SCHEMA IF EXISTS reads CASCADE;
CREATE SCHEMA reads;

CREATE VIEW reads.workspaces AS
SELECT id, name, timezone FROM public.workspaces;
COMMENT ON VIEW reads.workspaces IS E'@primaryKey id\n@name workspace';

CREATE VIEW reads.segments AS
SELECT b.id AS bucket_id, s.id, s.name,
  (SELECT coalesce(sum(t.members), 0)::integer FROM public.segment_states t WHERE t.bucket_id = b.id AND t.segment_id = s.id) AS member_count
FROM public.segments s JOIN public.buckets b ON b.workspace_id = s.workspace_id;
COMMENT ON VIEW reads.segments IS E'@primaryKey bucket_id,id\n@name segment';

CREATE VIEW reads.people AS
SELECT p.bucket_id, p.id, p.external_id, p.email, p.first_name, p.last_name, p.language, p.country, p.city, p.created_at,
  (SELECT json_agg(json_build_object('key', f.key, 'value', v.value) ORDER BY f.key)
   FROM jsonb_each(p.fields) v JOIN public.custom_fields f ON f.id = v.key::bigint) AS fields
FROM public.subscribers p;
COMMENT ON VIEW reads.people IS E'@primaryKey bucket_id,id\n@name person';

CREATE VIEW reads.groups AS
SELECT id, name FROM public.groups;
COMMENT ON VIEW reads.groups IS E'@primaryKey id\n@name group';

CREATE VIEW reads.members AS
SELECT bucket_id, segment_id, subscriber_id AS person_id, entered_at FROM public.segment_members;
COMMENT ON VIEW reads.members IS
  E'@primaryKey bucket_id,segment_id,person_id\n@name member\n'
  '@foreignKey (bucket_id, segment_id) references segments (bucket_id, id)|@fieldName segment|@foreignFieldName members\n'
  '@foreignKey (bucket_id, person_id) references people (bucket_id, id)|@fieldName person|@foreignFieldName memberships';

CREATE VIEW reads.group_members AS
SELECT bucket_id, group_id, subscriber_id AS person_id, added_at FROM public.group_members;
COMMENT ON VIEW reads.group_members IS
  E'@primaryKey bucket_id,group_id,person_id\n@name group_member\n'
  '@foreignKey (group_id) references groups (id)|@fieldName group|@foreignFieldName members\n'
  '@foreignKey (bucket_id, person_id) references people (bucket_id, id)|@fieldName person|@foreignFieldName groups';

CREATE VIEW reads.channels AS
SELECT bucket_id, subscriber_id AS person_id, channel, status, changed_at FROM public.channel_states;
COMMENT ON VIEW reads.channels IS
  E'@primaryKey bucket_id,person_id,channel\n@name channel\n'
  '@foreignKey (bucket_id, person_id) references people (bucket_id, id)|@fieldName person|@foreignFieldName channels';
