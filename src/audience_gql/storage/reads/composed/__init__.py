"""Reads whole answers: one statement whose result is the JSON text of a field and everything below it."""
