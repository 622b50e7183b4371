"""The demo: a real shop's log, loaded through the same application code that the API uses."""
