"""What another workspace has behaves, byte for byte, like what nobody has."""

from __future__ import annotations

import json

import pytest
import pytest_asyncio

from audience_gql.api import ids
from audience_gql.api.ids import Kind
from audience_gql.audience.testing import MemorySignals
from tests.api.conftest import Api, new_workspace

READS = {
    "node": ("query ($id: ID!) { node(id: $id) { id } }", {"id": "$"}),
    "subscriber": ("query ($id: ID!) { subscriber(by: {id: $id}) { id } }", {"id": "$subscriber"}),
    "by email": ("query ($email: String!) { subscriber(by: {email: $email}) { id } }", {"email": "$email"}),
    "group": (
        "query ($id: ID!) { group(by: {id: $id}) { id members { edges { node { id } } } } }",
        {"id": "$group"},
    ),
    "segment": ("query ($id: ID!) { segment(by: {id: $id}) { id } }", {"id": "$segment"}),
    "group by name": ("query ($name: String!) { group(by: {name: $name}) { id } }", {"name": "$name"}),
    "where group": (
        "query ($w: ConditionInput) { subscribers(where: $w) { edges { node { id } } } }",
        {"w": {"group": {"anyOf": ["$group"]}}},
    ),
    "where segment": (
        "query ($w: ConditionInput) { subscribers(where: $w) { edges { node { id } } } }",
        {"w": {"segment": {"anyOf": ["$segment"]}}},
    ),
    "where field": (
        "query ($w: ConditionInput) { subscribers(where: $w) { edges { node { id } } } }",
        {"w": {"field": {"key": "$field", "text": {"is": "x"}}}},
    ),
    "overlap": (
        "query ($id: ID!) { segmentOverlap(segmentIds: [$id]) { members segments { name } } }",
        {"id": "$segment"},
    ),
    "values of a field": (
        "query ($key: String!) { valueSuggestions(of: {field: $key}) { value people } }",
        {"key": "$field"},
    ),
    "values of a property": (
        'query ($n: String!) { valueSuggestions(of: {property: {event: $n, key: "x"}}) { value people } }',
        {"n": "$event"},
    ),
    "values of the profile": (
        'query ($s: String!) { valueSuggestions(of: {profile: "email"}, search: $s) { value people } }',
        {"s": "$email"},
    ),
    "feed": (
        """query ($s: [ID!], $g: [ID!], $p: SubscriberKey)
        { membershipChanges(segmentIds: $s, groupIds: $g, subscriber: $p) { changes { id } hasMore } }""",
        {"s": ["$segment"], "g": ["$group"], "p": {"id": "$subscriber"}},
    ),
}
WRITES = {
    "upsert": (
        """mutation ($id: ID!) { upsertSubscribers(input: {subscribers: [{id: $id, city: "x"}]})
        { ... on UpsertSubscribersPayload { created updated rejects { code message path } } } }""",
        {"id": "$subscriber"},
    ),
    "upsert into a group": (
        """mutation ($id: ID!) { upsertSubscribers(input: {subscribers: [{externalId: "mine", addToGroupIds: [$id]}]})
        { ... on UpsertSubscribersPayload { created rejects { code message path } } } }""",
        {"id": "$group"},
    ),
    "track": (
        """mutation ($id: ID!) { trackEvents(input: {events: [{subscriber: {id: $id}, name: "x"}]})
        { ... on TrackEventsPayload { accepted rejects { code message path } } } }""",
        {"id": "$subscriber"},
    ),
    "add to a group": (
        "mutation ($id: ID!) { addToGroup(input: {groupId: $id, subscribers: []}) { __typename ... on UserError { message path } } }",
        {"id": "$group"},
    ),
    "add a person": (
        """mutation ($id: ID!, $own: ID!) { addToGroup(input: {groupId: $own, subscribers: [{id: $id}]})
        { ... on GroupMembersPayload { changed rejects { code message path } } } }""",
        {"id": "$subscriber", "own": "$own"},
    ),
    "freeze a segment": (
        """mutation ($id: ID!, $own: ID!) { addToGroup(input: {groupId: $own, segmentId: $id})
        { __typename ... on UserError { message path } } }""",
        {"id": "$segment", "own": "$own"},
    ),
    "update": (
        'mutation ($id: ID!) { updateSegment(input: {id: $id, name: "x"}) { __typename ... on UserError { message path } } }',
        {"id": "$segment"},
    ),
    "delete": (
        "mutation ($id: ID!) { deleteSegment(input: {id: $id}) { __typename ... on UserError { message path } } }",
        {"id": "$segment"},
    ),
    "erase": (
        """mutation ($id: ID!) { eraseSubscriber(input: {subscriber: {id: $id}})
        { __typename ... on UserError { message path } } }""",
        {"id": "$subscriber"},
    ),
    "erase by email": (
        """mutation ($email: String!) { eraseSubscriber(input: {subscriber: {email: $email}})
        { __typename ... on UserError { message path } } }""",
        {"email": "$email"},
    ),
    "update a group": (
        'mutation ($id: ID!) { updateGroup(input: {id: $id, name: "x"}) { __typename ... on UserError { message path } } }',
        {"id": "$group"},
    ),
    "delete a group": (
        "mutation ($id: ID!) { deleteGroup(input: {id: $id}) { __typename ... on UserError { message path } } }",
        {"id": "$group"},
    ),
    "delete a field": (
        "mutation ($id: ID!) { deleteCustomField(input: {id: $id}) { __typename ... on UserError { message path } } }",
        {"id": "$fieldId"},
    ),
    "revoke a token": (
        "mutation ($id: ID!) { revokeApiToken(input: {id: $id}) { __typename ... on UserError { message path } } }",
        {"id": "$token"},
    ),
    "recompute": (
        "mutation ($id: ID!) { recomputeSegment(input: {id: $id}) { __typename ... on UserError { message path } } }",
        {"id": "$segment"},
    ),
    "read by a condition": (
        """mutation ($w: ConditionInput!) { createSegment(input: {name: "x", condition: $w})
        { __typename ... on InvalidInput { issues { code message path } } } }""",
        {"w": {"any": [{"segment": {"anyOf": ["$segment"]}}, {"group": {"anyOf": ["$group"]}}]}},
    ),
}  # fmt: skip


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def stranger(schema, database, tick_pool) -> Api:
    """Another workspace of the same installation, for all tests: none of them may change it."""
    return await new_workspace(schema, database, tick_pool, MemorySignals())


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def theirs(stranger) -> dict[str, str]:
    (person,) = await stranger.upsert({"email": "theirs@example.com", "country": "LT"})
    group = await stranger.group("Theirs")
    await stranger.upsert({"email": "theirs@example.com", "addToGroupIds": [group]})
    field = await stranger.data(
        'mutation { defineCustomField(input: {key: "theirs", label: "x", type: TEXT}) { ... on CustomField { id } } }'
    )
    await stranger.track({"subscriber": {"id": person}, "name": "theirs", "properties": {"x": 1}})
    segment = await stranger.segment("All", {"all": []})
    await stranger.tick()
    return {"$": person, "$subscriber": person, "$group": group, "$segment": segment,
            "$fieldId": field["defineCustomField"]["id"], "$token": ids.id_of(stranger.access.token),
            "$email": "theirs@example.com", "$name": "Theirs", "$field": "theirs", "$event": "theirs"}  # fmt: skip


