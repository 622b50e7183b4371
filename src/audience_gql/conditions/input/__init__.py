"""Reads conditions: their shapes as data, and a parser that finds all problems at once."""
