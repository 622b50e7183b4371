"""A migrated database for the tests that compare SQL with the evaluation in Python."""

from __future__ import annotations

from collections.abc import AsyncIterator

import asyncpg
import pytest_asyncio


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def postgres(database_url: str) -> AsyncIterator[asyncpg.Connection[asyncpg.Record]]:
    """A connection to this worker's migrated database."""
    connection = await asyncpg.connect(database_url)
    yield connection
    await connection.close()


@pytest_asyncio.fixture(loop_scope="session")
async def connection(
    postgres: asyncpg.Connection[asyncpg.Record],
) -> AsyncIterator[asyncpg.Connection[asyncpg.Record]]:
    """A connection inside a transaction that is rolled back at the end."""
    transaction = postgres.transaction()
    await transaction.start()
    yield postgres
    await transaction.rollback()
