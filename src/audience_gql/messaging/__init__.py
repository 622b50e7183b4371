"""The ports to Redis: wake-ups and a queue of jobs. Nothing that matters is kept there; losing all of it costs latency."""
