"""Sets of definitions: told by name, planned with exact numbers, and applied together or not at all."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from datetime import timedelta
from random import Random
from typing import Any

import pytest

from audience_gql.audience.access import Access
from audience_gql.audience.acting.actor import Actor
from audience_gql.conditions.base import InvalidCondition
from audience_gql.conditions.codec import dump, parse
from audience_gql.conditions.vocabulary import PLAIN_IDS
from audience_gql.storage import definitions
from audience_gql.storage.orm import models
from audience_gql.storage.postgres.database import Database
from tests.conditions.chance import Chance
from tests.conditions.world import FIELDS, GROUPS, VOCABULARY

TELL = "{ definitions { kind name revision content } }"
PLAN = """
query ($set: DefinitionsInput!) {
  planDefinitions(definitions: $set) {
    __typename
    ... on DefinitionsPlan {
      id unchanged unmanaged { kind name }
      changes {
        kind action name revision parts before after linesAdded linesRemoved usedBy automations
        movement { memberCount margin entering leaving starts { automation on people isAtMost } }
      }
    }
    ... on InvalidInput { issues { code message path } }
  }
}
"""
APPLY = """
mutation ($set: DefinitionsInput!, $plan: String) {
  applyDefinitions(input: {definitions: $set, ifPlan: $plan}) {
    __typename
    ... on ApplyDefinitionsPayload { changes { kind action name } unchanged }
    ... on PlanConflict { message path planId }
    ... on InvalidInput { issues { code message path } }
  }
}
"""
PARTS = {
    "CUSTOM_FIELD": "customFields",
    "GROUP": "groups",
    "SEGMENT": "segments",
    "AUTOMATION": "automations",
}
SEES_WAITS = "sees who waits for a lock in the list of sessions of one server"
WAITING = (
    "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
)
LITHUANIA, SPAIN = {"country": {"is": "LT"}}, {"country": {"is": "ES"}}
ENDPOINT = (
    'mutation { createWebhookEndpoint(input: {name: "CRM", url: "https://example.com/x"}) { __typename } }'
)


async def told(api) -> dict[str, Any]:
    """The workspace's definitions as a set."""
    found: dict[str, Any] = {part: [] for part in PARTS.values()}
    for definition in (await api.data(TELL))["definitions"]:
        found[PARTS[definition["kind"]]].append(definition["content"])
    return found


async def plan(api, given: dict[str, Any]) -> dict[str, Any]:
    planned = (await api.data(PLAN, set=given))["planDefinitions"]
    assert planned["__typename"] == "DefinitionsPlan", planned
    return planned


async def apply(api, given: dict[str, Any], plan_id: str | None = None) -> dict[str, Any]:
    return (await api.data(APPLY, set=given, plan=plan_id))["applyDefinitions"]


async def issues(api, given: dict[str, Any]) -> list[tuple[str, str]]:
    """The path and the message of each problem. The mutation has the same as the plan, and changes nothing."""
    before = await api.data(TELL), await entries(api)
    planned = (await api.data(PLAN, set=given))["planDefinitions"]["issues"]
    applied = (await apply(api, given))["issues"]
    assert [{**issue, "path": ["input", *issue["path"]]} for issue in planned] == applied
    assert (await api.data(TELL), await entries(api)) == before
    return [(".".join(issue["path"][1:]), issue["message"]) for issue in planned]


async def entries(api) -> int:
    """How many entries the audit trail has."""
    return await api.services.ports.database.fetchval(
        "SELECT count(*) FROM trail_entries WHERE workspace_id = $1", api.access.workspace.id
    )


def summary(planned: dict[str, Any]) -> list[tuple[str, str, list[str]]]:
    return [(change["action"], change["name"], change["parts"]) for change in planned["changes"]]


def segment(name: str, condition: dict[str, Any], **more: str) -> dict[str, Any]:
    return {"name": name, "condition": condition, **more}


def in_segment(*names: str) -> dict[str, Any]:
    return {"segment": {"anyOf": [*names]}}


# ---- whole workspaces


