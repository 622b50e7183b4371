"""Reads about audiences as a whole: their past, how they overlap and perform."""
