"""A snapshot read page by page while everything moves, and the feed from the first page on, come to the truth."""

from __future__ import annotations

import asyncio
import random
from datetime import timedelta

import pytest

from audience_gql.api import ids
from audience_gql.api.ids import Kind
from audience_gql.storage import buckets, definitions
from audience_gql.storage.postgres.database import Transaction

MEMBERS = """
query ($id: ID!, $after: String) {
  segment(by: {id: $id}) {
    members(first: 3, after: $after) { feedCursor edges { node { id } } pageInfo { hasNextPage endCursor } }
  }
}
"""
TAIL = """
query ($id: ID!, $after: String) {
  membershipChanges(segmentIds: [$id], after: $after) { cursor hasMore changes { kind subscriberId } }
}
"""
LT = {"country": {"is": "LT"}}
PEOPLE = 24


async def open_bucket(api) -> int:
    ports, workspace_id = api.services.ports, api.access.workspace.id

    async def work(transaction: Transaction) -> int:
        connection = transaction.connection
        await definitions.lock_workspace(connection, workspace_id)
        full, another = (
            (await buckets.open_bucket_ids(connection, workspace_id))[-1],
            await ports.database.ids.one(connection),
        )
        await buckets.add_bucket(connection, workspace_id, another, api.clock.instant)
        await buckets.close_bucket(connection, full, beside=another)
        return another

    return await ports.database.run(work)


async def settle(api, buckets: list[int]) -> None:
    for bucket_id in buckets:
        assert await api.membership.tick(bucket_id) is not None


async def snapshot(api, segment: str, moved: asyncio.Event) -> tuple[set[str], str]:
    """Who was on any of the pages, and the first page's cursor of the feed. Between two pages somebody has moved."""
    held: set[str] = set()
    cursors, after, has_more = [], None, True
    while has_more:
        page = (await api.data(MEMBERS, id=segment, after=after))["segment"]["members"]
        held |= {edge["node"]["id"] for edge in page["edges"]}
        cursors.append(page["feedCursor"])
        after, has_more = page["pageInfo"]["endCursor"], page["pageInfo"]["hasNextPage"]
        moved.clear()
        await moved.wait()
    return held, cursors[0]


async def follow_up(api, segment: str, held: set[str], cursor: str) -> int:
    """Apply everything after this cursor to what is held. How much that was."""
    has_more, applied = True, 0
    while has_more:
        found = (await api.data(TAIL, id=segment, after=cursor))["membershipChanges"]
        for change in found["changes"]:
            (held.add if change["kind"] == "ENTERED" else held.discard)(change["subscriberId"])
        applied += len(found["changes"])
        cursor, has_more = found["cursor"], found["hasMore"]
    return applied


@pytest.mark.parametrize("seed", range(5))
async def test_a_snapshot_and_its_tail_come_to_the_truth_while_people_come_and_go(api, seed):
    chance = random.Random(seed)
    segment = await api.segment("LT", LT)
    names = [str(number) for number in range(PEOPLE)]
    await api.upsert(*({"externalId": name, "country": "LT"} for name in names[::2]))
    buckets = [api.bucket_id, await open_bucket(api)]
    await api.fill()
    await api.upsert(*({"externalId": name, "country": "LT"} for name in names[1::2]))
    await api.membership.fill(buckets[1], await number_of(api))
    await settle(api, buckets)
    moved = asyncio.Event()

    async def move() -> None:
        countries = dict.fromkeys(names, "LT")
        while True:
            person = chance.choice(names)
            countries[person] = "LV" if countries[person] == "LT" else "LT"
            await api.upsert({"externalId": person, "country": countries[person]})
            api.clock.advance(timedelta(milliseconds=1))
            await settle(api, buckets)
            moved.set()

    moving = asyncio.create_task(move())
    try:
        held, first = await snapshot(api, segment, moved)
    finally:
        moving.cancel()
        await asyncio.gather(moving, return_exceptions=True)
    await settle(api, buckets)
    moves = await follow_up(api, segment, held, first)

    assert held == await members(api)
    assert moves >= PEOPLE / 2 / 3, "hardly anything moved meanwhile: the test proves nothing"


async def number_of(api) -> int:
    rows = await api.services.ports.database.fetch(
        "SELECT id FROM segments WHERE workspace_id = $1", api.access.workspace.id
    )
    return int(rows[0]["id"])


async def members(api) -> set[str]:
    rows = await api.services.ports.database.fetch(
        "SELECT m.bucket_id, m.subscriber_id FROM buckets b JOIN segment_members m ON m.bucket_id = b.id WHERE b.workspace_id = $1",
        api.access.workspace.id,
    )
    return {ids.encode(Kind.SUBSCRIBER, row["bucket_id"], row["subscriber_id"]) for row in rows}
