"""Postgres can prepare every statement that is written out: its syntax, tables, columns, functions and types exist in this version."""

from __future__ import annotations

import asyncpg

from tests.storage.fitness import CONTROL
from tests.storage.test_sql_scope import WRITTEN

SCRIPTS = {"schema.py"}
"""Files that send several commands at once, which Postgres cannot prepare, like those that begin a transaction with settings. Each run of
the tests executes them."""
OF_CITUS = {"cluster/citus.py"}
"""Reads tables of the extension. A run of the tests with CITUS_URL executes it."""


async def test_every_written_statement_can_be_prepared(database):
    refused = {}
    async with database.acquire() as connection:
        for where, text in WRITTEN:
            if where.partition(":")[0] in SCRIPTS | OF_CITUS or CONTROL.fullmatch(text):
                continue
            try:
                await connection.prepare(text)
            except asyncpg.PostgresError as error:
                refused[where] = str(error)

    assert refused == {}
