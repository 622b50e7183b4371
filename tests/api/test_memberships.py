"""`Subscriber.memberOf`: in which of some segments a person is."""

from __future__ import annotations

from datetime import timedelta

from tests.api.conftest import NOON

ONE = 'query ($segments: [ID!]!) { subscriber(by: {externalId: "ada"}) { memberOf(segmentIds: $segments) } }'
ALL = """
query ($segments: [ID!]!, $first: Int) {
  subscribers(first: $first, orderBy: CREATED_ASC) { edges { node { externalId memberOf(segmentIds: $segments) } } }
}
"""


async def member_of(api, *segments: str) -> list[str]:
    return (await api.data(ONE, segments=list(segments)))["subscriber"]["memberOf"]


async def test_the_segments_that_a_person_is_in_in_the_given_order(api):
    await api.upsert({"externalId": "ada", "country": "LT", "city": "Kaunas"})
    country, city, other = await api.segments(
        {
            "Lithuania": {"country": {"is": "LT"}},
            "Kaunas": {"city": {"is": "Kaunas"}},
            "Paris": {"city": {"is": "Paris"}},
        }
    )

    assert await member_of(api, city, other, country) == [city, country]
    assert await member_of(api, country, city, country) == [country, city]
    assert await member_of(api, other) == []
    assert await member_of(api) == []


async def test_it_is_about_now(api):
    await api.upsert({"externalId": "ada"})
    await api.track({"subscriber": {"externalId": "ada"}, "name": "bought", "occurredAt": NOON.isoformat()})
    segment = await api.segment("Recent", {"event": {"name": "bought", "within": {"last": {"days": 2}}}})
    await api.tick()

    before = await member_of(api, segment)
    api.clock.advance(timedelta(days=2))
    await api.tick()

    assert (before, await member_of(api, segment)) == ([segment], [])


async def test_every_person_of_a_list_has_their_own(api):
    await api.upsert(
        {"externalId": "ada", "country": "LT"}, {"externalId": "bob", "country": "FR"}, {"externalId": "cyd"}
    )
    lithuania, france = await api.segments(
        {"Lithuania": {"country": {"is": "LT"}}, "France": {"country": {"is": "FR"}}}
    )

    found = (await api.data(ALL, segments=[france, lithuania], first=10))["subscribers"]["edges"]

    assert {edge["node"]["externalId"]: edge["node"]["memberOf"] for edge in found} == {
        "ada": [lithuania],
        "bob": [france],
        "cyd": [],
    }


async def test_people_and_segments_share_a_statement(api):
    await api.upsert(*({"externalId": str(number), "country": "LT"} for number in range(20)))
    segments = await api.segments({f"segment {number}": {"country": {"is": "LT"}} for number in range(10)})

    with api.counting() as for_one:
        await api.data(ALL, segments=segments[:1], first=1)
    with api.counting() as for_many:
        found = await api.data(ALL, segments=segments, first=20)

    assert all(edge["node"]["memberOf"] == segments for edge in found["subscribers"]["edges"])
    assert len([it for it in for_many if "segment_members" in it]) == 1
    assert len(for_one) == len(for_many) == 3  # the people, the segments, and the memberships


async def test_an_unknown_segment_is_named(api, stranger):
    await api.upsert({"externalId": "ada"})
    segment = await api.segment("All", {"all": []})
    foreign = await stranger.segment("Theirs", {"all": []})

    for wrong in (foreign, "seg_none", "nonsense", "\0"):
        (error,) = await api.errors(ONE, segments=[segment, wrong])

        assert error["extensions"] == {"code": "NOT_FOUND", "argument": "segmentIds", "index": 1}


async def test_no_more_than_a_hundred_segments(api):
    await api.upsert({"externalId": "ada"})
    segment = await api.segment("All", {"all": []})

    assert await member_of(api, *[segment] * 100) == [segment]
    (error,) = await api.errors(ONE, segments=[segment] * 101)

    assert error["extensions"] == {"code": "BAD_USER_INPUT", "argument": "segmentIds"}


async def test_it_counts_as_reading_the_segments(api):
    await api.upsert({"externalId": "ada"})
    read, _ = await api.segments({"Read": {"all": []}, "Unread": {"all": []}})

    await member_of(api, read)
    await api.services.reads.settle()

    found = await api.data("{ segments(orderBy: NAME_ASC) { edges { node { name lastReadAt } } } }")
    assert [tuple(edge["node"].values()) for edge in found["segments"]["edges"]] == [
        ("Read", "2026-03-01T12:00:00Z"),
        ("Unread", None),
    ]
