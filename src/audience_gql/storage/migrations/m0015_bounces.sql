-- The state of a channel before a bounce, or before a state that an event set. NONE: there was no state. Null: it was not recorded.
ALTER TABLE channel_states ADD COLUMN before_status text;
ALTER TABLE channel_states ADD COLUMN before_changed_at timestamptz;
ALTER TABLE channel_states ADD COLUMN before_reason text;

-- Since when a person has another address than their first one; null while they have their first one.
ALTER TABLE subscribers ADD COLUMN email_changed_at timestamptz;

-- A bounce that an event set never replaced a refusal, so nothing is lost when it ends together with its address. A bounce that was set
-- by hand may have replaced a refusal that nobody recorded, so it stays.
UPDATE channel_states SET before_status = 'NONE', before_changed_at = '1000-01-01T00:00:00Z'
WHERE status = 'BOUNCED' AND reason = 'email_bounced';
