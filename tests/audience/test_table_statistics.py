"""A worker gathers statistics after big loads, so that nobody waits for autovacuum, and only when a table has doubled."""

from __future__ import annotations

import pytest
import pytest_asyncio

from audience_gql.audience.engine.fill_queue import FillQueue
from audience_gql.storage.engine import table_statistics
from tests.audience.test_fill_queue import Noting, everybody_s, wanted

pytestmark = pytest.mark.one_server("a cluster's machines analyse their tables themselves")

LOAD = """INSERT INTO subscribers (bucket_id, id, country, country_folded, created_at, updated_at)
SELECT $1, n, 'LT', 'lt', $2, $2 FROM generate_series($3::bigint, $4::bigint) n"""


@pytest_asyncio.fixture(loop_scope="session")
async def loaded_house(lone_house):
    """A house in which 6,000 people have just arrived. Autovacuum leaves its tables alone."""
    database = lone_house.ports.database
    for table in table_statistics.TABLES:
        await database.fetch(f"ALTER TABLE {table} SET (autovacuum_enabled = false)")
    await load(lone_house, 1, 6_000)
    return lone_house


async def load(house, first: int, last: int) -> None:
    await house.ports.database.fetch(LOAD, house.bucket_id, house.clock.instant, first, last)


async def known(house) -> dict[str, int]:
    """How many rows Postgres believes to be in each table with statistics."""
    rows = await house.ports.database.fetch(
        "SELECT c.relname, c.reltuples::bigint FROM pg_class c WHERE c.relname = ANY($1::text[]) AND EXISTS ("
        "SELECT FROM pg_stats s WHERE s.tablename = c.relname)",
        list(table_statistics.TABLES),
    )
    return dict(map(tuple, rows))


class Watching(Noting):
    """Notes which tables have statistics when it is asked to fill."""

    def __init__(self, house) -> None:
        super().__init__(house.membership)
        self._house = house
        self.known: list[dict[str, int]] = []

    async def fill(self, *args, **named) -> bool:
        self.known.append(await known(self._house))
        return await super().fill(*args, **named)


async def test_fills_are_planned_with_statistics_of_what_was_just_loaded(loaded_house):
    await wanted(loaded_house, 2)
    engine = Watching(loaded_house)

    await FillQueue(loaded_house.ports, engine, everybody_s).work_off()

    assert engine.known[0] == {"subscribers": 6_000}
    assert engine.known[-1] == {"subscribers": 6_000, "segment_members": 6_000, "membership_changes": 6_000}


async def test_statistics_are_gathered_when_a_table_has_doubled(loaded_house):
    gathered = []
    async with loaded_house.ports.database.acquire() as connection:
        for last in (6_000, 6_000, 11_000, 13_000, 20_000):
            await load(loaded_house, 1 + await connection.fetchval("SELECT count(*) FROM subscribers"), last)
            gathered.append(await table_statistics.gather(connection))

    assert gathered == [["subscribers"], [], [], ["subscribers"], []]
