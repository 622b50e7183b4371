"""Groups: made, filled, emptied, listed."""

from __future__ import annotations

import pytest

from audience_gql.audience.definitions import snapshots

CREATE = """
mutation ($input: CreateGroupInput!) {
  createGroup(input: $input) {
    __typename
    ... on Group { id name description memberCount createdAt updatedAt }
    ... on UserError { message path }
  }
}
"""
CHANGE = """
mutation ($input: GroupMembersInput!) {
  %s(input: $input) {
    __typename
    ... on GroupMembersPayload { changed group { memberCount } rejects { index code path } }
    ... on UserError { message path }
  }
}
"""
GROUP = "query ($by: GroupKey!) { group(by: $by) { id name } }"
MEMBERS = """
query ($id: ID!, $first: Int, $after: String) {
  group(by: {id: $id}) {
    members(first: $first, after: $after) { edges { addedAt node { externalId } } pageInfo { hasNextPage endCursor } }
  }
}
"""


async def change(api, mutation: str, **given):
    return (await api.data(CHANGE % mutation, input=given))[mutation]


async def test_a_group_is_made(api):
    found = (await api.data(CREATE, input={"name": " Friends ", "description": ""}))["createGroup"]

    assert found.pop("id").startswith("grp_")
    at = "2026-03-01T12:00:00Z"
    assert found == {
        "__typename": "Group", "name": "Friends", "description": None, "memberCount": 0, "createdAt": at, "updatedAt": at,
    }  # fmt: skip


async def test_a_name_is_taken_whatever_its_case(api, stranger):
    await stranger.group("STRASSE")
    await api.group("Straße")

    found = await api.data(CREATE, input={"name": "STRASSE"})

    assert found["createGroup"]["__typename"] == "NameTaken"
    assert found["createGroup"]["path"] == ["input", "name"]


@pytest.mark.parametrize("name", ["", "  ", "x" * 201, "\0"])
async def test_a_name_is_a_text(api, name):
    found = await api.data(CREATE, input={"name": name})

    assert found["createGroup"]["__typename"] == "InvalidInput"
    assert found["createGroup"]["path"] == ["input", "name"]


async def test_people_come_and_go(api):
    await api.upsert({"externalId": "1"}, {"externalId": "2", "email": "bob@example.com"})
    group = await api.group("Friends")

    added = await change(
        api, "addToGroup", groupId=group,
        subscribers=[{"externalId": "1"}, {"email": "BOB@example.com"}, {"externalId": "2"}, {"phone": "+1"}, {"id": "x"}],
    )  # fmt: skip
    removed = await change(api, "removeFromGroup", groupId=group, subscribers=[{"externalId": "1"}])
    again = await change(api, "removeFromGroup", groupId=group, subscribers=[{"externalId": "1"}])

    assert added["changed"] == 2
    assert added["group"] == {"memberCount": 2}
    assert added["rejects"] == [
        {"index": 3, "code": "UNKNOWN", "path": ["input", "subscribers", "3"]},
        {"index": 4, "code": "UNKNOWN", "path": ["input", "subscribers", "4"]},
    ]
    assert (removed["changed"], removed["group"]["memberCount"]) == (1, 1)
    assert (again["changed"], again["group"]["memberCount"]) == (0, 1)


async def test_the_count_is_exact_before_and_after_a_tick(api):
    await api.upsert(*({"externalId": str(number)} for number in range(5)))
    group = await api.group("Friends")
    count = "query ($id: ID!) { group(by: {id: $id}) { memberCount } }"

    async def counted() -> int:
        return (await api.data(count, id=group))["group"]["memberCount"]

    await change(api, "addToGroup", groupId=group, subscribers=[{"externalId": str(n)} for n in range(5)])
    assert await counted() == 5
    await api.tick()
    assert await counted() == 5
    await change(
        api, "removeFromGroup", groupId=group, subscribers=[{"externalId": "0"}, {"externalId": "1"}]
    )
    assert await counted() == 3
    await api.tick()
    assert await counted() == 3


