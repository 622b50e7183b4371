"""How connections are set up for what they are used for."""

from __future__ import annotations

import asyncio
import random
import secrets

import pytest

from audience_gql.storage.postgres.database import Database


@pytest.mark.one_server("looks at a setting that connections to a cluster do not get")
async def test_fills_are_planned_for_their_bucket_and_ticks_once(tick_pool):
    """A plan for a bucket of ten people, taken for one of 23,570 among hundreds of such, ran for more than a minute."""
    async with tick_pool.filling() as filling, tick_pool.transaction() as ticking:
        modes = [await connection.fetchval("SHOW plan_cache_mode") for connection in (filling, ticking)]

    assert modes == ["force_custom_plan", "force_generic_plan"]


async def test_the_first_read_takes_the_snapshot(database):
    """An answer says that it has everything that was committed before the instant of its first statement."""
    name = f"snapshot {secrets.token_hex(4)}"

    async with database.snapshot() as snapshot:
        await database.run(
            lambda transaction: transaction.connection.execute(ADD, secrets.randbits(60), name)
        )
        seen = await snapshot.fetchval("SELECT count(*) FROM workspaces WHERE name = $1", name)

    assert seen == 1


ADD = "INSERT INTO workspaces (id, name, created_at) VALUES ($1, $2, '2026-03-01T12:00:00Z')"


async def test_a_cancelled_caller_leaves_no_transaction_behind(empty_database_url, caplog):
    database = await Database.open(empty_database_url, pool_size=1, is_default=False)
    chance = random.Random(1)

    async def read() -> None:
        async with database.snapshot() as snapshot:
            for _ in range(2):
                await snapshot.fetchval("SELECT 1")

    for _ in range(300):
        reading = asyncio.create_task(read())
        await asyncio.sleep(chance.random() * 0.002)
        reading.cancel()
        await asyncio.gather(reading, return_exceptions=True)
    await read()
    await database.close()

    assert [it.message for it in caplog.records if "active transaction" in it.message] == []
