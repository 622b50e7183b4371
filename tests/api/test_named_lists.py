"""Conditions that name groups and segments instead of giving their ids, through every door that takes a condition."""

from __future__ import annotations

import pytest

from tests.api.test_querying import query

LIST = "query ($where: ConditionInput) { subscribers(where: $where) { edges { node { externalId } } } }"
CREATE = """
mutation ($input: CreateSegmentInput!) {
  createSegment(input: $input) {
    ... on Segment { id condition summary }
    ... on InvalidInput { issues { code message path } }
  }
}
"""
NAMED = {"group": {"anyOf": ["january 1997"]}}


@pytest.fixture
async def group(served):
    group = await served.group("January 1997")
    await served.upsert({"externalId": "1", "addToGroupIds": [group]}, {"externalId": "2"})
    return group


def found(data) -> list[str]:
    return [edge["node"]["externalId"] for edge in data["subscribers"]["edges"]]


async def test_a_segment_stores_the_id_so_a_new_name_changes_nothing(served, group):
    created = (await served.data(CREATE, input={"name": "Early", "condition": NAMED}))["createSegment"]
    await served.fill()
    rename = "mutation ($input: UpdateGroupInput!) { updateGroup(input: $input) { ... on Group { name } } }"
    await served.data(rename, input={"id": group, "name": "The first ones"})
    await served.group("January 1997")
    await served.tick()

    document = "query ($id: ID!) { segment(by: {id: $id}) { condition summary members { edges { node { externalId } } } } }"
    segment = (await served.data(document, id=created["id"]))["segment"]
    assert created["condition"] == segment["condition"] == {"group": {"anyOf": [group]}}
    assert created["summary"] == 'People who are in the group "January 1997".'
    assert segment["summary"] == 'People who are in the group "The first ones".'
    assert segment["members"]["edges"] == [{"node": {"externalId": "1"}}]


@pytest.mark.usefixtures("group")
async def test_literals_and_variables_and_the_command_line_take_names(served, server):
    literal = '{ subscribers(where: {group: {anyOf: ["January 1997"]}}) { edges { node { externalId } } } }'
    settings = {"AUDIENCE_URL": f"{server.url}/graphql", "AUDIENCE_TOKEN": await served.token("READ")}

    assert found(await served.data(literal)) == ["1"]
    assert found(await served.data(LIST, where={"not": NAMED})) == ["2"]
    assert found((await query(literal, **settings)).answer["data"]) == ["1"]


async def test_previews_and_automations_take_names(served, group):
    preview = "query ($c: ConditionInput!) { previewSegment(condition: $c) { ... on SegmentPreview { memberCount } } }"
    automation = """
      mutation ($input: CreateAutomationInput!) {
        createAutomation(input: $input) { ... on Automation { onlyIf } ... on UserError { message path } }
      }
    """
    given = {
        "name": "A",
        "trigger": {"group": group},
        "on": ["LEFT"],
        "onlyIf": NAMED,
        "actions": [{"addToGroup": group}],
    }

    assert (await served.data(preview, c=NAMED))["previewSegment"] == {"memberCount": 1}
    created = (await served.data(automation, input=given))["createAutomation"]
    assert created == {"onlyIf": {"group": {"anyOf": [group]}}}


async def test_a_name_of_no_group_of_the_workspace_is_refused_where_it_is(served, group, stranger):
    await stranger.group("January 1998")
    condition = {"all": [NAMED, {"group": {"anyOf": [group, "January 1998"]}}]}

    refused = (await served.data(CREATE, input={"name": "Early", "condition": condition}))["createSegment"]
    (error,) = await served.errors(LIST, where=condition)

    message = "there is no group with this id or name; did you mean January 1997?"
    path = ["condition", "all", "1", "group", "anyOf", "1"]
    assert refused == {"issues": [{"code": "UNKNOWN", "message": message, "path": ["input", *path]}]}
    assert error["extensions"]["issues"] == [
        {"code": "UNKNOWN", "message": message, "path": ["where", *path[1:]]}
    ]
    assert (await served.data("{ segments { edges { node { id } } } }"))["segments"]["edges"] == []


@pytest.mark.usefixtures("group")
async def test_segments_are_named_like_groups(served):
    early = await served.segment("Early", NAMED)
    named = {"segment": {"anyOf": ["EARLY"]}}
    made = (await served.data(CREATE, input={"name": "Those early", "condition": named}))["createSegment"]
    await served.fill()

    assert made["condition"] == {"segment": {"anyOf": [early]}}
    assert made["summary"] == 'People who are in the segment "Early".'
    assert found(await served.data(LIST, where=named)) == ["1"]
    assert found(await served.data(LIST, where={"not": {"segment": {"anyOf": ["Those early"]}}})) == ["2"]
    (error,) = await served.errors(LIST, where={"segment": {"anyOf": ["Earl"]}})
    (issue,) = error["extensions"]["issues"]
    assert issue["message"] == "there is no segment with this id or name; did you mean Early?"
    assert issue["path"] == ["where", "segment", "anyOf", "0"]


@pytest.mark.usefixtures("group")
async def test_a_segment_that_names_itself_reads_itself(served):
    early = await served.segment("Early", NAMED)
    update = """
      mutation ($input: UpdateSegmentInput!) {
        updateSegment(input: $input) {
          ... on Segment { id }
          ... on SegmentCycle { cycle { name } }
          ... on InvalidInput { issues { message } }
        }
      }
    """

    itself = {"id": early, "name": "Later", "condition": {"segment": {"anyOf": ["Early"]}}}
    renamed = {"id": early, "name": "Later", "condition": {"segment": {"anyOf": ["Later"]}}}

    assert (await served.data(update, input=itself))["updateSegment"] == {"cycle": [{"name": "Early"}] * 2}
    refused = (await served.data(update, input=renamed))["updateSegment"]
    assert refused == {"issues": [{"message": "there is no segment with this id or name"}]}


async def test_a_country_by_name_is_refused_with_its_code(served):
    upsert = """
      mutation ($country: String!) {
        upsertSubscribers(input: {subscribers: [{externalId: "1", country: $country}]}) {
          ... on UpsertSubscribersPayload { created rejects { code message path } }
        }
      }
    """
    message = "expected two letters of ISO 3166-1, such as LT, not 'Lithuania'; did you mean LT?"

    refused = (await served.data(upsert, country="Lithuania"))["upsertSubscribers"]
    (error,) = await served.errors(LIST, where={"country": {"in": ["LV", "Lithuania"]}})

    path = ["input", "subscribers", "0", "country"]
    assert refused == {"created": 0, "rejects": [{"code": "MALFORMED", "message": message, "path": path}]}
    path = ["where", "country", "in", "1"]
    assert error["extensions"]["issues"] == [{"code": "UNKNOWN", "message": message, "path": path}]
