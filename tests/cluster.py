"""Databases on a Citus cluster, for a run of the tests with CITUS_URL.

CITUS_URL names a database of the coordinator in which the cluster is set up. Every database of the tests is made on all machines.
"""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from functools import partial
from itertools import count
from urllib.parse import urlsplit, urlunsplit

import asyncpg

from audience_gql.storage.cluster import citus
from audience_gql.storage.postgres.database import Connection
from audience_gql.storage.schema import migrate
from tests.patience import until

COORDINATOR = os.environ.get("CITUS_URL")

_SHARDS = 4
_numbers = count(1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Machine:
    host: str
    port: int

    def url(self, coordinator_url: str, database: str) -> str:
        parts = urlsplit(coordinator_url)
        account = parts.netloc.rpartition("@")[0]
        netloc = f"{account}@{self.host}:{self.port}" if account else f"{self.host}:{self.port}"
        return urlunsplit(parts._replace(netloc=netloc, path=f"/{database}"))


async def machines(coordinator_url: str) -> tuple[Machine, ...]:
    """The coordinator, then the other machines."""
    connection = await asyncpg.connect(coordinator_url)
    try:
        rows = await connection.fetch(
            "SELECT nodename, nodeport FROM pg_dist_node WHERE noderole = 'primary' ORDER BY groupid"
        )
    finally:
        await connection.close()
    return tuple(Machine(host=row["nodename"], port=row["nodeport"]) for row in rows)


def new_name(topic: str) -> str:
    """The name of a database that nobody has yet."""
    return f"{topic}_{os.getpid()}_{next(_numbers)}"


@asynccontextmanager
async def undistributed(
    coordinator_url: str, name: str, *, template: str = "template1"
) -> AsyncIterator[str]:
    """The address of a database with this name on every machine, which is dropped at the end. On the coordinator it is a copy of the template."""
    try:
        await create(coordinator_url, name, template=template)
        yield urlunsplit(urlsplit(coordinator_url)._replace(path=f"/{name}"))
    finally:
        await drop(coordinator_url, name)


@asynccontextmanager
async def database(coordinator_url: str, name: str, *, template: str = "template1") -> AsyncIterator[str]:
    """The address of a migrated and distributed database with this name, which is dropped at the end. It is made faster from a migrated template."""
    async with undistributed(coordinator_url, name, template=template) as url:
        await migrate(url)
        await distribute(url)
        yield url


@asynccontextmanager
async def database_beside(server_url: str, topic: str) -> AsyncIterator[str]:
    """A database for processes that a test starts: this one on a server of their own, or with CITUS_URL a new one on the cluster."""
    if COORDINATOR is None:
        yield server_url
        return
    async with database(COORDINATOR, new_name(topic)) as url:
        yield url


async def create(
    coordinator_url: str, database: str, *, others: int | None = None, template: str = "template1"
) -> None:
    """A database on every machine, or on the coordinator and so many others, joined to a cluster. Only the coordinator's is a copy of the template, which has no Citus. One at a time: joining changes the roles of the machines, which all databases share."""
    found = await machines(coordinator_url)
    if others is not None:
        found = found[: 1 + others]
    waiting = await asyncpg.connect(coordinator_url)
    try:
        await waiting.execute("SELECT pg_advisory_lock(1)")
        await _create(coordinator_url, database, found, template)
    finally:
        await waiting.close()


async def _create(coordinator_url: str, database: str, found: Sequence[Machine], template: str) -> None:
    for machine in found:
        await execute(
            machine.url(coordinator_url, "postgres"),
            "SET citus.enable_create_database_propagation = off",
            f"CREATE DATABASE {database} TEMPLATE {template if machine == found[0] else 'template1'}",
        )
        await execute(machine.url(coordinator_url, database), "CREATE EXTENSION citus")
    coordinator, *others = found
    await execute(
        coordinator.url(coordinator_url, database),
        f"SELECT citus_set_coordinator_host('{coordinator.host}', {coordinator.port})",
        *(f"SELECT citus_add_node('{machine.host}', {machine.port})" for machine in others),
        f"ALTER DATABASE {database} SET citus.shard_count = {_SHARDS}",
    )


async def distribute(url: str) -> None:
    """Distribute the tables of a migrated database, as the command does."""
    connection = await asyncpg.connect(url)
    try:
        for step in await citus.steps_to_distribute(connection):
            await connection.execute(step.sql)
    finally:
        await connection.close()


async def differing_copies(connection: Connection) -> list[str]:
    """The tables that every machine has, and whose rows are not the same on all of them."""
    differing = []
    for table in citus.REFERENCE:
        rows = await connection.fetch(
            "SELECT DISTINCT c.success, c.result FROM run_command_on_all_nodes($1) c",
            f"SELECT count(*) || ' ' || coalesce(sum(hashtextextended(t::text, 0)), 0) FROM {table} t",
        )
        if len(rows) != 1 or not rows[0]["success"]:
            differing.append(table)
    return differing


async def drop(coordinator_url: str, database: str) -> None:
    for machine in await machines(coordinator_url):
        with suppress(asyncpg.InvalidCatalogNameError):
            await _roll_back_prepared(machine.url(coordinator_url, database))
        await until(partial(_is_dropped, machine.url(coordinator_url, "postgres"), database))


async def _is_dropped(url: str, database: str) -> bool:
    """Postgres gives sessions that it ends five seconds. On a busy machine, one of Citus' own may need more."""
    try:
        await execute(url, f"DROP DATABASE IF EXISTS {database} WITH (FORCE)")
    except asyncpg.ObjectInUseError:
        return False
    return True


async def _roll_back_prepared(url: str) -> None:
    """End what a killed machine has left between the two phases of a commit. A database with such a transaction cannot be dropped."""
    connection = await asyncpg.connect(url)
    try:
        for row in await connection.fetch(
            "SELECT gid FROM pg_prepared_xacts WHERE database = current_database()"
        ):
            await connection.execute(f"ROLLBACK PREPARED '{row['gid']}'")
    finally:
        await connection.close()


async def execute(url: str, *statements: str) -> None:
    connection = await asyncpg.connect(url)
    try:
        for statement in statements:
            await connection.execute(statement)
    finally:
        await connection.close()