@pytest.mark.parametrize("seed", range(3))
async def test_what_a_workspace_tells_makes_another_one_equal(api, stranger, seed):
    await api.data(ENDPOINT)
    await stranger.data(ENDPOINT)
    given = random_set(Chance(seed))
    assert (await apply(api, given))["__typename"] == "ApplyDefinitionsPayload"

    found = await told(api)
    applied = await apply(stranger, found)

    assert await told(stranger) == found
    assert len(applied["changes"]) == sum(map(len, found.values()))
    for workspace in (api, stranger):
        again = await plan(workspace, found)
        assert (again["changes"], again["unmanaged"]) == ([], [])
        assert again["unchanged"] == sum(map(len, found.values()))
        before = await entries(workspace)
        assert (await apply(workspace, found, again["id"]))["changes"] == []
        assert await entries(workspace) == before  # nothing was done, so nothing is on record


def random_set(chance: Chance) -> dict[str, Any]:
    """Definitions with random conditions of all kinds, in random order."""
    names = ["Buyers", "Readers", "Lapsed", *(f"Segment {number}" for number in range(25))]
    conditions = [random_condition(chance, names[: min(index, 3)]) for index in range(len(names))]
    segments = [
        {
            "name": name,
            "condition": condition,
            **({"description": f"What {name} is\nfor."} if index % 2 else {}),
        }
        for index, (name, condition) in enumerate(zip(names, conditions, strict=True))
    ]
    chance.random.shuffle(segments)
    actions: list[dict[str, Any]] = [
        {"addToGroup": "vip"},
        {"removeFromGroup": "Beta testers"},
        {"setField": {"key": "plan", "value": "pro"}},
        {"setField": {"key": "plan", "value": None}},
        {"trackEvent": {"name": "acted", "value": 1.5, "properties": {"a": [1, None]}}},
        {"trackEvent": {"name": "acted"}},
        {"webhook": {"endpoint": "crm", "fields": ["plan", "city"]}},
        {"webhook": {"endpoint": "CRM"}},
    ]
    rules: list[dict[str, Any]] = [
        {"trigger": {"segment": "Segment 1"}, "on": ["LEFT"]},
        {"trigger": {"group": "VIP"}, "on": ["ENTERED", "LEFT"], "holdFor": {"days": 3}},
        {"trigger": {"segment": "Buyers"}, "reentry": {"rule": "ONCE"}, "causes": ["DEFINITION", "FACT"]},
        {"trigger": {"segment": "Readers"}, "reentry": {"onceIn": {"hours": 5}}, "paused": True},
        {"trigger": {"segment": "lapsed"}, "onlyIf": random_condition(chance, names[:3]), "reentry": {"rule": "ONCE"}},
    ]  # fmt: skip
    safe = [{"webhook": {"endpoint": "CRM"}}]
    return {
        "customFields": [
            {"key": ref.key, "label": ref.key.title(), "type": ref.type, "options": ["a", "b"] if ref.key == "plan" else None}
            for ref in FIELDS.values()
        ],
        "groups": [{"name": name} for name in GROUPS.values()],
        "segments": segments,
        "automations": [
            {"name": f"Automation {index}", **rule, "actions": actions if "reentry" in rule else safe}
            for index, rule in enumerate(rules)
        ],
    }  # fmt: skip


class _Names:
    """Spells the ids of the random conditions as names."""

    def __init__(self, segments: list[str]) -> None:
        self._segments = segments

    def encode(self, kind: str, number: int) -> str:
        return GROUPS[number] if kind == "group" else self._segments[number - 41]


def random_condition(chance: Chance, readable: list[str]) -> dict[str, Any]:
    """A condition that may read these segments."""
    while True:
        tree = chance.condition(segment_ids=[41 + index for index in range(len(readable))])
        try:
            parse(dump(tree, ids=PLAIN_IDS), vocabulary=VOCABULARY, ids=PLAIN_IDS)
        except InvalidCondition:  # it is empty somewhere, as only a preview may be
            continue
        return json.loads(json.dumps(tree.dump(_Names(readable))))  # type: ignore[arg-type]  # conditions only encode


# ---- plans


@pytest.mark.parametrize("seed", range(2))
async def test_a_plan_foretells_who_moves_and_what_acts(api, seed):
    chance = Random(seed)
    await people(api, chance)
    actor = Actor(api.services.ports)
    await apply(api, random_shop(chance))
    await settle(api, actor)

    moved = 0
    for _ in range(4):
        api.clock.advance(timedelta(days=chance.randint(0, 4)))
        await settle(api, actor)
        wanted = random_shop(chance)
        planned = await plan(api, wanted)
        changes_before, runs_before = await logged(api), await runs(api)
        await apply(api, wanted, planned["id"])
        await settle(api, actor)
        changes, begun = await logged(api) - changes_before, await runs(api) - runs_before
        foretold: Counter[tuple[str, str]] = Counter()
        starts: Counter[str] = Counter()
        for change in planned["changes"]:
            if movement := change["movement"]:
                assert movement["margin"] == 0
                assert movement["memberCount"] == await members(api, change["name"])
                foretold[change["name"], "ENTERED"] = movement["entering"]
                foretold[change["name"], "LEFT"] = movement["leaving"]
                for start in movement["starts"]:
                    starts[start["automation"]] += start["people"]
        assert +foretold == changes
        assert +starts == begun
        moved += changes.total()
    assert moved > 60


