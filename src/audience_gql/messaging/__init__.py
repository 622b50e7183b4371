"""The ports to Redis: wake-ups, a queue of jobs, and codes that work for minutes. Redis holds nothing that must last."""
