"""What a web process tells of its work: its metrics, and the spans of requests."""
