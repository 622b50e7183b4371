"""The port to Postgres: the only package that imports tortoise or asyncpg, and the only place where SQL is written."""
