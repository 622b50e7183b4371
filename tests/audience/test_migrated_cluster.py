"""A database with people that is distributed over a Citus cluster is migrated, brought back to one machine, and distributed again."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace

import asyncpg
import pytest
import pytest_asyncio
from tortoise.migrations.executor import MigrationExecutor, MigrationTarget

from audience_gql.audience.engine.auditing import Repaired
from audience_gql.audience.engine.membership import Membership
from audience_gql.cli import main
from audience_gql.storage.engine.tick_pool import TickPool
from audience_gql.storage.postgres.database import Database
from audience_gql.storage.schema import is_migrated, migrate
from tests import cluster

pytestmark = pytest.mark.on_cluster
OLD = "m0009_trail"
"""The oldest migration that has all tables of today which are not on the coordinator alone."""
LT = {"country": {"is": "LT"}}
OFTEN = {"event": {"name": "opened", "times": {"atLeast": 2}}}


@pytest_asyncio.fixture(loop_scope="session")
async def old_url(monkeypatch) -> AsyncIterator[str]:
    """A database of the old version on the coordinator of a cluster. Its tables have no rows and are not distributed."""
    async with cluster.undistributed(str(cluster.COORDINATOR), cluster.new_name("old")) as url:
        whole = MigrationExecutor.migrate
        with monkeypatch.context() as older:
            older.setattr(
                MigrationExecutor, "migrate", lambda self: whole(self, [MigrationTarget("audience", OLD)])
            )
            await migrate(url)
        yield url


async def test_a_distributed_database_is_migrated_brought_back_and_distributed_again(
    lone_house, empty_database_url, old_url, redis_url, monkeypatch, capsys
):
    monkeypatch.setenv("DATABASE_URL", old_url)
    monkeypatch.setenv("REDIS_URL", redis_url)
    people = {f"p{number}" for number in range(40)}
    await lone_house.upsert(*({"externalId": person, "country": "LT"} for person in people))
    segments = [await lone_house.segment("Lithuanians", LT), await lone_house.segment("Often", OFTEN)]
    await lone_house.track("p0", "opened")
    await lone_house.tick()
    await copy_rows(empty_database_url, old_url)
    await cluster.distribute(old_url)
    assert await command("check") == 1
    assert "run `audience-gql migrate` first" in capsys.readouterr().err

    await migrate(old_url)

    people = await go_on(lone_house, old_url, segments, people, since=0)
    for since, name in enumerate(("distribute", "undistribute", "distribute"), 1):
        # The first one has something to do, because the migrations bring a key.
        assert await command(name, "--yes") == 0
        assert await command("check") == (0 if name == "distribute" else 1)
        people = await go_on(lone_house, old_url, segments, people, since=since)


async def go_on(lone_house, url: str, segments, people: set[str], *, since: int) -> set[str]:
    """In this database, one person leaves and another one enters. Everything that was before must be there. Returns who is inside."""
    lithuanians, often = segments
    async with moved(lone_house, url) as house:
        assert await is_migrated(house.ports.database)
        assert await house.members(lithuanians) == people
        assert await house.members(often) == {f"p{number}" for number in range(since)}

        await house.track(f"p{since}", "opened")  # for the second time
        await house.track(f"p{since + 1}", "opened")
        await house.upsert(
            {"externalId": f"p{since}", "country": "LV"}, {"externalId": f"n{since}", "country": "LT"}
        )
        await house.tick()

        people = people - {f"p{since}"} | {f"n{since}"}
        assert await house.members(lithuanians) == people
        assert await house.members(often) == {f"p{number}" for number in range(since + 1)}
        for segment in segments:
            assert await house.membership.audit(house.bucket_id, segment.id) == Repaired(entered=0, left=0)
    return people


async def copy_rows(source_url: str, target_url: str) -> None:
    """Copy the rows of all tables. What the target's older version has no columns for is left out."""
    source, target = await asyncpg.connect(source_url), await asyncpg.connect(target_url)
    await target.execute("SET session_replication_role = replica")  # tables come in no order of their keys
    rows = await target.fetch(
        "SELECT tablename FROM pg_tables WHERE schemaname = 'public' AND tablename NOT IN ('tortoise_migrations', 'zone_clocks')"
    )
    for table in (row["tablename"] for row in rows):
        content = await source.fetchval(f"SELECT coalesce(json_agg(t), '[]') FROM {table} t")
        await target.execute(
            f"INSERT INTO {table} SELECT * FROM json_populate_recordset(NULL::{table}, $1)", content
        )
    await target.execute("SELECT setval('ids', $1)", await source.fetchval("SELECT last_value FROM ids"))
    await source.close()
    await target.close()


@asynccontextmanager
async def moved(house, url: str):
    """The same house in another database, while nothing else uses it."""
    database, pool = await Database.open(url, is_default=False), await TickPool.open(url, size=1)
    ports = replace(house.ports, database=database)
    yield replace(house, ports=ports, membership=Membership(ports, pool))
    await pool.close()
    await database.close()


async def command(*words: str) -> int:
    return await asyncio.to_thread(main, ["citus", *words])
