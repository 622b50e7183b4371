"""Imports as they are stored: their files, how far they are, what they say about rows, and what they changed."""
