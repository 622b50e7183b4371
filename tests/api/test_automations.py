"""Automations over GraphQL: created, edited, paused, previewed, listed, and watched."""

from __future__ import annotations

import asyncio
import re
from contextlib import aclosing
from datetime import timedelta
from pathlib import Path

import pytest

from audience_gql.api.acting.runs import RunState
from audience_gql.audience.acting.actor import Actor
from tests.patience import PATIENCE_SECONDS

CREATE = """
mutation ($input: CreateAutomationInput!) {
  createAutomation(input: $input) {
    __typename
    ... on Automation { id name description revision state summary on holdFor reentry causes onlyIf actions segment { name } group { name } }
    ... on UserError { message path }
    ... on InvalidInput { issues { code message path } }
    ... on AutomationLoop { way { automation { name } segment { name } group { name } } }
  }
}
"""
UPDATE = """
mutation ($input: UpdateAutomationInput!) {
  updateAutomation(input: $input) {
    __typename
    ... on Automation { name description revision summary on holdFor reentry causes onlyIf actions }
    ... on UserError { message path }
    ... on InvalidInput { issues { code path } }
    ... on AutomationConflict { current { revision } }
  }
}
"""
RUNS = """
query ($id: ID!, $state: [RunState!], $first: Int, $after: String) {
  automation(by: {id: $id}) {
    runs(state: $state, first: $first, after: $after) {
      pageInfo { hasNextPage endCursor }
      edges { node { id state reason kind cause startedAt dueAt endedAt subscriber { externalId } change { kind } automation { name } } }
    }
  }
}
"""
WATCH = (
    "subscription ($ids: [ID!]) { automationRuns(automationIds: $ids) { state subscriber { externalId } } }"
)
LITHUANIA = {"country": {"is": "LT"}}
PAGE = (Path(__file__).parents[2] / "docs" / "howto" / "automations.md").read_text(encoding="utf-8")


@pytest.fixture
def actor(api):
    return Actor(api.services.ports)


async def create(api, **given):
    return (await api.data(CREATE, input=given))["createAutomation"]


async def ready(api):
    """A segment of people in Lithuania, and an empty group."""
    return await api.segment("Lithuania", LITHUANIA), await api.group("Welcome")


async def test_an_automation_is_shown_as_it_was_given(api):
    segment, group = await ready(api)
    actions = [{"addToGroup": group}, {"trackEvent": {"name": "welcomed", "value": 1.5}}]

    created = await create(
        api,
        name="Welcome them",
        description="In Lithuania",
        trigger={"segment": segment},
        on=["ENTERED", "LEFT"],
        holdFor={"days": 3},
        reentry={"onceIn": {"weeks": 2}},
        causes=["FACT", "IMPORT"],
        onlyIf={"event": {"name": "clicked"}},
        actions=actions,
    )

    assert created == {
        "__typename": "Automation",
        "id": created["id"],
        "name": "Welcome them",
        "description": "In Lithuania",
        "revision": 1,
        "state": "ACTIVE",
        "summary": 'When somebody enters or leaves "Lithuania" and it stays so for 3 days, if they match a condition: '
        'add them to "Welcome", track the event welcomed.',
        "on": ["ENTERED", "LEFT"],
        "holdFor": {"days": 3},
        "reentry": {"weeks": 2},
        "causes": ["FACT", "IMPORT"],
        "onlyIf": {"event": {"name": "clicked"}},
        "actions": [
            {"addToGroup": group},
            {"trackEvent": {"name": "welcomed", "value": 1.5, "properties": None}},
        ],
        "segment": {"name": "Lithuania"},
        "group": None,
    }


