"""Connections to Postgres: how they are opened, lent, watched and lost, and the transactions on them."""
