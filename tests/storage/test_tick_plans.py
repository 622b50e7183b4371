"""How Postgres goes about the statements of a tick, which it plans once, on tables that may have been empty then."""

from __future__ import annotations

import pytest

from audience_gql.storage.engine import membership
from audience_gql.storage.engine.tick_pool import TickPool

pytestmark = pytest.mark.one_server("looks at plans of one server")


@pytest.fixture
async def plan(database_url):
    pool = await TickPool.open(database_url, size=1)

    async def plan(statement: str, *values: object) -> str:
        async with pool.transaction() as connection:
            rows = await connection.fetch(f"EXPLAIN {membership._SQL[statement]}", *values)
        return "\n".join(row["QUERY PLAN"] for row in rows)

    yield plan
    await pool.close()


async def test_marks_are_taken_by_their_places(plan):
    """By the bucket they would be compared one with another, every tick all that wait with all that it takes."""
    assert "Tid Scan on dirty d" in await plan("take_marks", 1, 5_000, 1)


@pytest.mark.parametrize(
    ("statement", "values"),
    [("take_marks", (1, 5_000, 1)), ("take_group_marks", (1, [1])), ("tick_segments", (1, 1))],
)
async def test_no_table_is_read_from_end_to_end(plan, statement, values):
    assert "Seq Scan" not in await plan(statement, *values)


async def test_marks_about_groups_are_compared_with_all_people_at_once(plan):
    """Compared one with another, a crowd that joins a group during an import would hold its bucket for minutes."""
    assert "Nested Loop" not in await plan("take_group_marks", 1, [1, 2])
