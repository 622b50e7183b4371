"""A query costs the same statements for one parent and for fifty."""

from __future__ import annotations

import re

import pytest
import pytest_asyncio

from audience_gql.audience.testing import MemorySignals
from tests.api.conftest import new_workspace

MANY = 50

PEOPLE = """query ($first: Int) { subscribers(first: $first) { edges { node {
  id channels { status } fields { value definition { label } } field(key: "plan")
  groups(first: 2) { edges { addedAt node { name memberCount } } pageInfo { hasNextPage } }
  segments(first: 2) { edges { enteredAt node { name state memberCount evaluatedThrough condition } } }
  events(first: 2) { edges { node { name value } } }
  bought: events(name: "bought", first: 2) { edges { node { name } } }
  membershipHistory(first: 2) { edges { node { segment { name } group { name } subscriber { email } } } }
} } } }"""
EVENTS = """query ($first: Int) { subscribers(first: $first) { edges { node {
  events(first: 2) { edges { node { name subscriber { email } } } }
} } } }"""
GROUPS = """query ($first: Int) { groups(first: $first) { edges { node {
  name memberCount members(first: 1) { edges { node { id channels { status } } } }
} } } }"""
SEGMENTS = """query ($first: Int) { segments(first: $first) { edges { node {
  name state memberCount evaluatedThrough condition dependsOn { name } usedBy { name }
  members(first: 1) { feedCursor edges { node { id } } }
  membershipChanges(first: 1) { edges { node { subscriber { id } segment { name } } } }
} } } }"""
FEED = """query ($after: String, $first: Int) { membershipChanges(after: $after, first: $first) {
  changes { segment { name memberCount } group { name } subscriber { email channels { status } } }
} }"""


def shapes(statements: list[str]) -> list[str]:
    """The statements without their page sizes."""
    return sorted(re.sub(r"LIMIT \d+", "LIMIT n", statement) for statement in statements)


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def full(schema, database, tick_pool):
    """Fifty people, groups and segments, everybody in several of them. The tests only read them."""
    api = await new_workspace(schema, database, tick_pool, MemorySignals())
    start = (await api.data("{ membershipChanges { cursor } }"))["membershipChanges"]["cursor"]
    await api.data(
        'mutation { defineCustomField(input: {key: "plan", label: "Plan", type: TEXT}) { __typename } }'
    )
    groups = [await api.group(f"group {number}") for number in range(MANY)]
    first = await api.segment("segment 0", {"country": {"is": "LT"}})
    await api.segments({f"segment {number}": {"segment": {"anyOf": [first]}} for number in range(1, MANY)})
    await api.upsert(
        *(
            {"externalId": str(number), "country": "LT", "addToGroupIds": [groups[number], groups[0]],
             "fields": [{"key": "plan", "value": "free"}], "channels": [{"channel": "EMAIL", "status": "ACTIVE"}]}
            for number in range(MANY)
        )
    )  # fmt: skip
    await api.track(
        *({"subscriber": {"externalId": str(number)}, "name": "bought"} for number in range(MANY))
    )
    await api.tick()
    return api, start


@pytest.mark.parametrize(
    "document", [PEOPLE, EVENTS, GROUPS, SEGMENTS], ids=["people", "events", "groups", "segments"]
)
async def test_one_parent_or_fifty(full, document):
    api, _ = full

    with api.counting() as for_one:
        one = await api.data(document, first=1)
    with api.counting() as for_many:
        many = await api.data(document, first=MANY)

    (listed,) = one.values()
    (all_listed,) = many.values()
    assert (len(listed["edges"]), len(all_listed["edges"])) == (1, MANY)
    assert shapes(for_many) == shapes(for_one)


@pytest.mark.slow
async def test_the_next_changes_of_one_segment_or_fifty(api):
    created = {"createdAt": {"inLast": {"days": 1}}}
    await api.segments(
        {
            f"segment {number:02}": {
                "any": [{"event": {"name": "bought", "within": {"last": {"days": number + 1}}}}, created]
            }
            for number in range(MANY)
        }
    )
    await api.upsert({"externalId": "1"})
    await api.track({"subscriber": {"externalId": "1"}, "name": "bought"})
    await api.tick()
    document = "query ($first: Int) { segments(first: $first) { edges { node { nextChangeAt } } } }"

    with api.counting() as for_one:
        await api.data(document, first=1)
    with api.counting() as for_many:
        many = await api.data(document, first=MANY)

    assert [edge["node"] for edge in many["segments"]["edges"]] == [
        {"nextChangeAt": "2026-03-02T12:00:00Z"}
    ] * MANY
    assert shapes(for_many) == shapes(for_one)


async def test_each_of_fifty_parents_gets_its_own(full):
    api, _ = full

    found = await api.data(
        """{ subscribers(first: 50) { edges { node {
          externalId channels { status } groups(first: 2) { edges { node { name } } } segments(first: 1) { edges { node { id } } }
          events(first: 1) { edges { node { subscriber { externalId } } } }
          membershipHistory(first: 1) { edges { node { subscriberId } } } id
        } } } }"""
    )

    for edge in found["subscribers"]["edges"]:
        person = edge["node"]
        number = person["externalId"]
        assert person["channels"] == [{"status": "ACTIVE"}]
        names = {it["node"]["name"] for it in person["groups"]["edges"]}
        assert names == {"group 0", f"group {number}"}
        assert len(person["segments"]["edges"]) == 1
        assert person["events"]["edges"] == [{"node": {"subscriber": {"externalId": number}}}]
        assert person["membershipHistory"]["edges"] == [{"node": {"subscriberId": person["id"]}}]


async def test_one_change_or_fifty(full):
    api, start = full

    with api.counting() as for_one:
        one = await api.data(FEED, after=start, first=1)
    with api.counting() as for_many:
        many = await api.data(FEED, after=start, first=MANY)

    assert len(one["membershipChanges"]["changes"]) == 1
    assert len(many["membershipChanges"]["changes"]) == MANY
    # The first change may be of one kind of list only, and segments take two statements.
    assert len(for_many) - len(for_one) <= 2


async def test_a_page_of_plain_people_is_one_statement(full):
    api, _ = full

    with api.counting() as statements:
        await api.data("{ subscribers(first: 50) { edges { node { id email country createdAt } } } }")

    assert len(statements) == 1


async def test_a_batch_of_people_is_read_back_in_one_statement(api):
    document = """mutation ($input: UpsertSubscribersInput!) { upsertSubscribers(input: $input) {
      ... on UpsertSubscribersPayload { subscribers { id } } } }"""

    with api.counting() as statements:
        await api.data(
            document, input={"subscribers": [{"externalId": str(number)} for number in range(100)]}
        )

    assert len(statements) == 1
