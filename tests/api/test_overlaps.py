"""How segments overlap."""

from __future__ import annotations

import pytest

from audience_gql.storage.insights import overlaps

OVERLAP = """
query ($ids: [ID!]!) { segmentOverlap(segmentIds: $ids) { members segments { name } } }
"""
IN_LT = {"country": {"is": "LT"}}


async def overlapping(api) -> list[str]:
    await api.upsert(
        *({"externalId": f"lt-{n}", "country": "LT"} for n in range(3)),
        *({"externalId": f"bob-{n}", "country": "LT", "firstName": "Bob"} for n in range(2)),
        {"externalId": "elsewhere", "country": "LV"},
    )
    segments = [
        await api.segment("LT", IN_LT),
        await api.segment("Bob", {"firstName": {"is": "Bob"}}),
        await api.segment("Ann", {"firstName": {"is": "Ann"}}),
    ]
    await api.tick()
    return segments


async def overlap(api, ids: list[str]):
    found = (await api.data(OVERLAP, ids=ids))["segmentOverlap"]
    return {tuple(sorted(it["name"] for it in one["segments"])): one["members"] for one in found}


async def test_each_person_counts_for_exactly_one_combination(api):
    segments = await overlapping(api)

    assert await overlap(api, segments) == {("LT",): 3, ("Bob", "LT"): 2}
    assert await overlap(api, segments[:1]) == {("LT",): 5}


async def test_many_memberships_are_counted_in_part(api):
    people = [{"externalId": f"p{n}", "country": "LT"} for n in range(400)]
    await api.upsert(*people)
    segment = await api.segment("LT", IN_LT)
    await api.tick()
    (row,) = await api.services.ports.database.fetch(
        "SELECT id FROM segments WHERE workspace_id = $1", api.access.workspace.id
    )

    (found,) = await overlaps.overlaps(
        api.services.ports.database, api.access.workspace.id, [row["id"]], counted=200
    )

    assert segment
    assert found.members % 2 == 0
    assert 280 < found.members < 520  # half of them, twice; twelve standard deviations


@pytest.mark.parametrize("count", [0, 9])
async def test_so_many_segments_cannot_be_compared(api, count):
    ids = [f"seg_{number}" for number in range(count)]

    (error,) = await api.errors(OVERLAP, ids=ids)

    assert (error["extensions"]["code"], error["extensions"]["argument"]) == ("BAD_USER_INPUT", "segmentIds")
