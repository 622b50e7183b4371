"""What is read for many objects at once: one loader for each relation."""
