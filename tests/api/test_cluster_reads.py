"""A Citus cluster is read by other statements where it cannot run those of one machine. They run on one machine, too, and find the same."""

from __future__ import annotations

import itertools
import re
from collections import Counter
from datetime import timedelta
from typing import Any

import pytest

from audience_gql.audience.acting.actor import Actor
from tests.api.buckets import another_bucket

pytestmark = pytest.mark.one_server("has one server read as a cluster and as one server")

LT = {"country": {"is": "LT"}}
LISTS = """
query ($first: Int, $after: String, $asOf: DateTime) {
  segments(first: 5) { edges { node {
    name
    members(first: $first, after: $after) { feedCursor edges { cursor enteredAt node { externalId } } }
    membershipChanges(first: $first) { edges { cursor node { kind occurredAt subscriber { externalId } } } }
    past: members(first: $first, asOf: $asOf) { edges { enteredAt node { externalId } } }
  } } }
  groups { edges { node { name members(first: $first) { edges { node { externalId } } } } } }
  automations { edges { node { name runs(first: $first) { edges { node { state subscriber { externalId } } } } } } }
}
"""
PEOPLE = """
query ($first: Int, $after: String, $order: SubscriberOrder, $where: ConditionInput) {
  subscribers(first: $first, after: $after, orderBy: $order, where: $where) {
    pageInfo { hasNextPage endCursor }
    edges { node {
      externalId
      channels { channel status }
      groups(first: 2) { edges { cursor node { name } } }
      segments(first: 1) { pageInfo { hasNextPage } edges { node { name } } }
      events(first: 2) { edges { cursor node { name occurredAt value properties } } }
      membershipHistory(first: 2) { edges { cursor node { kind } } }
    } }
  }
}
"""
IDS = """
{
  automations { edges { node { runs(first: 20) { edges { node { id } } } } } }
  subscribers(first: 20) { edges { node {
    id
    events(first: 1) { edges { node { id } } }
    membershipHistory(first: 1) { edges { node { id } } }
  } } }
}
"""
NODES = """
query ($ids: [ID!]!) { nodes(ids: $ids) { __typename id
  ... on Subscriber { externalId }
  ... on Event { name value }
  ... on MembershipChange { kind }
  ... on AutomationRun { state }
} }
"""
SUGGESTIONS = """
{
  eventNames { name lastSeenAt properties }
  countries: valueSuggestions(of: {profile: "country"}) { value people }
  colours: valueSuggestions(of: {property: {event: "bought", key: "colour"}}) { value people }
  two: valueSuggestions(of: {property: {event: "bought", key: "colour"}}, first: 2) { value people }
}
"""
AUTOMATION = """
mutation ($segment: ID!, $group: ID!) {
  createAutomation(input: {name: "Welcome", trigger: {segment: $segment}, actions: [{addToGroup: $group}]}) { __typename }
}
"""
ADD = "mutation ($id: ID!, $who: [SubscriberKey!]!) { addToGroup(input: {groupId: $id, subscribers: $who}) { __typename } }"


@pytest.fixture
async def filled(api):
    """A workspace with people, memberships, changes and events in two buckets."""
    group = await api.group("Regulars")
    segments = await api.segments(
        {"Lithuanians": LT, "Buyers": {"event": {"name": "bought"}}, "Nobody": {"country": {"is": "SE"}}}
    )
    assert await api.data(AUTOMATION, segment=segments[1], group=await api.group("Welcome"))
    for bucket in range(2):
        if bucket:
            await another_bucket(api)
        for number in range(6):
            person = {"externalId": f"b{bucket}p{number}"}
            await api.upsert(
                person | {"country": ("LT", "LV")[number % 2], "email": f"p{number}b{bucket}@x.example"}
            )
            if number < 4:
                colours = ("red", "red", "blue", "green") if bucket else ("blue", "blue", "red", "white")
                await api.track(
                    {
                        "subscriber": person,
                        "name": "bought",
                        "value": number,
                        "properties": {"colour": colours[number]},
                    }
                )
            api.clock.advance(timedelta(minutes=1))
            await api.tick()
        await api.data(ADD, id=group, who=[{"externalId": f"b{bucket}p{number}"} for number in range(3)])
        api.clock.advance(timedelta(minutes=1))
        await api.tick()
        await Actor(api.services.ports).act(api.bucket_id)
    return api


async def on(api, document: str, *, is_cluster: bool, **variables: object) -> Any:  # Any: JSON
    ports = (api.services.ports, api.services.heavy_ports)
    for each in ports:
        each.database.is_cluster = is_cluster
    try:
        return await api.data(document, **variables)
    finally:
        for each in ports:
            each.database.is_cluster = False


async def both(api, document: str, **variables: object) -> Any:  # Any: JSON
    """The answer of one machine, which must be that of a cluster."""
    alone = await on(api, document, is_cluster=False, **variables)
    assert await on(api, document, is_cluster=True, **variables) == alone
    return alone


async def test_pages_of_lists(filled):
    past = (filled.clock.instant - timedelta(minutes=5)).isoformat()

    for first in (2, 5, 20):
        found = await both(filled, LISTS, first=first, asOf=past)

    by_name = {it["node"]["name"]: it["node"] for it in found["segments"]["edges"]}
    sizes = {name: len(node["members"]["edges"]) for name, node in by_name.items()}
    assert sizes == {"Lithuanians": 6, "Buyers": 8, "Nobody": 0}
    assert 0 < len(by_name["Buyers"]["past"]["edges"]) < 8
    in_groups = {it["node"]["name"]: len(it["node"]["members"]["edges"]) for it in found["groups"]["edges"]}
    assert in_groups["Regulars"] == 6
    (automation,) = found["automations"]["edges"]
    assert len(automation["node"]["runs"]["edges"]) == 8
    middle = by_name["Buyers"]["members"]["edges"][4]["cursor"]
    rest = await both(
        filled,
        LISTS.replace("segments(first: 5)", 'segments(first: 1, search: "Buyers")'),
        after=middle,
        asOf=past,
    )
    assert len(rest["segments"]["edges"][0]["node"]["members"]["edges"]) == 3


async def test_pages_of_people_and_of_what_belongs_to_them(filled):
    conditions = (None, {"any": [LT, {"event": {"name": "bought", "times": {"atLeast": 1}}}]})
    for order, where in itertools.product(("CREATED_DESC", "CREATED_ASC", "EMAIL_ASC"), conditions):
        after, seen = None, []
        while True:
            page = (await both(filled, PEOPLE, first=3, after=after, order=order, where=where))["subscribers"]
            seen += [edge["node"]["externalId"] for edge in page["edges"]]
            if not page["pageInfo"]["hasNextPage"]:
                break
            after = page["pageInfo"]["endCursor"]

        assert len(seen) == len(set(seen)) == (12 if where is None else 10)


async def test_nodes_of_several_buckets(filled):
    ids = re.findall(r"'id': '([^']+)'", str(await filled.data(IDS)))

    found = (await both(filled, NODES, ids=ids))["nodes"]

    assert [node["id"] for node in found] == ids
    kinds = Counter(node["__typename"] for node in found)
    assert kinds == {"AutomationRun": 8, "Subscriber": 12, "Event": 8, "MembershipChange": 10}


async def test_suggestions(filled):
    found = await both(filled, SUGGESTIONS)

    assert found["countries"] == [{"value": "LT", "people": 6}, {"value": "LV", "people": 6}]
    assert [it["people"] for it in found["colours"]] == [3, 3, 1, 1]
    assert len(found["two"]) == 2