NOBODYS = {
    "$": ids.subscriber_id((77, 78)),
    "$subscriber": ids.subscriber_id((77, 78)),
    "$group": ids.encode(Kind.GROUP, 77),
    "$segment": ids.encode(Kind.SEGMENT, 77),
    "$fieldId": ids.encode(Kind.CUSTOM_FIELD, 77),
    "$token": ids.encode(Kind.API_TOKEN, 77),
    "$email": "nobody@example.com",
    "$name": "Nobody's",
    "$field": "nobodys",
    "$event": "nobodys",
}


def filled(variables, values):
    text = json.dumps(variables)
    for name in sorted(values, key=len, reverse=True):
        text = text.replace(json.dumps(name), json.dumps(values[name]))
    return json.loads(text)


@pytest.mark.parametrize("case", [*READS, *WRITES])
async def test_a_foreign_id_is_an_unknown_one(api, theirs, case):
    document, variables = (READS | WRITES)[case]
    own = {"$own": await api.group("Own")}

    foreign = await api.execute(document, filled(variables, theirs | own))
    unknown = await api.execute(document, filled(variables, NOBODYS | own))

    told = [
        json.dumps({"data": it.data, "errors": [e.formatted for e in it.errors or ()]})
        for it in (foreign, unknown)
    ]
    assert told[0].replace("theirs", "nobodys") == told[1]


async def test_nothing_of_theirs_was_touched(api, stranger, theirs):
    document = """{ subscribers { edges { node { id city updatedAt groups { edges { node { name } } }
      events { edges { node { name } } } } } } segments { edges { node { name revision state } } }
      groups { edges { node { name memberCount } } } customFields { key } viewer { token { id } } }"""
    before = await stranger.data(document)

    for name, (text, variables) in WRITES.items():
        await api.execute(text, filled(variables, theirs | {"$own": await api.group(f"Own, to {name}")}))

    assert await stranger.data(document) == before


@pytest.mark.usefixtures("theirs")
async def test_lists_hold_only_one_s_own(api):
    found = await api.data(
        "{ subscribers { edges { node { id } } } groups { edges { node { id } } } segments { edges { node { id } } } "
        "customFields { key } eventNames { name } viewer { workspace { subscriberCount } } }"
    )

    assert found == {
        "subscribers": {"edges": []}, "groups": {"edges": []}, "segments": {"edges": []}, "customFields": [],
        "eventNames": [], "viewer": {"workspace": {"subscriberCount": 0}},
    }  # fmt: skip
