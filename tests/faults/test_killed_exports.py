"""A worker is killed while it writes the file of an export. Another one begins the file again, and nobody is in it twice or missing."""

from __future__ import annotations

import asyncio

import pytest

from audience_gql.audience.definitions.groups import create_group
from audience_gql.audience.exports.lifecycle import ListKey, export_list
from audience_gql.audience.exports.plans import ExportPlan
from audience_gql.storage import buckets
from tests.exporting import rows_of

pytestmark = pytest.mark.faults
PEOPLE = 60_000
NAME = "x" * 300


async def _crowd(world) -> int:
    """A group of many people, written by SQL."""
    database = world.ports.database
    group = await create_group(ports=world.ports, workspace=world.workspace, name="Crowd", description=None)
    async with database.acquire() as connection:
        bucket_id = (await buckets.open_bucket_ids(connection, world.workspace.id))[-1]
        now = await world.ports.clock.now(connection)
    for start in range(0, PEOPLE, 20_000):
        await database.fetch(
            "WITH p AS (INSERT INTO subscribers (bucket_id, id, external_id, external_id_folded, first_name, first_name_folded, "
            "created_at, updated_at) SELECT $1, n, n::text, n::text, $5, $5, $3, $3 "
            "FROM generate_series($4::bigint + 1, $4::bigint + 20000) AS n RETURNING id) "
            "INSERT INTO group_members (bucket_id, group_id, subscriber_id, added_at) SELECT $1, $2, p.id, $3 FROM p",
            bucket_id,
            group.id,
            now,
            start,
            NAME,
        )
    return group.id


async def _until(world, export_id: int, condition: str) -> None:
    async with asyncio.timeout(90):  # another worker takes over after 20 s of silence
        while not await world.ports.database.fetchval(  # noqa: ASYNC110  # another process works
            f"SELECT {condition} FROM exports WHERE id = $1", export_id
        ):
            await asyncio.sleep(0.02)


async def test_a_killed_worker_leaves_no_trace_in_the_file(world):
    group_id = await _crowd(world)
    first = world.start_worker()
    made, _ = await export_list(
        ports=world.ports,
        workspace=world.workspace,
        key=ListKey(kind="GROUP", id=group_id),
        plan=ExportPlan(format="CSV", fields=("externalId", "firstName")),
    )
    await _until(world, made.id, "bytes > 2000000")

    world.kill(first)
    interrupted = await world.ports.database.fetchval("SELECT state FROM exports WHERE id = $1", made.id)
    world.start_worker()
    await _until(world, made.id, "state = 'DONE'")

    rows = await world.ports.database.fetch(
        "SELECT attempt, content FROM export_chunks WHERE export_id = $1 ORDER BY attempt, position", made.id
    )
    content = b"".join(row["content"] for row in rows if row["attempt"] == 2)
    names = [row["externalId"] for row in rows_of(content)]
    assert interrupted == "RUNNING"
    assert sorted(map(int, names)) == list(range(1, PEOPLE + 1))