async def people(api, chance: Random) -> None:
    await api.upsert(
        *(
            {
                "externalId": f"p{number}",
                "country": chance.choice(["LT", "ES", "PL"]),
                "city": chance.choice(["A", "B", None]),
            }
            for number in range(60)
        )
    )
    await api.track(
        *(
            {
                "subscriber": {"externalId": f"p{chance.randrange(60)}"},
                "name": "order_placed",
                "occurredAt": (api.clock.instant - timedelta(days=chance.randrange(60))).isoformat(),
            }
            for _ in range(120)
        )
    )
    await api.tick()


def random_shop(chance: Random) -> dict[str, Any]:
    """Segments that read each other, and automations that edits start."""
    orders = {
        "event": {
            "name": "order_placed",
            "times": {"atLeast": chance.randint(1, 3)},
            "within": {"last": {"days": chance.choice([10, 30])}},
        }
    }
    country = {"country": {"in": chance.sample(["LT", "ES", "PL"], 2)}}
    readers = [in_segment("Customers"), in_segment("At home")]
    return {
        "segments": [
            segment("Newly home", {"segment": {"anyOf": ["At home"], "entered": {"inLast": {"days": chance.randint(1, 5)}}}}),
            segment("Both", {chance.choice(["all", "any"]): readers}),
            segment("Outside", {"not": in_segment("Both")}),
            segment("Customers", orders),
            segment("At home", country),
        ],
        "automations": [
            {
                "name": "In",
                "trigger": {"segment": "Both"},
                "causes": ["DEFINITION"],
                "onlyIf": {"city": {"is": chance.choice(["A", "B"])}},
                "actions": [{"trackEvent": {"name": "in"}}],
            },
            {
                "name": "Out",
                "trigger": {"segment": "Outside"},
                "on": ["LEFT", "ENTERED"],
                "causes": ["DEFINITION"],
                "onlyIf": in_segment("At home"),
                "actions": [{"trackEvent": {"name": "out"}}],
            },
            {
                "name": "Usual",
                "trigger": {"segment": "Customers"},
                "actions": [{"trackEvent": {"name": "usual"}}],
            },
        ],
    }  # fmt: skip


async def settle(api, actor: Actor) -> None:
    await api.fill()
    await api.tick()
    await actor.act(api.bucket_id)


async def logged(api) -> Counter[tuple[str, str]]:
    """How many people have entered and left each segment."""
    rows = await api.services.ports.database.fetch(
        "SELECT s.name, c.entered, count(*) FROM membership_changes c JOIN segments s ON s.id = c.list_id "
        "WHERE c.bucket_id = $1 GROUP BY 1, 2",
        api.bucket_id,
    )
    return Counter({(row["name"], "ENTERED" if row["entered"] else "LEFT"): row["count"] for row in rows})


async def runs(api) -> Counter[str]:
    """How often each automation has acted."""
    rows = await api.services.ports.database.fetch(
        "SELECT a.name, count(*) FROM runs r JOIN automations a ON a.id = r.automation_id "
        "WHERE r.bucket_id = $1 AND r.state = 'DONE' GROUP BY 1",
        api.bucket_id,
    )
    return Counter({row["name"]: row["count"] for row in rows})


async def members(api, name: str) -> int:
    found = await api.data("query ($name: String!) { segment(by: {name: $name}) { memberCount } }", name=name)
    return found["segment"]["memberCount"]


