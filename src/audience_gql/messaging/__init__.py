"""The ports to Redis: wake-ups and a queue of jobs. Redis holds nothing that must last: losing all of it only costs latency."""
