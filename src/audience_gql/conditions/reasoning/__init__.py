"""Analyses conditions without the database: what one reads, when its verdict changes, why it holds, and what is odd about it."""
