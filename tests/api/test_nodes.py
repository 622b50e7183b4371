"""Anything is found by its id, and nothing by an id that is none."""

from __future__ import annotations

import pytest

from audience_gql.api import ids
from audience_gql.api.ids import Kind

NODE = "query ($id: ID!) { node(id: $id) { __typename id } }"
NODES = "query ($ids: [ID!]!) { nodes(ids: $ids) { __typename id } }"


@pytest.fixture
async def everything(api) -> dict[str, str]:
    """An id of every kind that there is, by type."""
    (ada,) = await api.upsert({"email": "ada@example.com"})
    group = await api.group("Friends")
    segment = await api.segment("All", {"all": []})
    await api.track({"subscriber": {"id": ada}, "name": "waved"})
    field = await api.data(
        'mutation { defineCustomField(input: {key: "team", label: "Team", type: TEXT}) { ... on CustomField { id } } }'
    )
    found = await api.data(
        "query ($id: ID!) { node(id: $id) { ... on Subscriber { events { edges { node { id } } } "
        "membershipHistory { edges { node { id } } } } } viewer { workspace { id } token { id } } }",
        id=ada,
    )
    return {
        "Subscriber": ada,
        "Group": group,
        "Segment": segment,
        "CustomField": field["defineCustomField"]["id"],
        "Event": found["node"]["events"]["edges"][0]["node"]["id"],
        "MembershipChange": found["node"]["membershipHistory"]["edges"][0]["node"]["id"],
        "Workspace": found["viewer"]["workspace"]["id"],
        "ApiToken": found["viewer"]["token"]["id"],
    }


async def test_every_kind_is_found_by_its_id(api, everything):
    for typename, id_ in everything.items():
        assert await api.data(NODE, id=id_) == {"node": {"__typename": typename, "id": id_}}


async def test_many_are_found_in_their_order(api, everything):
    wanted = [everything["Segment"], "nothing", everything["Subscriber"], everything["Segment"]]

    found = await api.data(NODES, ids=wanted)

    assert found["nodes"] == [
        {"__typename": "Segment", "id": wanted[0]},
        None,
        {"__typename": "Subscriber", "id": wanted[2]},
        {"__typename": "Segment", "id": wanted[0]},
    ]


async def test_many_of_a_kind_are_one_statement(api):
    people = await api.upsert(*({"externalId": str(number)} for number in range(100)))

    with api.counting() as statements:
        found = await api.data(NODES, ids=people)

    assert [person["id"] for person in found["nodes"]] == people
    assert len(statements) == 1


async def test_what_another_workspace_has_is_not_there(stranger, everything):
    assert await stranger.data(NODES, ids=list(everything.values())) == {"nodes": [None] * len(everything)}


@pytest.mark.parametrize("kind", list(Kind))
async def test_an_id_of_nothing_is_null(api, kind):
    pairs = {
        Kind.SUBSCRIBER,
        Kind.MEMBERSHIP_CHANGE,
        Kind.IMPORT_ROW,
        Kind.AUTOMATION_RUN,
        Kind.WEBHOOK_DELIVERY,
    }
    numbers = 5 if kind is Kind.EVENT else 2 if kind in pairs else 1

    for number in (0, 1, 2**63 - 1):
        assert await api.data(NODE, id=ids.encode(kind, *[number] * numbers)) == {"node": None}


@pytest.mark.parametrize(
    "text", ["", "x", "sub_", "grp_=", "evt_AQ", "\0", "grp_\0", "1", "🦉", "grp_" + "A" * 100_000]
)
async def test_a_malformed_id_is_null(api, text):
    assert await api.data(NODE, id=text) == {"node": None}


async def test_at_most_a_hundred_at_once(api):
    (error,) = await api.errors(NODES, ids=["x"] * 101)

    assert error["message"] == "`ids` takes at most 100 ids, not 101."
    assert error["path"] == ["nodes"]
    assert error["extensions"] == {"code": "BAD_USER_INPUT", "argument": "ids"}