async def test_every_problem_is_told_with_its_path(api):
    _, group = await ready(api)

    refused = await create(
        api,
        name=" ",
        trigger={"segment": "seg_AAAA"},
        on=[],
        holdFor={"days": 91},
        reentry={"onceIn": {"minutes": 0}},
        causes=[],
        onlyIf={"all": [{"country": {"is": "LT"}}, {"segment": {"anyOf": ["grp_x"]}}]},
        actions=[
            {"addToGroup": group},
            {"removeFromGroup": "seg_x"},
            {"setField": {"key": "tier", "value": 1}},
            {"trackEvent": {"name": " ", "value": 1}},
            {"webhook": {"endpoint": "hook_x", "fields": ["email", "shoe"]}},
        ],
    )

    assert refused["__typename"] == "InvalidInput"
    assert [(issue["code"], ".".join(issue["path"])) for issue in refused["issues"]] == [
        ("REQUIRED", "input.name"),
        ("REQUIRED", "input.on"),
        ("UNKNOWN", "input.trigger.segment"),
        ("REQUIRED", "input.causes"),
        ("OUT_OF_RANGE", "input.holdFor"),
        ("OUT_OF_RANGE", "input.reentry.onceIn.minutes"),
        ("UNKNOWN", "input.onlyIf.all.1.segment.anyOf.0"),
        ("UNKNOWN", "input.actions.1.removeFromGroup"),
        ("UNKNOWN", "input.actions.2.setField.key"),
        ("REQUIRED", "input.actions.3.trackEvent.name"),
        ("UNKNOWN", "input.actions.4.webhook.endpoint"),
        ("UNKNOWN", "input.actions.4.webhook.fields.1"),
    ]


async def test_a_loop_is_refused_with_the_way_round(api):
    group = await api.group("G")
    inside = await api.segment("Inside", {"group": {"anyOf": [group]}})
    other = await api.group("H")
    first = await create(api, name="First", trigger={"segment": inside}, actions=[{"addToGroup": other}])
    assert first["__typename"] == "Automation"

    refused = await create(api, name="Second", trigger={"group": other}, actions=[{"removeFromGroup": group}])
    bounded = await create(
        api,
        name="Second",
        trigger={"group": other},
        reentry={"rule": "ONCE"},
        actions=[{"removeFromGroup": group}],
    )

    assert refused["__typename"] == "AutomationLoop"
    assert refused["path"] == ["input", "actions"]
    assert refused["way"] == [
        {"automation": None, "segment": {"name": "Inside"}, "group": None},
        {"automation": {"name": "First"}, "segment": None, "group": {"name": "H"}},
    ]
    assert bounded["__typename"] == "Automation"


async def test_an_edit_changes_what_it_names(api):
    segment, group = await ready(api)
    created = await create(
        api,
        name="A",
        trigger={"segment": segment},
        holdFor={"days": 3},
        onlyIf=LITHUANIA,
        actions=[{"addToGroup": group}],
    )

    edit = {"id": created["id"], "holdFor": None, "on": ["LEFT"], "causes": ["CLOCK"], "ifRevision": 1}
    edited = (await api.data(UPDATE, input=edit))["updateAutomation"]
    late = (await api.data(UPDATE, input=edit))["updateAutomation"]
    unknown = (await api.data(UPDATE, input={"id": "aut_x"}))["updateAutomation"]

    assert edited == {
        "__typename": "Automation",
        "name": "A",
        "description": None,
        "revision": 2,
        "summary": 'When somebody leaves "Lithuania", if they match a condition: add them to "Welcome".',
        "on": ["LEFT"],
        "holdFor": None,
        "reentry": "EVERY_TIME",
        "causes": ["CLOCK"],
        "onlyIf": LITHUANIA,
        "actions": [{"addToGroup": group}],
    }
    assert late["__typename"] == "AutomationConflict"
    assert late["current"] == {"revision": 2}
    assert unknown["__typename"] == "NotFound"


