"""A migrated database for the tests that compare SQL with the evaluation in Python."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from importlib.resources import files
from urllib.parse import urlsplit, urlunsplit

import asyncpg
import pytest
import pytest_asyncio

_SCHEMA = files("audience_gql.storage.migrations") / "m0001_initial.sql"


@pytest_asyncio.fixture(scope="session")
async def postgres() -> AsyncIterator[asyncpg.Connection[asyncpg.Record]]:
    """A connection to an empty, migrated database of its own."""
    url = os.environ.get("TEST_DATABASE_URL") or os.environ.get("DATABASE_URL")
    if url is None:
        pytest.skip("needs Postgres: DATABASE_URL is not set")
    name = f"conditions_{os.getpid()}"
    server = await asyncpg.connect(url)
    await server.execute(f"CREATE DATABASE {name}")
    connection = await asyncpg.connect(urlunsplit(urlsplit(url)._replace(path=f"/{name}")))
    await connection.execute(_SCHEMA.read_text())
    yield connection
    await connection.close()
    await server.execute(f"DROP DATABASE {name} WITH (FORCE)")
    await server.close()


@pytest_asyncio.fixture
async def connection(
    postgres: asyncpg.Connection[asyncpg.Record],
) -> AsyncIterator[asyncpg.Connection[asyncpg.Record]]:
    """The same, in a transaction that leaves nothing behind."""
    transaction = postgres.transaction()
    await transaction.start()
    yield postgres
    await transaction.rollback()
