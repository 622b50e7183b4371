-- In the text of jsonb, an unescaped quote begins or ends a string. So the pattern finds a key with a text, and never a part of a longer text.
UPDATE segments
SET condition = regexp_replace(
  condition::text, '"notFollowedBy": ("([^"\\]|\\.)*")', '"notFollowedBy": {"name": \1}', 'g')::jsonb
WHERE condition::text ~ '"notFollowedBy": "';

UPDATE automations
SET rules = regexp_replace(
  rules::text, '"notFollowedBy": ("([^"\\]|\\.)*")', '"notFollowedBy": {"name": \1}', 'g')::jsonb
WHERE rules::text ~ '"notFollowedBy": "';
