"""Buckets open by themselves, segments hold in all of them, and nobody moves."""

from __future__ import annotations

import asyncio

from audience_gql.audience.people import buckets as full_buckets
from audience_gql.storage import buckets
from audience_gql.storage.reads import batches

LITHUANIA = {"country": {"is": "LT"}}


async def bucket_ids(house) -> list[int]:
    async with house.ports.database.acquire() as connection:
        return await buckets.bucket_ids(connection, house.workspace.id)


async def another(house) -> int:
    """Open a second bucket beside the first."""

    async def work(transaction) -> int:
        second: int = await house.ports.database.ids.one(transaction.connection)
        await buckets.add_bucket(transaction.connection, house.workspace.id, second, house.clock.instant)
        return second

    return await house.ports.database.run(work)


async def people(house, first: int, count: int) -> None:
    for start in range(first, first + count, 500):
        await house.upsert(
            *(
                {"externalId": str(n), "country": "LT" if n % 2 else "LV"}
                for n in range(start, min(start + 500, first + count))
            )
        )


async def test_a_full_bucket_closes_and_new_people_go_to_the_next_one(house, monkeypatch):
    monkeypatch.setattr(full_buckets, "PEOPLE_A_BUCKET", 640)
    monkeypatch.setattr(full_buckets, "_LOOK_EVERY", 64)
    segment = await house.segment("S", LITHUANIA)

    await people(house, 0, 3000)

    found = await bucket_ids(house)
    assert len(found) >= 3
    rows = await house.ports.database.fetch(
        "SELECT b.id, b.is_open, (SELECT count(*) FROM subscribers s WHERE s.bucket_id = b.id) AS people "
        "FROM buckets b WHERE b.workspace_id = $1 ORDER BY b.id",
        house.workspace.id,
    )
    assert [row["is_open"] for row in rows] == [False] * (len(rows) - 1) + [True]
    assert sum(row["people"] for row in rows) == 3000
    for bucket_id in found:
        while not (await house.membership.tick(bucket_id)).is_drained:
            continue
    members = await house.ports.database.fetchval(
        "SELECT count(*) FROM segment_members WHERE segment_id = $1", segment.id
    )
    assert members == 1500


async def test_known_people_stay_where_they_are(house, monkeypatch):
    monkeypatch.setattr(full_buckets, "PEOPLE_A_BUCKET", 0)
    monkeypatch.setattr(full_buckets, "_LOOK_EVERY", 1)
    await house.upsert({"externalId": "ada", "country": "LV"})
    assert len(await bucket_ids(house)) == 2
    monkeypatch.setattr(full_buckets, "PEOPLE_A_BUCKET", 10**9)

    upserted = await house.upsert(
        {"externalId": "ada", "country": "LT"}, {"externalId": "bob", "country": "LT"}
    )

    ada, bob = upserted.subscribers
    assert ada.bucket_id == house.bucket_id
    assert bob.bucket_id != house.bucket_id


async def test_a_segment_is_filled_in_a_bucket_that_opens_after_it(house, monkeypatch):
    segment = await house.segment("S", LITHUANIA)
    monkeypatch.setattr(full_buckets, "PEOPLE_A_BUCKET", 0)
    monkeypatch.setattr(full_buckets, "_LOOK_EVERY", 1)
    await house.upsert({"externalId": "ada"})
    monkeypatch.setattr(full_buckets, "PEOPLE_A_BUCKET", 10**9)
    await house.upsert({"externalId": "bob", "country": "LT"})
    (_, another) = await bucket_ids(house)

    await house.membership.tick(another)

    rows = await house.ports.database.fetch(
        "SELECT bucket_id, cause, entered FROM membership_changes WHERE list_id = $1", segment.id
    )
    assert [tuple(row) for row in rows] == [(another, "SUBSCRIBER", True)]


async def test_some_bucket_is_always_open_while_buckets_take_each_others_place(house, monkeypatch):
    """On a cluster, machines commit one after the other."""
    monkeypatch.setattr(full_buckets, "PEOPLE_A_BUCKET", 0)
    monkeypatch.setattr(full_buckets, "_LOOK_EVERY", 1)
    found: list[list[int]] = []

    async def watch() -> None:
        while True:
            async with house.ports.database.acquire() as connection:
                found.append(await buckets.open_bucket_ids(connection, house.workspace.id))

    async def write(writer: int) -> None:
        for number in range(5):
            await house.upsert({"externalId": f"{writer}-{number}"})

    watching = asyncio.create_task(watch())
    await asyncio.gather(*map(write, range(4)))
    watching.cancel()

    assert [] not in found
    rows = await house.ports.database.fetch(
        "SELECT is_open FROM buckets WHERE workspace_id = $1 ORDER BY id", house.workspace.id
    )
    assert [row["is_open"] for row in rows].count(True) == 1
    assert len(rows) > 5
    assert await batches.count_subscribers(house.ports.database, house.workspace.id) == 20


async def test_two_who_close_each_others_buckets_leave_one_open(house):
    database, first = house.ports.database, house.bucket_id
    second = await another(house)

    await asyncio.gather(
        database.run(lambda it: buckets.close_bucket(it.connection, first, beside=second)),
        database.run(lambda it: buckets.close_bucket(it.connection, second, beside=first)),
    )

    async with database.acquire() as connection:
        assert len(await buckets.open_bucket_ids(connection, house.workspace.id)) == 1


async def test_who_was_interrupted_between_opening_and_closing_goes_on(house, monkeypatch):
    second = await another(house)
    monkeypatch.setattr(full_buckets, "PEOPLE_A_BUCKET", 0)

    opened = await full_buckets.open_another_if_full(
        ports=house.ports, workspace_id=house.workspace.id, bucket_id=house.bucket_id
    )

    assert opened == second
    assert await bucket_ids(house) == [house.bucket_id, second]
    async with house.ports.database.acquire() as connection:
        assert await buckets.open_bucket_ids(connection, house.workspace.id) == [second]


async def test_a_writer_who_finds_no_open_bucket_tries_again(house):
    opening = "UPDATE buckets SET is_open = $2 WHERE workspace_id = $1"
    await house.ports.database.fetch(opening, house.workspace.id, False)

    writing = asyncio.create_task(house.upsert({"externalId": "ada"}))
    await asyncio.wait([writing], timeout=0.05)
    await house.ports.database.fetch(opening, house.workspace.id, True)

    (ada,) = (await writing).subscribers
    assert ada.bucket_id == house.bucket_id
