"""Use cases that only read: previews, estimates and explanations."""
