"""Automations as they are stored: definitions, how far each has read the log of a bucket, and runs."""
