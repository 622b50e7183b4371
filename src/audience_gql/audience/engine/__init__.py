"""Who belongs to which segment, at every instant: ticks, fills and audits, and the worker's loop that runs them."""
