"""Imports: creating and changing many people from a CSV file, and undoing that."""
