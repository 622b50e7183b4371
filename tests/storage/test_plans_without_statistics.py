"""Reads of the members of segments do no more work right after a big load, when Postgres has no statistics of the tables, than they do later."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC, datetime
from typing import Any

import pytest
import pytest_asyncio
from asyncpg.connection import LoggedQuery

from audience_gql.storage.insights import advice, flows, overlaps
from audience_gql.storage.postgres.database import Database
from tests.storage.test_past_plans import nodes, sent

pytestmark = pytest.mark.one_server("looks at plans of one server")

START = datetime(2026, 1, 1, tzinfo=UTC)
PEOPLE = 2_000
SEGMENTS = (1, 2, 3)
WORKSPACE, BUCKET = 1, 2
LOAD = (
    "INSERT INTO workspaces (id, name, created_at) VALUES ($1, 'x', $2)",
    """INSERT INTO buckets (id, workspace_id, last_instant, evaluated_through, next_sequence)
    SELECT 2, $1::bigint, $2::timestamptz, $2, 1000000""",
    """INSERT INTO segments (id, workspace_id, name, name_folded, condition, summary, created_at, updated_at)
    SELECT n, $1::bigint, n::text, n::text, '{}', '', $2::timestamptz, $2 FROM generate_series(1, 3) n""",
    """INSERT INTO segment_members (bucket_id, segment_id, subscriber_id, entered_at)
    SELECT 2 * $1::bigint, s, n, $2::timestamptz FROM generate_series(1, 3) s, generate_series(1, 2000) n""",
    """INSERT INTO segment_states (bucket_id, segment_id, generation, fill_cause, members)
    SELECT 2 * $1::bigint, s, 1, 'DEFINITION', 2000 FROM generate_series(1, 3) s WHERE $2::timestamptz IS NOT NULL""",
    """INSERT INTO membership_changes (bucket_id, sequence, list_kind, list_id, subscriber_id, entered, cause, occurred_at)
    SELECT 2 * $1::bigint, row_number() OVER (), 'SEGMENT', s, n, true, 'DEFINITION', $2::timestamptz + interval '1 day'
    FROM generate_series(1, 3) s, generate_series(1, 2000) n""",
)
"""Everybody is in every segment."""


@pytest_asyncio.fixture(loop_scope="session")
async def database(empty_database_url) -> AsyncIterator[Database]:
    """A database that has just been filled. Postgres does not gather statistics by itself."""
    database = await Database.open(empty_database_url, pool_size=1, is_default=False)
    async with database.acquire() as connection:
        tables = await connection.fetch(
            "SELECT oid::regclass::text FROM pg_class WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace"
        )
        for (table,) in tables:
            await connection.execute(f"ALTER TABLE {table} SET (autovacuum_enabled = false)")
        for statement in LOAD:
            await connection.execute(statement, WORKSPACE, START)
    yield database
    await database.close()


async def overlap(database: Database) -> None:
    assert [it.members for it in await overlaps.overlaps(database, WORKSPACE, SEGMENTS)] == [PEOPLE]


async def similar(database: Database) -> None:
    found = await overlaps.similar(database, WORKSPACE, SEGMENTS[0], first=5)
    assert [it.both for it in found] == [PEOPLE, PEOPLE]


async def flow(database: Database) -> None:
    async with database.snapshot() as connection:
        found = await flows.flow_in_bucket(connection, BUCKET, SEGMENTS[0], after=0, upto=2**62)
    assert found.came == PEOPLE


async def members(database: Database) -> None:
    async with database.snapshot() as connection:
        found = await advice.members(connection, BUCKET, SEGMENTS, after=0, through=2**62)
    assert [len(it) for it in found.values()] == [PEOPLE] * 3


@pytest.mark.parametrize("read", [overlap, similar, flow, members])
async def test_a_read_does_no_more_work_without_statistics(
    database, read: Callable[[Database], Awaitable[None]]
):
    with sent() as queries:
        await read(database)

    without = [await work(database, it) for it in queries]
    await database.fetch("ANALYZE")
    with_ = [await work(database, it) for it in queries]

    for query, much, little in zip(queries, without, with_, strict=True):
        assert much <= 3 * little + PEOPLE, query.query


async def work(database: Database, query: LoggedQuery) -> float:
    """How many rows the steps of the statement's plan return or discard. A statement that is no question has no plan."""
    if not query.query.lstrip().startswith(("SELECT", "WITH", "--")):
        return 0.0
    async with database.snapshot() as connection:
        text = await connection.fetchval(f"EXPLAIN (ANALYZE, FORMAT JSON) {query.query}", *query.args)
    (explained,) = json.loads(text)
    return sum(map(_rows, nodes(explained["Plan"])))


def _rows(node: dict[str, Any]) -> float:
    removed = sum(count for name, count in node.items() if name.startswith("Rows Removed by"))
    return float((node["Actual Rows"] + removed) * node["Actual Loops"])