async def test_an_unknown_group_is_not_found(api):
    await api.upsert({"externalId": "1"})

    for id_ in ("grp_AQ", "nothing", ""):
        found = await change(api, "addToGroup", groupId=id_, subscribers=[{"externalId": "1"}])
        assert found == {
            "__typename": "NotFound",
            "message": "there is no group with this id",
            "path": ["input", "groupId"],
        }


async def test_a_group_is_found_by_name_or_id(api):
    group = await api.group("Best Friends")
    expected = {"group": {"id": group, "name": "Best Friends"}}

    assert await api.data(GROUP, by={"name": "best FRIENDS"}) == expected
    assert await api.data(GROUP, by={"id": group}) == expected
    assert await api.data(GROUP, by={"name": "friends"}) == {"group": None}
    assert await api.data(GROUP, by={"name": "\0"}) == {"group": None}


async def test_members_are_listed_the_latest_first(api):
    await api.upsert({"externalId": "1"}, {"externalId": "2"}, {"externalId": "3"})
    group = await api.group("Friends")
    for person in ("2", "3", "1"):
        await change(api, "addToGroup", groupId=group, subscribers=[{"externalId": person}])
        api.clock.instant = api.clock.instant.replace(minute=api.clock.instant.minute + 1)

    members = (await api.data(MEMBERS, id=group, first=2))["group"]["members"]
    rest = (await api.data(MEMBERS, id=group, first=2, after=members["pageInfo"]["endCursor"]))["group"][
        "members"
    ]

    assert members["edges"] == [
        {"addedAt": "2026-03-01T12:02:00Z", "node": {"externalId": "1"}},
        {"addedAt": "2026-03-01T12:01:00Z", "node": {"externalId": "3"}},
    ]
    assert members["pageInfo"]["hasNextPage"] is True
    assert [edge["node"]["externalId"] for edge in rest["edges"]] == ["2"]
    assert rest["pageInfo"]["hasNextPage"] is False


async def test_a_segment_is_frozen_into_a_group_and_taken_out_of_it(api):
    group = await api.group("Frozen")
    await api.upsert(
        *({"externalId": f"lt-{n}", "country": "LT"} for n in range(3)), {"externalId": "lv", "country": "LV"}
    )
    segment = await api.segment("LT", {"country": {"is": "LT"}})
    await api.tick()

    joined = await change(
        api, "addToGroup", groupId=group, segmentId=segment, subscribers=[{"externalId": "lv"}]
    )
    await api.upsert({"externalId": "lt-0", "country": "LV"})
    await api.tick()
    again = await change(api, "addToGroup", groupId=group, segmentId=segment)
    left = await change(api, "removeFromGroup", groupId=group, segmentId=segment)

    assert (joined["changed"], again["changed"], left["changed"]) == (4, 0, 2)
    found = await api.data(MEMBERS, id=group)
    edges = found["group"]["members"]["edges"]
    assert {edge["node"]["externalId"] for edge in edges} == {"lt-0", "lv"}


async def test_a_segment_that_cannot_be_frozen_is_refused_and_changes_nothing(api, monkeypatch):
    group = await api.group("Frozen")
    await api.upsert(*({"externalId": f"p{n}"} for n in range(3)))
    full = await api.segment("All", {"all": [{"externalId": {"isSet": True}}]})
    await api.tick()
    document = """mutation { createSegment(input: {name: "New", condition: {externalId: {isSet: true}}}) { ... on Segment { id } } }"""
    computing = (await api.data(document))["createSegment"]["id"]
    monkeypatch.setattr(snapshots, "MEMBERS_AT_ONCE", 2)

    for segment, kind in ((full, "InvalidInput"), (computing, "InvalidInput"), ("seg_x", "NotFound")):
        found = await change(
            api, "addToGroup", groupId=group, segmentId=segment, subscribers=[{"externalId": "p0"}]
        )
        assert (found["__typename"], found["path"]) == (kind, ["input", "segmentId"])

    counted = await api.data("query ($id: ID!) { group(by: {id: $id}) { memberCount } }", id=group)
    assert counted["group"]["memberCount"] == 0
