"""Conditions in plain English: sentences, values, and the handbook."""
