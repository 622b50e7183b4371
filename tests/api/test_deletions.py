"""Groups and custom fields are renamed and deleted, people forgotten: what the API shows of it."""

from __future__ import annotations

import pytest

UPDATE = """
mutation ($input: UpdateGroupInput!) {
  updateGroup(input: $input) {
    __typename ... on Group { name description updatedAt } ... on UserError { message path }
  }
}
"""
DELETE_GROUP = """
mutation ($id: ID!) {
  deleteGroup(input: {id: $id}) {
    __typename ... on DeletePayload { deletedId } ... on UserError { path } ... on InUse { usedBy { name } }
  }
}
"""
DELETE_FIELD = DELETE_GROUP.replace("deleteGroup", "deleteCustomField")
ERASE = """
mutation ($key: SubscriberKey!) {
  eraseSubscriber(input: {subscriber: $key}) {
    __typename ... on DeletePayload { deletedId } ... on UserError { message path }
  }
}
"""
DEFINE = """
mutation { defineCustomField(input: {key: "plan", label: "Plan", type: TEXT}) { ... on CustomField { id } } }
"""
SEGMENT = "query ($id: ID!) { segment(by: {id: $id}) { summary } }"


async def update(api, **given):
    return (await api.data(UPDATE, input=given))["updateGroup"]


async def test_a_group_gets_another_name_and_summaries_say_it(api):
    group = await api.group("Friends")
    segment = await api.segment("In", {"group": {"anyOf": [group]}})

    found = await update(api, id=group, name=" Family ", description="Near")

    assert (found["name"], found["description"]) == ("Family", "Near")
    assert "Family" in (await api.data(SEGMENT, id=segment))["segment"]["summary"]
    assert await update(api, id=group, description=None) == {**found, "description": None}


async def test_a_group_keeps_its_name_when_the_new_one_will_not_do(api):
    await api.group("Taken")
    group = await api.group("Friends")

    taken, empty = await update(api, id=group, name="taken"), await update(api, id=group, name=" ")

    assert (taken["__typename"], taken["path"]) == ("NameTaken", ["input", "name"])
    assert (empty["__typename"], empty["path"]) == ("InvalidInput", ["input", "name"])
    found = await api.data("query ($id: ID!) { group(by: {id: $id}) { name } }", id=group)
    assert found["group"]["name"] == "Friends"


async def test_a_deleted_group_is_gone_at_once(api):
    group = await api.group("Friends")
    (person,) = await api.upsert({"externalId": "ada", "addToGroupIds": [group]})
    await api.tick()

    found = (await api.data(DELETE_GROUP, id=group))["deleteGroup"]

    assert found == {"__typename": "DeletePayload", "deletedId": group}
    seen = await api.data(
        """query ($group: ID!, $person: ID!) {
          node(id: $group) { id }
          groups { edges { node { id } } }
          subscriber(by: {id: $person}) { groups { edges { node { id } } } membershipHistory { edges { node {
            kind groupId group { id } } } } }
        }""",
        group=group,
        person=person,
    )
    assert seen == {
        "node": None,
        "groups": {"edges": []},
        "subscriber": {
            "groups": {"edges": []},
            "membershipHistory": {"edges": [{"node": {"kind": "ENTERED", "groupId": group, "group": None}}]},
        },
    }
    assert await api.group("Friends") != group


async def test_what_a_segment_reads_is_in_use(api):
    field, group = (await api.data(DEFINE))["defineCustomField"]["id"], await api.group("Friends")
    await api.segment(
        "Both", {"all": [{"group": {"anyOf": [group]}}, {"field": {"key": "plan", "text": {"is": "x"}}}]}
    )

    of_group = (await api.data(DELETE_GROUP, id=group))["deleteGroup"]
    of_field = (await api.data(DELETE_FIELD, id=field))["deleteCustomField"]

    in_use = {"__typename": "InUse", "path": ["input", "id"], "usedBy": [{"name": "Both"}]}
    assert (of_group, of_field) == (in_use, in_use)


async def test_a_deleted_field_is_gone_at_once(api):
    field = (await api.data(DEFINE))["defineCustomField"]["id"]
    await api.upsert({"externalId": "ada", "fields": [{"key": "plan", "value": "paid"}]})

    found = (await api.data(DELETE_FIELD, id=field))["deleteCustomField"]

    assert found == {"__typename": "DeletePayload", "deletedId": field}
    seen = await api.data(
        '{ customFields { key } subscriber(by: {externalId: "ada"}) { fields { key value } field(key: "plan") } }'
    )
    assert seen == {"customFields": [], "subscriber": {"fields": [], "field": None}}


@pytest.mark.parametrize("key", [{"externalId": "ada"}, {"email": "ADA@example.com"}])
async def test_a_person_is_forgotten(api, key):
    (person,) = await api.upsert({"externalId": "ada", "email": "ada@example.com"})

    found = (await api.data(ERASE, key=key))["eraseSubscriber"]

    assert found == {"__typename": "DeletePayload", "deletedId": person}
    assert (await api.data("query ($id: ID!) { node(id: $id) { id } }", id=person))["node"] is None
    again = (await api.data(ERASE, key=key))["eraseSubscriber"]
    assert (again["__typename"], again["path"]) == ("NotFound", ["input", "subscriber"])
