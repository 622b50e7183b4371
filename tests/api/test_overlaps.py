"""How segments overlap."""

from __future__ import annotations

import random
from collections import Counter
from dataclasses import dataclass

import pytest

from audience_gql.api.ids import Kind, number_of
from audience_gql.storage.insights import overlaps
from tests.api.buckets import another_bucket

OVERLAP = """
query ($ids: [ID!]!) { segmentOverlap(segmentIds: $ids) { members segments { name } } }
"""
SIMILAR = """
query ($id: ID!, $first: Int! = 5) {
  segment(by: {id: $id}) { similar(first: $first) { segment { name } both jaccard containedShare containsShare } }
}
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


async def test_people_of_several_buckets_are_counted(api):
    segments = await overlapping(api)
    await another_bucket(api)
    await api.upsert(
        {"externalId": "new", "country": "LT"}, {"externalId": "new bob", "country": "LT", "firstName": "Bob"}
    )
    await api.tick()

    assert await overlap(api, segments) == {("LT",): 4, ("Bob", "LT"): 3}


@pytest.mark.parametrize("seed", range(3))
async def test_overlaps_and_similarities_equal_plain_python(api, seed):
    chance = random.Random(seed)
    sets = await drawn(api, chance)
    ids = {name: id_ for name, id_ in sets.ids.items() if name != "nobody"}

    found = await overlap(api, list(ids.values()))

    expected = Counter(
        tuple(sorted(name for name in ids if person in sets.members[name]))
        for person in set().union(*(sets.members[name] for name in ids))
    )
    assert found == dict(expected)
    for name, id_ in sets.ids.items():
        assert await similar(api, id_, first=50) == expected_similar(sets.members, name)
        assert await similar(api, id_, first=1) == expected_similar(sets.members, name)[:1]


@dataclass(frozen=True)
class Sets:
    ids: dict[str, str]
    """Segments by name."""
    members: dict[str, set[str]]


async def drawn(api, chance: random.Random) -> Sets:
    """Segments of people in two buckets, whose members are drawn."""
    places = ("LT", "LV", "EE", "PL", "FI")
    wanted = {f"s{n}": chance.sample(places, chance.randint(1, 4)) for n in range(7)} | {"nobody": ["SE"]}
    conditions = {name: {"country": {"in": countries}} for name, countries in wanted.items()}
    ids = dict(zip(conditions, await api.segments(conditions), strict=True))
    homes = {f"p{n}": chance.choice(places) for n in range(120)}
    people = [{"externalId": person, "country": place} for person, place in homes.items()]
    await api.upsert(*people[:70])
    await api.tick()
    await another_bucket(api)
    await api.upsert(*people[70:])
    await api.tick()
    await api.fill()
    members = {
        name: {person for person, place in homes.items() if place in countries}
        for name, countries in wanted.items()
    }
    return Sets(ids, members)


def expected_similar(members: dict[str, set[str]], name: str) -> list[tuple[str, int, float, float, float]]:
    mine = members[name]
    found = [
        (other, both, both / len(mine | theirs), both / len(mine), both / len(theirs))
        for other, theirs in members.items()
        if other != name and (both := len(mine & theirs))
    ]
    return sorted(found, key=lambda it: -it[2])


async def similar(api, segment: str, *, first: int = 5) -> list[tuple[str, int, float, float, float]]:
    found = await api.data(SIMILAR, id=segment, first=first)
    return [
        (it["segment"]["name"], it["both"], it["jaccard"], it["containedShare"], it["containsShare"])
        for it in found["segment"]["similar"]
    ]


async def test_many_memberships_are_read_in_parts(api):
    sets = await drawn(api, random.Random(3))
    database, workspace = api.services.ports.database, api.access.workspace
    segment_id = number_of(Kind.SEGMENT, sets.ids["s0"])
    assert segment_id is not None

    in_parts = await overlaps.similar(database, workspace.id, segment_id, first=50, memberships_at_once=10)

    assert in_parts == await overlaps.similar(database, workspace.id, segment_id, first=50)
    assert len(in_parts) > 3


async def test_a_segment_without_members_is_similar_to_none(api):
    segments = await overlapping(api)

    assert await similar(api, segments[2]) == []
    assert await similar(api, segments[1]) == [("LT", 2, 0.4, 1, 0.4)]


async def test_the_members_of_a_deleted_segment_are_not_counted(api):
    segments = await overlapping(api)
    await api.data("mutation ($id: ID!) { deleteSegment(input: {id: $id}) { __typename } }", id=segments[0])

    assert await similar(api, segments[1]) == []


@pytest.mark.parametrize("first", [0, 51])
async def test_so_many_similar_segments_cannot_be_asked_for(api, first):
    segment = await api.segment("LT", IN_LT)

    (error,) = await api.errors(SIMILAR, id=segment, first=first)

    assert (error["extensions"]["code"], error["extensions"]["argument"]) == ("BAD_USER_INPUT", "first")


@pytest.mark.parametrize("count", [0, 9])
async def test_so_many_segments_cannot_be_compared(api, count):
    ids = [f"seg_{number}" for number in range(count)]

    (error,) = await api.errors(OVERLAP, ids=ids)

    assert (error["extensions"]["code"], error["extensions"]["argument"]) == ("BAD_USER_INPUT", "segmentIds")