async def test_a_plan_says_in_words_what_changes_and_what_depends_on_it(api):
    await api.upsert(*({"externalId": f"p{number}", "country": "LT"} for number in range(3)))
    await apply(
        api,
        {
            "groups": [{"name": "Team"}],
            "segments": [
                segment("Here", LITHUANIA),
                segment("Team here", {"all": [in_segment("Here"), {"group": {"anyOf": ["Team"]}}]}),
            ],
            "automations": [
                {"name": "Hi", "trigger": {"segment": "Here"}, "actions": [{"addToGroup": "Team"}]}
            ],
        },
    )
    await api.fill()

    planned = await plan(api, {"segments": [segment("Here", SPAIN, description="Us")]})

    assert summary(planned) == [("UPDATE", "Here", ["description", "condition"]), ("FOLLOW", "Team here", [])]
    (here, follower) = planned["changes"]
    assert (here["revision"], here["linesRemoved"], here["linesAdded"]) == (
        1,
        ['people whose country is "LT"'],
        ['people whose country is "ES"'],
    )
    assert here["before"] == {"name": "Here", "condition": LITHUANIA}
    assert here["after"] == {"name": "Here", "description": "Us", "condition": SPAIN}
    assert (here["usedBy"], here["automations"]) == (["Team here"], ["Hi"])
    assert here["movement"] == {"memberCount": 0, "margin": 0, "entering": 0, "leaving": 3, "starts": []}
    assert follower["movement"]["leaving"] == 0
    assert planned["unmanaged"] == [
        {"kind": "GROUP", "name": "Team"},
        {"kind": "SEGMENT", "name": "Team here"},
        {"kind": "AUTOMATION", "name": "Hi"},
    ]
    assert await members(api, "Here") == 3  # nothing has happened


async def test_a_plan_holds_until_the_definitions_change(api):
    await apply(api, {"segments": [segment("Here", LITHUANIA)]})
    wanted = {"segments": [segment("Here", SPAIN), segment("There", LITHUANIA)]}
    planned = await plan(api, wanted)
    assert (await plan(api, wanted))["id"] == planned["id"]

    edited = {"segments": [segment("Here", {"country": {"is": "PL"}})]}
    await apply(api, edited)  # somebody else
    refused = await apply(api, wanted, planned["id"])

    assert refused["__typename"] == "PlanConflict"
    assert refused["path"] == ["input", "ifPlan"]
    assert await told(api) == {"customFields": [], "groups": [], "automations": [], **edited}
    now = await plan(api, wanted)
    assert refused["planId"] == now["id"] != planned["id"]
    assert (await apply(api, wanted, now["id"]))["__typename"] == "ApplyDefinitionsPayload"


async def test_a_plan_does_not_wait_for_the_lock_on_definitions(api):
    await apply(api, {"segments": [segment("Here", LITHUANIA)]})
    wanted = {"segments": [segment("Here", SPAIN), segment("There", LITHUANIA)]}

    async with api.services.ports.database.transaction() as writer:
        await definitions.lock_workspace(writer.connection, api.access.workspace.id)
        planned = await plan(api, wanted)

    assert summary(planned) == [("UPDATE", "Here", ["condition"]), ("CREATE", "There", ["name", "condition"])]
    assert (await apply(api, wanted, planned["id"]))["__typename"] == "ApplyDefinitionsPayload"


@pytest.mark.one_server(SEES_WAITS)
async def test_writers_of_other_definitions_do_not_wait_for_a_plan(api):
    database, workspace_id = api.services.ports.database, api.access.workspace.id
    await apply(api, {"segments": [segment("Here", LITHUANIA)]})

    async with database.transaction() as holder:
        await holder.connection.execute(
            "SELECT 1 FROM segments WHERE workspace_id = $1 FOR UPDATE", workspace_id
        )
        planning = asyncio.create_task(plan(api, {"segments": [segment("Here", SPAIN)]}))
        await until_one_waits(database)
        group = await api.group("Made meanwhile")

    assert group
    assert summary(await planning) == [("UPDATE", "Here", ["condition"])]


@pytest.mark.one_server(SEES_WAITS)
async def test_a_plan_that_meets_an_edit_of_what_it_changes_counts_with_the_edit(api):
    database, workspace_id = api.services.ports.database, api.access.workspace.id
    await apply(api, {"segments": [segment("Here", LITHUANIA)]})
    wanted = {"segments": [segment("Here", SPAIN)]}
    first = await plan(api, wanted)

    async with database.transaction() as editor:
        await editor.connection.execute(
            "UPDATE segments SET revision = revision + 1 WHERE workspace_id = $1", workspace_id
        )
        planning = asyncio.create_task(plan(api, wanted))
        await until_one_waits(database)
    planned = await planning

    assert planned["changes"][0]["revision"] == first["changes"][0]["revision"] + 1
    assert planned["id"] == (await plan(api, wanted))["id"] != first["id"]
    assert (await apply(api, wanted, first["id"]))["__typename"] == "PlanConflict"


