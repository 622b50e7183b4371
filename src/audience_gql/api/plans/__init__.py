"""Answers queries level by level from a plan that is made once for each document."""
