"""What operators see of a running process: metrics, logs and traces. None of it contains data about people."""