async def until_one_waits(database: Database) -> None:
    """Wait until a connection of this database waits for a lock."""
    async with asyncio.timeout(30):
        while True:
            if await database.fetchval(WAITING):
                return
            await asyncio.sleep(0.01)


async def test_a_plan_is_applied_once_however_many_apply_it(api):
    wanted = {
        "groups": [{"name": "Team"}],
        "segments": [segment("Here", LITHUANIA), segment("Reader", in_segment("Here"))],
        "automations": [{"name": "Hi", "trigger": {"segment": "Here"}, "actions": [{"addToGroup": "Team"}]}],
    }
    planned, before = await plan(api, wanted), await entries(api)

    results = await asyncio.gather(*(apply(api, wanted, planned["id"]) for _ in range(4)))

    assert sorted(result["__typename"] for result in results) == [
        "ApplyDefinitionsPayload",
        *["PlanConflict"] * 3,
    ]
    assert await entries(api) - before == 4


# ---- applying


async def test_all_problems_are_told_at_once_and_nothing_changes(api):
    await apply(
        api,
        {
            "customFields": [{"key": "plan", "label": "Plan", "type": "TEXT"}],
            "groups": [{"name": "Team"}],
            "segments": [segment("Here", LITHUANIA), segment("Reader", in_segment("Here"))],
        },
    )
    action = [{"addToGroup": "Team"}]

    found = await issues(
        api,
        {
            "customFields": [
                {"key": "plan", "label": "Plan", "type": "NUMBER"},
                {"key": "Bad key", "label": "", "type": "TEXT"},
            ],
            "groups": [{"name": "New"}, {"name": "x" * 201}, {"name": "NEW"}],
            "segments": [
                segment("Fine", SPAIN),
                segment("Wrong", {"all": [in_segment("Her"), {"country": {"is": "Nowhere"}}]}),
                segment("Reads wrong", in_segment("Wrong")),  # its problem would be the same
                segment("One", in_segment("Two")),
                segment("Two", in_segment("One")),
                segment("Here", {"not": in_segment("Reader")}),
            ],
            "automations": [
                {"name": "A", "trigger": {"group": "Tea"}, "actions": [{"webhook": {"endpoint": "CRM"}}]},
                {"name": "Loop", "trigger": {"group": "Team"}, "on": ["LEFT"], "actions": [*action, {"removeFromGroup": "Team"}]},
                {"name": "Of wrong", "trigger": {"segment": "Wrong"}, "actions": action},
            ],
        },
    )  # fmt: skip

    assert sorted(found) == [
        ("automations.0.actions.0.webhook.endpoint", "there is no webhook endpoint called 'CRM'"),
        ("automations.0.trigger.group", "there is no group called 'Tea'; did you mean Team?"),
        (
            "automations.1.actions",
            'the automation would start itself again and again; let `reentry` bound it, or change an action: "Loop" → "Loop"',
        ),
        ("customFields.0.type", "the type of a custom field never changes; this one is TEXT"),
        ("customFields.1.key", "expected a lower-case letter, then up to 62 lower-case letters, digits and underscores"),
        ("customFields.1.label", "a label is required"),
        ("groups.1.name", "can have at most 200 characters, not 201"),
        ("groups.2", "'NEW' is given twice"),
        ("segments.1.condition.all.0.segment.anyOf.0", "there is no segment called 'Her'; did you mean Here?"),
        ("segments.1.condition.all.1.country.is", "expected two letters of ISO 3166-1, such as LT, not 'Nowhere'"),
        ("segments.3.condition", 'a segment cannot contain itself: "One" → "Two" → "One"'),
        ("segments.5.condition", 'a segment cannot contain itself: "Reader" → "Here" → "Reader"'),
    ]  # fmt: skip


async def test_automations_of_one_set_that_would_start_each_other_are_refused(api):
    there, back = (
        {"name": name, "trigger": {"group": start}, "on": ["ENTERED"], "actions": [{"addToGroup": end}]}
        for name, start, end in (("There", "North", "South"), ("Back", "South", "North"))
    )
    groups = [{"name": "North"}, {"name": "South"}]

    ((path, message),) = await issues(api, {"groups": groups, "automations": [there, back]})
    assert path == "automations.1.actions"
    assert message.endswith('"Back" → "There" → "Back"')

    # Changing the first one in the same set breaks the circle.
    await apply(api, {"groups": groups, "automations": [there]})
    once = {**there, "reentry": {"rule": "ONCE"}}
    assert (await apply(api, {"groups": groups, "automations": [once, back]}))[
        "__typename"
    ] == "ApplyDefinitionsPayload"


