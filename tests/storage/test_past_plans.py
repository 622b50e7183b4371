"""How Postgres reads the past from a long log: by its indexes, and only what the answer needs."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any
from unittest.mock import patch

import pytest
import pytest_asyncio
from asyncpg.connection import LoggedQuery

from audience_gql.storage.insights import past
from audience_gql.storage.insights.past import WasMember
from audience_gql.storage.postgres.database import Connection, Database
from audience_gql.storage.reads.slices import Slice

pytestmark = pytest.mark.one_server("looks at plans of one server")

START = datetime(2026, 1, 1, tzinfo=UTC)
PEOPLE = 5_000
ROUNDS = 8
WORKSPACE, BUCKET, SEGMENT = 1, 2, 3
LOG = """
INSERT INTO membership_changes (bucket_id, sequence, list_kind, list_id, subscriber_id, entered, cause, occurred_at)
SELECT $1::bigint, n + 1, 'SEGMENT', CASE n / $2 % 2 WHEN 0 THEN $3::bigint ELSE 4 END, n % $2, n / $2 % 4 < 2, 'EVENT',
       $4::timestamptz + n * interval '1 second'
FROM generate_series(0, $2::bigint * $5 - 1) AS n
"""
"""In each round all people enter or leave one of two segments, one second after the other."""


@pytest_asyncio.fixture(loop_scope="session")
async def database(empty_database_url) -> AsyncIterator[Database]:
    """A database with the log of one bucket: 40,000 changes."""
    database = await Database.open(empty_database_url, pool_size=1, is_default=False)
    async with database.acquire() as connection:
        await connection.execute(
            "INSERT INTO workspaces (id, name, created_at) VALUES ($1, 'x', $2)", WORKSPACE, START
        )
        await connection.execute(
            "INSERT INTO buckets (id, workspace_id, last_instant, evaluated_through, next_sequence) VALUES ($1, $2, $3, $3, $4)",
            BUCKET,
            WORKSPACE,
            START,
            PEOPLE * ROUNDS + 1,
        )
        await connection.execute(
            "INSERT INTO subscribers (bucket_id, id, created_at, updated_at) SELECT $1, n, $2, $2 FROM generate_series(0, $3::bigint - 1) AS n",
            BUCKET,
            START,
            PEOPLE,
        )
        await connection.execute(LOG, BUCKET, PEOPLE, SEGMENT, START, ROUNDS)
        await connection.execute("ANALYZE")
    yield database
    await database.close()


@contextmanager
def sent() -> Iterator[list[LoggedQuery]]:
    """The statements that reads send during the context."""
    found: list[LoggedQuery] = []
    acquire = Database.acquire

    @asynccontextmanager
    async def logged(database: Database) -> AsyncIterator[Connection]:
        async with acquire(database) as connection:
            with connection.query_logger(found.append):
                yield connection
                await asyncio.sleep(0)  # the driver calls in the next round of the event loop

    with patch.object(Database, "acquire", logged):
        yield found


async def plans(database: Database, queries: list[LoggedQuery], part: str) -> list[dict[str, Any]]:
    """How Postgres executes those of the statements that contain this text."""
    async with database.acquire() as connection:
        return [
            json.loads(await connection.fetchval(f"EXPLAIN (ANALYZE, FORMAT JSON) {it.query}", *it.args))[0][
                "Plan"
            ]
            for it in queries
            if part in it.query
        ]


def nodes(plan: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield plan
    for inner in plan.get("Plans", ()):
        yield from nodes(inner)


def indexes(plan: dict[str, Any]) -> set[str]:
    return {node["Index Name"] for node in nodes(plan) if "Index Name" in node}


def rows_read(plan: dict[str, Any], index: str) -> float:
    """How many rows of the log the scans of this index return or discard."""
    return sum(
        (node["Actual Rows"] + node.get("Rows Removed by Filter", 0)) * node["Actual Loops"]
        for node in nodes(plan)
        if node.get("Index Name") == index
    )


def sequential(plan: dict[str, Any]) -> set[str]:
    """The tables that are read from end to end."""
    return {node["Relation Name"] for node in nodes(plan) if node["Node Type"] == "Seq Scan"} - {"buckets"}


async def test_a_page_reads_the_segment_s_part_of_the_log_back_from_the_instant(database):
    """In the third round everybody leaves: the last 500 people who entered are still there."""
    instant = START + timedelta(seconds=PEOPLE * 3 - 500 - 1)

    with sent() as queries:
        found = await past.members_of_segments(database, WORKSPACE, [SEGMENT], Slice(20), instant=instant)
        after = found[SEGMENT].entries.positions[19]
        found = await past.members_of_segments(
            database, WORKSPACE, [SEGMENT], Slice(20, after), instant=instant
        )

    first, second = await plans(database, queries, "WITH ORDINALITY")
    assert found[SEGMENT].entries.nodes[0].id == PEOPLE - 21
    assert sequential(first) == sequential(second) == set()
    assert rows_read(first, "membership_changes_list") == PEOPLE - 500 + 21  # the exits before, and the page
    assert rows_read(second, "membership_changes_list") == 21
    for plan in (first, second):
        assert rows_read(plan, "membership_changes_person") <= 21 * ROUNDS
        assert rows_read(plan, "subscribers_pkey") == 21


async def test_the_log_s_position_is_found_in_few_steps(database):
    instant = START + timedelta(seconds=777)

    with sent() as queries:
        await past.members_of_segments(database, WORKSPACE, [SEGMENT], Slice(20), instant=instant)

    (plan,) = await plans(database, queries, "WITH RECURSIVE search")
    assert sequential(plan) == set()
    assert (
        rows_read(plan, "membership_changes_pkey") == 15
    )  # 2 ** 15 is less than 40,000, and 2 ** 16 is more


async def test_whether_people_were_members_is_read_from_their_own_changes(database):
    questions = [WasMember((BUCKET, person), SEGMENT, START + timedelta(days=1)) for person in range(50)]

    with sent() as queries:
        found = await past.were_members(database, WORKSPACE, questions)

    (plan,) = await plans(database, queries, "WITH ORDINALITY")
    assert found == dict.fromkeys(questions, False)
    assert sequential(plan) == set()
    assert rows_read(plan, "membership_changes_person") <= 50 * ROUNDS