async def test_runs_come_in_pages_and_by_state(api, actor):
    segment, group = await ready(api)
    created = await create(
        api, name="A", trigger={"segment": segment}, reentry={"rule": "ONCE"}, actions=[{"addToGroup": group}]
    )
    for country in ("LT", "LV", "LT"):
        await api.upsert({"externalId": "ada", "country": country})
        await api.tick()
        await actor.act(api.bucket_id)
        api.clock.advance(timedelta(minutes=1))

    first = (await api.data(RUNS, id=created["id"], first=1))["automation"]["runs"]
    rest = (await api.data(RUNS, id=created["id"], after=first["pageInfo"]["endCursor"]))["automation"][
        "runs"
    ]
    done = (await api.data(RUNS, id=created["id"], state=["DONE"]))["automation"]["runs"]

    assert first["pageInfo"]["hasNextPage"]
    (skipped,) = [edge["node"] for edge in first["edges"]]
    (acted,) = [edge["node"] for edge in rest["edges"]]
    assert (skipped["state"], skipped["reason"]) == ("SKIPPED", "the automation acts once for each person")
    assert done["edges"] == rest["edges"]
    assert acted == {
        "id": acted["id"],
        "state": "DONE",
        "reason": None,
        "kind": "ENTERED",
        "cause": "SUBSCRIBER",
        "startedAt": "2026-03-01T12:00:00Z",
        "dueAt": None,
        "endedAt": "2026-03-01T12:00:00Z",
        "subscriber": {"externalId": "ada"},
        "change": {"kind": "ENTERED"},
        "automation": {"name": "A"},
    }
    node = await api.data(
        "query ($id: ID!) { node(id: $id) { ... on AutomationRun { state } } }", id=acted["id"]
    )
    assert node["node"] == {"state": "DONE"}


async def test_figures_count_the_runs_of_a_stretch_of_time(api, actor):
    segment, group = await ready(api)
    created = await create(
        api, name="A", trigger={"segment": segment}, holdFor={"hours": 1}, actions=[{"addToGroup": group}]
    )
    await api.upsert(*({"externalId": person, "country": "LT"} for person in ("ada", "bob", "cleo")))
    await api.tick()
    await actor.act(api.bucket_id)
    await api.upsert({"externalId": "bob", "country": "LV"})
    api.clock.advance(timedelta(hours=1))
    await api.tick()
    await actor.act(api.bucket_id)

    figures = await api.data(
        """query ($id: ID!) { automation(by: {id: $id}) {
          all: figures(from: "2026-03-01T12:00:00Z") { started waiting done cancelled skipped failed cutOff }
          none: figures(from: "2026-03-01T12:00:01Z", to: "2026-03-02T00:00:00Z") { started }
        } }""",
        id=created["id"],
    )

    assert figures["automation"] == {
        "all": {
            "started": 3,
            "waiting": 0,
            "done": 2,
            "cancelled": 1,
            "skipped": 0,
            "failed": 0,
            "cutOff": 0,
        },
        "none": {"started": 0},
    }


async def test_a_preview_says_whom_it_would_act_for_and_what_it_would_do(api):
    segment, group = await ready(api)
    await api.upsert(
        {"externalId": "ada", "country": "LT"},
        {"externalId": "bob", "country": "LT"},
        {"externalId": "cleo", "country": "LV"},
    )
    await api.tick()
    await api.track({"subscriber": {"externalId": "ada"}, "name": "clicked"})

    given = {
        "name": "",
        "trigger": {"segment": segment},
        "onlyIf": {"event": {"name": "clicked"}},
        "actions": [{"addToGroup": group}, {"trackEvent": {"name": "welcomed"}}],
    }
    preview = (
        await api.data(
            """query ($automation: CreateAutomationInput!) { previewAutomation(automation: $automation) {
              ... on AutomationPreview { summary does existing margin sample { externalId } way { group { name } } }
              ... on UserError { message path } } }""",
            automation=given,
        )
    )["previewAutomation"]

    assert preview == {
        "summary": 'When somebody enters "Lithuania", if they match a condition: add them to "Welcome", track the event welcomed.',
        "does": ['add them to "Welcome"', "track the event welcomed"],
        "existing": 1,
        "margin": 0,
        "sample": [{"externalId": "ada"}],
        "way": [],
    }


