"""A version that gives a condition another meaning has the segments with it filled anew, and no others."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import asyncpg

from audience_gql.storage import migrations

ANNIVERSARIES = Path(migrations.__file__).with_name("m0010_anniversaries.sql").read_text(encoding="utf-8")


async def test_segments_of_anniversaries_and_their_readers_are_filled_anew(lone_house, empty_database_url):
    house = lone_house
    await house.upsert(
        {"externalId": "born today", "birthday": date(2026, 3, 1)},
        {"externalId": "grown", "birthday": date(1990, 3, 1)},
    )
    today = await house.segment("Today", {"all": [{"birthday": {"anniversaryInNext": {"days": 1}}}]})
    reader = await house.segment("Reader", {"not": {"segment": {"anyOf": [str(today.id)]}}})
    other = await house.segment("Other", {"firstName": {"is": '"anniversaryInNext":'}})
    await forget_requests(house)
    await as_the_last_version_left_it(house, today.id, reader.id)
    log_end = len(await house.log())

    connection = await asyncpg.connect(empty_database_url)
    await connection.execute(ANNIVERSARIES)
    await connection.close()

    assert {segment_id for segment_id, _ in await wanted(house)} == {today.id, reader.id}
    await house.tick()
    await house.fill()
    assert await house.members(today) == {"grown"}
    assert await house.members(reader) == {"born today"}
    assert (await house.log())[log_end:] == [
        ("born today", False, "DEFINITION"),
        ("born today", True, "DEFINITION"),
    ]
    assert [generation for _, generation in await generations(house)] == [2, 2, 1]
    assert other.generation == 1


async def as_the_last_version_left_it(house, today_id: int, reader_id: int) -> None:
    """Whoever is born today is taken for somebody with an anniversary."""
    await house.ports.database.fetch(
        "INSERT INTO segment_members (bucket_id, segment_id, subscriber_id, entered_at) "
        "SELECT bucket_id, $2::bigint, id, created_at FROM subscribers "
        "WHERE bucket_id = $1 AND external_id = 'born today' RETURNING segment_id",
        house.bucket_id,
        today_id,
    )
    await house.ports.database.fetch(
        "DELETE FROM segment_members WHERE bucket_id = $1 AND segment_id = $2 RETURNING segment_id",
        house.bucket_id,
        reader_id,
    )
    await house.ports.database.fetch(
        "UPDATE segment_states SET members = c.members FROM (SELECT $2::bigint AS id, 2 AS members UNION ALL "
        "SELECT $3::bigint, 0) c WHERE bucket_id = $1 AND segment_id = c.id RETURNING segment_id",
        house.bucket_id,
        today_id,
        reader_id,
    )


async def forget_requests(house) -> None:
    await house.ports.database.fetch("DELETE FROM wanted_fills RETURNING segment_id")


async def wanted(house) -> list[tuple[int, int]]:
    rows = await house.ports.database.fetch("SELECT segment_id, ticket FROM wanted_fills ORDER BY segment_id")
    return [(row["segment_id"], row["ticket"]) for row in rows]


async def generations(house) -> list[tuple[int, int]]:
    rows = await house.ports.database.fetch("SELECT id, generation FROM segments ORDER BY id")
    return [(row["id"], row["generation"]) for row in rows]
