"""What operators do to distribute a deployment over the machines of a Citus cluster, and to bring it back to one machine."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Final

from audience_gql.audience.failures import Failure
from audience_gql.config import Settings
from audience_gql.storage.cluster import citus
from audience_gql.storage.cluster.citus import Machine, Step
from audience_gql.storage.postgres.database import Connection, Database
from audience_gql.storage.schema import is_migrated

_SECONDS: Final = 86_400.0
"""A step copies a whole table, which may take hours."""


class NoCluster(Failure):
    """The database is not the coordinator of a Citus cluster."""

    def __init__(self) -> None:
        super().__init__(
            "the database has no Citus, or no machine was added to it; docs/howto/scale-out.md says how to set a cluster up",
            (),
        )


class NotMigrated(Failure):
    """The database lacks migrations of this version, so its tables are not those that this version distributes."""

    def __init__(self) -> None:
        super().__init__("the database is not migrated to this version; run `audience-gql migrate` first", ())


class StillRunning(Failure):
    """Processes use the database, which must not change below them."""

    def __init__(self, connections: int) -> None:
        super().__init__(
            f"web processes, workers or other commands have {connections} connections to the database; stop all of them first",
            (),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Cluster:
    """The state of a cluster."""

    version: str
    machines: list[Machine]
    """The coordinator comes first."""
    to_distribute: list[Step]
    """What is left to do until the database is distributed. Empty if it is."""
    to_undistribute: list[Step]
    """What is left to do until the database is on one machine. Empty if it is."""


async def cluster_of(settings: Settings) -> Cluster:
    """The state of the cluster that DATABASE_URL names. Raises NoCluster, NotMigrated, Unavailable."""
    async with _connected(settings) as connection:
        return await _cluster(connection)


async def carry_out(settings: Settings, *, is_distributing: bool) -> AsyncIterator[Step]:
    """Take every step that is left, in one direction. Yields each step before it begins. An interrupted run continues where it ended.

    Raises NoCluster, NotMigrated, StillRunning, Unavailable.
    """
    async with _connected(settings) as connection:
        cluster = await _cluster(connection)
        if connections := await citus.processes(connection):
            raise StillRunning(connections)
        for step in cluster.to_distribute if is_distributing else cluster.to_undistribute:
            yield step
            await connection.execute(step.sql)


@asynccontextmanager
async def _connected(settings: Settings) -> AsyncIterator[Connection]:
    database = await Database.open(
        settings.database_url,
        pool_size=1,
        statement_timeout_seconds=_SECONDS,
        lock_timeout_seconds=30,
        is_default=False,
    )
    try:
        is_of_this_version = await is_migrated(database)
        async with database.acquire() as connection:
            if await citus.version(connection) is not None and not is_of_this_version:
                raise NotMigrated
            yield connection
    finally:
        await database.close()


async def _cluster(connection: Connection) -> Cluster:
    version = await citus.version(connection)
    machines = [] if version is None else await citus.machines(connection)
    if version is None or not machines:
        raise NoCluster
    return Cluster(
        version=version,
        machines=machines,
        to_distribute=await citus.steps_to_distribute(connection),
        to_undistribute=await citus.steps_to_undistribute(connection),
    )
