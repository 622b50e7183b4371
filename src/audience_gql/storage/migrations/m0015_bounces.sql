-- What a channel was before a bounce, or before what an event brought: NONE when nothing had been said, null when nobody noted it.
ALTER TABLE channel_states ADD COLUMN before_status text;
ALTER TABLE channel_states ADD COLUMN before_changed_at timestamptz;
ALTER TABLE channel_states ADD COLUMN before_reason text;

-- Since when somebody has another address than the one that they came with; null while it is that one.
ALTER TABLE subscribers ADD COLUMN email_changed_at timestamptz;

-- A bounce that an event brought never replaced a refusal, so nothing is lost when it goes with its address. One that was set by hand
-- may have replaced one, of which nothing is known: it stays.
UPDATE channel_states SET before_status = 'NONE', before_changed_at = '1000-01-01T00:00:00Z'
WHERE status = 'BOUNCED' AND reason = 'email_bounced';
