"""People and the facts about them: profiles, keys, consent, events, erasure."""