async def test_automations_are_listed_paused_resumed_and_deleted(api):
    segment, group = await ready(api)
    made = [
        await create(api, name=name, trigger={"group": group}, actions=[{"trackEvent": {"name": "x"}}])
        for name in ("B", "A")
    ]
    paused = await api.data(
        "mutation ($id: ID!) { pauseAutomation(input: {id: $id}) { ... on Automation { state } } }",
        id=made[0]["id"],
    )
    listed = await api.data(
        """{ all: automations { edges { node { name } } } paused: automations(state: PAUSED) { edges { node { name } } }
        found: automations(search: "a", first: 1, orderBy: CREATED_DESC) { edges { node { name group { name } } } } }"""
    )
    resumed = await api.data(
        "mutation ($id: ID!) { resumeAutomation(input: {id: $id, from: SKIP}) { ... on Automation { state } } }",
        id=made[0]["id"],
    )
    in_use = await api.data(
        """mutation ($id: ID!) { deleteGroup(input: {id: $id}) { __typename ... on InUse { message usedBy { name }
        automations { name } } } }""",
        id=group,
    )
    deleted = await api.data(
        "mutation ($id: ID!) { deleteAutomation(input: {id: $id}) { ... on DeletePayload { deletedId } } }",
        id=made[0]["id"],
    )

    assert paused["pauseAutomation"] == {"state": "PAUSED"}
    assert [edge["node"]["name"] for edge in listed["all"]["edges"]] == ["A", "B"]
    assert [edge["node"]["name"] for edge in listed["paused"]["edges"]] == ["B"]
    assert listed["found"]["edges"] == [{"node": {"name": "A", "group": {"name": "Welcome"}}}]
    assert resumed["resumeAutomation"] == {"state": "ACTIVE"}
    assert in_use["deleteGroup"] == {
        "__typename": "InUse",
        "message": "2 automations use this one",
        "usedBy": [],
        "automations": [{"name": "B"}, {"name": "A"}],
    }
    assert deleted["deleteAutomation"] == {"deletedId": made[0]["id"]}
    assert segment


async def test_another_workspace_sees_and_changes_nothing(api, stranger):
    segment, group = await ready(api)
    created = await create(api, name="A", trigger={"segment": segment}, actions=[{"addToGroup": group}])

    seen = await stranger.data(RUNS, id=created["id"])
    changed = (await stranger.data(UPDATE, input={"id": created["id"], "name": "X"}))["updateAutomation"]
    refused = await create(stranger, name="A", trigger={"segment": segment}, actions=[{"addToGroup": group}])

    assert seen == {"automation": None}
    assert changed["__typename"] == "NotFound"
    assert [issue["path"][1] for issue in refused["issues"]] == ["trigger", "actions"]


async def test_a_live_view_sees_each_run_begin_and_end_from_those_of_the_last_ten_seconds_on(api, actor):
    segment, group = await ready(api)
    created = await create(
        api, name="A", trigger={"segment": segment}, holdFor={"hours": 1}, actions=[{"addToGroup": group}]
    )

    async def enter(name: str) -> None:
        await api.upsert({"externalId": name, "country": "LT"})
        await api.tick()
        await actor.act(api.bucket_id)

    await enter("ada")
    api.clock.advance(timedelta(seconds=11))
    await enter(
        "bob"
    )  # a page may have read the list just before this, and may listen from just after this on
    api.clock.advance(timedelta(seconds=1))
    async with aclosing(api.subscribe(WATCH, ids=[created["id"]])) as runs, asyncio.timeout(PATIENCE_SECONDS):
        seen = [await anext(runs)]
        await enter("cyd")
        seen.append(await anext(runs))
        api.clock.advance(timedelta(hours=1))
        await api.tick()
        await actor.act(api.bucket_id)
        seen += [await anext(runs) for _ in range(3)]

    told = [it["data"]["automationRuns"] for it in seen]
    assert [(it["state"], it["subscriber"]["externalId"]) for it in told[:2]] == [
        ("WAITING", "bob"),
        ("WAITING", "cyd"),
    ]
    assert sorted((it["state"], it["subscriber"]["externalId"]) for it in told[2:]) == [
        ("DONE", "ada"),
        ("DONE", "bob"),
        ("DONE", "cyd"),
    ]


async def test_the_page_s_mutation_works_and_its_states_are_those_of_the_schema(api):
    segment, group = await ready(api)
    (document,) = re.findall(r"```graphql\n(.*?)```", PAGE, re.DOTALL)

    created = (await api.data(document, segment=segment, group=group))["createAutomation"]

    assert created["summary"] == (
        'When somebody enters "Lithuania" and stays 3 days: add them to "Welcome", track the event win_back_started.'
    )
    assert re.findall(r"^\| ([A-Z_]+) \|", PAGE, re.MULTILINE) == [state.value for state in RunState]
