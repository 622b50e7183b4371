"""One pair of servers for a whole run, a database of its own for every worker process.

With DATABASE_URL and REDIS_URL in the environment those servers are used instead; the database that DATABASE_URL names is left alone.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Iterator
from itertools import count
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import asyncpg
import pytest
import pytest_asyncio

from audience_gql.storage.database import Database, TickPool, migrate

TEMPLATE = "audience_template"
_numbers = count(1)
_servers: list[Any] = []


def pytest_configure(config: pytest.Config) -> None:
    """The controller starts the servers; its workers get their addresses through the environment that they inherit."""
    if hasattr(config, "workerinput") or config.option.collectonly or config.option.help:
        return
    if not (os.environ.get("DATABASE_URL") and os.environ.get("REDIS_URL")):
        from audience_gql.embedded import Servers  # noqa: PLC0415  # never where other servers are given

        servers = Servers.throwaway()
        _servers.append(servers)
        os.environ["DATABASE_URL"] = servers.addresses.database_url
        os.environ["REDIS_URL"] = servers.addresses.redis_url
    asyncio.run(_make_template(os.environ["DATABASE_URL"]))


def pytest_unconfigure() -> None:
    while _servers:
        _servers.pop().stop()


@pytest.fixture(scope="session")
def database_url() -> Iterator[str]:
    """A migrated database for this worker process."""
    with _database() as url:
        yield url


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def database(database_url: str) -> AsyncIterator[Database]:
    """This worker's pools: the ORM allows one set a process."""
    opened = await Database.open(database_url)
    yield opened
    await opened.close()


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def tick_pool(database_url: str) -> AsyncIterator[TickPool]:
    opened = await TickPool.open(database_url, size=4)
    yield opened
    await opened.close()


@pytest_asyncio.fixture(loop_scope="session")
async def empty_database_url() -> AsyncIterator[str]:
    """A migrated database for one test."""
    name = f"audience_{_worker()}_{next(_numbers)}"
    await _clone(name)
    yield _named(name)
    await _drop(name)


@pytest.fixture(scope="session")
def redis_url() -> str:
    """A Redis database number for this worker process."""
    number = 1 + int("".join(filter(str.isdigit, _worker())) or 0) % 14
    return urlunsplit(urlsplit(os.environ["REDIS_URL"])._replace(path=f"/{number}"))


class _database:  # noqa: N801  # reads as what it gives
    def __init__(self) -> None:
        self._name = f"audience_{_worker()}"

    def __enter__(self) -> str:
        asyncio.run(_clone(self._name))
        return _named(self._name)

    def __exit__(self, *_: object) -> None:
        asyncio.run(_drop(self._name))


async def _make_template(url: str) -> None:
    await _drop(TEMPLATE)
    await _execute(f"CREATE DATABASE {TEMPLATE}")
    await migrate(urlunsplit(urlsplit(url)._replace(path=f"/{TEMPLATE}")))


async def _clone(name: str) -> None:
    await _drop(name)
    await _execute(f"CREATE DATABASE {name} TEMPLATE {TEMPLATE}")


async def _drop(name: str) -> None:
    await _execute(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")


async def _execute(sql: str) -> None:
    connection = await asyncpg.connect(os.environ["DATABASE_URL"])
    try:
        await connection.execute(sql)
    finally:
        await connection.close()


def _named(name: str) -> str:
    return urlunsplit(urlsplit(os.environ["DATABASE_URL"])._replace(path=f"/{name}"))


def _worker() -> str:
    return os.environ.get("PYTEST_XDIST_WORKER", "main")
