"""Buckets open by themselves, segments hold in all of them, and nobody moves."""

from __future__ import annotations

from audience_gql.audience.people import buckets
from audience_gql.storage import definitions

LITHUANIA = {"country": {"is": "LT"}}


async def bucket_ids(house) -> list[int]:
    async with house.ports.database.acquire() as connection:
        return await definitions.bucket_ids(connection, house.workspace.id)


async def people(house, first: int, count: int) -> None:
    for start in range(first, first + count, 500):
        await house.upsert(
            *(
                {"externalId": str(n), "country": "LT" if n % 2 else "LV"}
                for n in range(start, min(start + 500, first + count))
            )
        )


async def test_a_full_bucket_closes_and_new_people_go_to_the_next_one(house, monkeypatch):
    monkeypatch.setattr(buckets, "PEOPLE_A_BUCKET", 640)
    monkeypatch.setattr(buckets, "_LOOK_EVERY", 64)
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
    monkeypatch.setattr(buckets, "PEOPLE_A_BUCKET", 0)
    monkeypatch.setattr(buckets, "_LOOK_EVERY", 1)
    await house.upsert({"externalId": "ada", "country": "LV"})
    assert len(await bucket_ids(house)) == 2
    monkeypatch.setattr(buckets, "PEOPLE_A_BUCKET", 10**9)

    upserted = await house.upsert(
        {"externalId": "ada", "country": "LT"}, {"externalId": "bob", "country": "LT"}
    )

    ada, bob = upserted.subscribers
    assert ada.bucket_id == house.bucket_id
    assert bob.bucket_id != house.bucket_id


async def test_a_segment_is_filled_in_a_bucket_that_opens_after_it(house, monkeypatch):
    segment = await house.segment("S", LITHUANIA)
    monkeypatch.setattr(buckets, "PEOPLE_A_BUCKET", 0)
    monkeypatch.setattr(buckets, "_LOOK_EVERY", 1)
    await house.upsert({"externalId": "ada"})
    monkeypatch.setattr(buckets, "PEOPLE_A_BUCKET", 10**9)
    await house.upsert({"externalId": "bob", "country": "LT"})
    (_, another) = await bucket_ids(house)

    await house.membership.tick(another)

    rows = await house.ports.database.fetch(
        "SELECT bucket_id, cause, entered FROM membership_changes WHERE list_id = $1", segment.id
    )
    assert [tuple(row) for row in rows] == [(another, "SUBSCRIBER", True)]