async def test_what_is_absent_is_deleted_only_with_prune(api):
    await api.data(ENDPOINT)
    whole = random_set(Chance(9))
    await apply(api, whole)
    vip = (await api.data('{ group(by: {name: "VIP"}) { id } }'))["group"]["id"]
    await api.upsert({"externalId": "a", "addToGroupIds": [vip]})
    kept = {"segments": [segment("Segment 0", LITHUANIA)]}

    assert len((await plan(api, kept))["unmanaged"]) == sum(map(len, whole.values())) - 1
    await apply(api, kept)
    planned = await plan(api, {**kept, "prune": True})
    applied = await apply(api, {**kept, "prune": True}, planned["id"])

    leaving = {
        change["name"]: change["movement"]["leaving"]
        for change in planned["changes"]
        if change["kind"] == "GROUP"
    }
    assert leaving == {"VIP": 1, "Beta testers": 0}
    assert {change["action"] for change in applied["changes"]} == {"DELETE"}
    assert await told(api) == {"customFields": [], "groups": [], "automations": [], **kept}


async def test_a_definition_is_renamed_and_keeps_its_members_and_readers(api):
    await api.upsert({"externalId": "a", "country": "LT"})
    await apply(
        api,
        {
            "groups": [{"name": "Team"}],
            "segments": [segment("Here", LITHUANIA), segment("Reader", in_segment("Here"))],
        },
    )
    await api.fill()

    renamed = {
        "groups": [{"name": "Crew", "renamedFrom": "team"}],
        "segments": [
            segment("Also", {"all": [in_segment("Home"), {"group": {"anyOf": ["Crew"]}}]}),
            segment("Home", LITHUANIA, renamedFrom="Here"),
        ],
    }
    planned = await plan(api, renamed)
    await apply(api, renamed, planned["id"])

    assert [(change["action"], change["name"]) for change in planned["changes"]] == [
        ("UPDATE", "Crew"),
        ("UPDATE", "Home"),
        ("CREATE", "Also"),
    ]
    assert await members(api, "Home") == 1
    assert (await told(api))["segments"][2] == segment("Reader", in_segment("Home"))
    assert (await plan(api, renamed))["changes"] == []  # what is renamed already is left alone


async def test_a_field_is_edited_and_an_automation_paused_and_resumed(api):
    field = {"key": "plan", "label": "Plan", "type": "TEXT"}
    rule = {"name": "Hi", "trigger": {"segment": "Here"}, "actions": [{"setField": {"key": "plan", "value": "x"}}]}  # fmt: skip
    given = {"customFields": [field], "segments": [segment("Here", LITHUANIA)], "automations": [rule]}
    await apply(api, given)

    given["customFields"] = [{**field, "label": "Tariff", "options": ["a"]}]
    given["automations"] = [{**rule, "paused": True}]
    paused = await plan(api, given)
    await apply(api, given)
    given["automations"] = [rule]  # says nothing about it
    silent = await plan(api, given)
    given["automations"] = [{**rule, "paused": False}]
    resumed = await plan(api, given)
    await apply(api, given)

    assert summary(paused) == [("UPDATE", "plan", ["label", "options"]), ("UPDATE", "Hi", ["paused"])]
    assert silent["changes"] == []
    assert summary(resumed) == [("UPDATE", "Hi", ["paused"])]
    assert (await told(api))["customFields"] == given["customFields"]


@pytest.mark.parametrize(("document", "scope"), [(PLAN, "WRITE"), (TELL, "WRITE"), (APPLY, "READ")])
async def test_reading_and_planning_need_read_and_applying_needs_write(api, document, scope):
    api.access = Access(workspace=api.access.workspace, token=models.ApiToken(scopes=[scope]))

    (error,) = await api.errors(document, **({} if document == TELL else {"set": {}}))

    assert error["extensions"]["code"] == "FORBIDDEN"


async def test_a_set_moves_nobody_in_a_paused_segment(api):
    await api.upsert({"externalId": "a", "country": "LT"})
    id_ = await api.segment("Here", LITHUANIA)
    await api.data("mutation ($id: ID!) { pauseSegment(input: {id: $id}) { __typename } }", id=id_)

    planned = await plan(api, {"segments": [segment("Here", SPAIN)]})

    assert planned["changes"][0]["movement"] is None
