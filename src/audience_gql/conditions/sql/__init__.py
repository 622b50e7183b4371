"""Conditions as SQL: what a leaf can ask, and how it is put to named people, to ranges, and to lists."""
