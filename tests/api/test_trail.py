"""The audit trail: each mutation that changes a definition leaves an entry, in its own transaction, and only its workspace sees it."""

from __future__ import annotations

import ast
import asyncio
import hashlib
import json
import re
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any, get_args
from unittest.mock import patch

import audience_gql
from audience_gql.api.context import Context
from audience_gql.audience.definitions.groups import create_group
from audience_gql.audience.trail import entries
from audience_gql.audience.trail.actors import COMMAND_LINE
from audience_gql.audience.workspaces import change_timezone
from audience_gql.storage import trail

TRAIL = """
query ($first: Int, $after: String, $actor: AuditActorKey, $kinds: [AuditKind!], $object: ID, $since: DateTime, $until: DateTime) {
  auditTrail(first: $first, after: $after, actor: $actor, kinds: $kinds, object: $object, since: $since, until: $until) {
    pageInfo { hasNextPage endCursor }
    edges { node { at kind actor { kind name tokenId } objectId objectName before after } }
  }
}
"""
HISTORY = """
query ($id: ID!, $first: Int, $after: String) {
  segment(by: {id: $id}) { history(first: $first, after: $after) {
    pageInfo { hasNextPage endCursor }
    edges { node { revision madeBy name description isPaused condition conditionBefore linesAdded linesRemoved } }
  } }
}
"""
EDIT = """
mutation ($input: UpdateSegmentInput!) {
  updateSegment(input: $input) { __typename ... on Segment { revision } ... on UserError { message } ... on InvalidInput { issues { path } } }
}
"""
SEGMENT = 'createSegment(input: {name: "Here", condition: {country: {is: "LT"}}}) { ... on Segment { id } }'
ENDPOINT = (
    'createWebhookEndpoint(input: {name: "CRM", url: "https://example.com/x"}) '
    "{ ... on CreateWebhookEndpointPayload { secret endpoint { id } } }"
)
AUTOMATION = """createAutomation(input: {name: "Welcome", trigger: {segment: "$segment"}, onlyIf: {group: {anyOf: ["$group"]}},
  actions: [{addToGroup: "$group"}, {webhook: {endpoint: "$endpoint"}}]}) { ... on Automation { id } ... on InvalidInput { issues { message } } }"""
IMPORT = """startImport(input: {columns: [{header: "canary-header", to: {profile: EMAIL}}, {header: "g", to: {groupId: "$group"}}]})
  { ... on StartImportPayload { uploadUrl import { id } } ... on InvalidInput { issues { message } } }"""
EXPORT = 'exportList(input: {list: {groupId: "$group"}, format: CSV}) { ... on ExportListPayload { downloadUrl export { id } } }'
TOKEN = 'createApiToken(input: {name: "CRM", scopes: [READ]}) { ... on CreateApiTokenPayload { secret token { id } } }'

OWN_HASH = hashlib.sha256(b"query Own { viewer { token { name } } }").hexdigest()

STEPS: list[tuple[str, str, list[str]]] = [
    ("group", 'createGroup(input: {name: "Team"}) { ... on Group { id } }', ["GROUP_CREATED"]),
    ("", 'updateGroup(input: {id: "$group", description: "Us"}) { __typename }', ["GROUP_EDITED"]),
    ("segment", SEGMENT, ["SEGMENT_CREATED"]),
    ("", 'updateSegment(input: {id: "$segment", name: "There"}) { __typename }', ["SEGMENT_EDITED"]),
    ("", 'pauseSegment(input: {id: "$segment"}) { __typename }', ["SEGMENT_PAUSED"]),
    ("", 'pauseSegment(input: {id: "$segment"}) { __typename }', []),
    ("", 'resumeSegment(input: {id: "$segment"}) { __typename }', ["SEGMENT_RESUMED"]),
    ("", 'resumeSegment(input: {id: "$segment"}) { __typename }', []),
    (
        "",
        'splitSegment(input: {segmentId: "$segment", shares: [{name: "A"}, {name: "B"}]}) { __typename }',
        ["SEGMENT_CREATED", "SEGMENT_CREATED"],
    ),
    (
        "field",
        'defineCustomField(input: {key: "plan", label: "Plan", type: TEXT}) { ... on CustomField { id } }',
        ["CUSTOM_FIELD_DEFINED"],
    ),
    ("", 'updateCustomField(input: {id: "$field", label: "Tariff"}) { __typename }', ["CUSTOM_FIELD_EDITED"]),
    ("", 'applyDefinitions(input: {definitions: {groups: [{name: "Set"}]}}) { __typename }', ["GROUP_CREATED"]),
    ("endpoint", ENDPOINT, ["WEBHOOK_ENDPOINT_CREATED"]),
    ("", 'updateWebhookEndpoint(input: {id: "$endpoint", name: "ERP"}) { __typename }', ["WEBHOOK_ENDPOINT_EDITED"]),
    ("", 'rotateWebhookSecret(input: {id: "$endpoint"}) { ... on RotateWebhookSecretPayload { secret } }', ["WEBHOOK_SECRET_ROTATED"]),
    ("", 'disableWebhookEndpoint(input: {id: "$endpoint"}) { __typename }', ["WEBHOOK_ENDPOINT_DISABLED"]),
    ("", 'disableWebhookEndpoint(input: {id: "$endpoint"}) { __typename }', []),
    ("", 'enableWebhookEndpoint(input: {id: "$endpoint", waiting: SEND}) { __typename }', ["WEBHOOK_ENDPOINT_ENABLED"]),
    ("automation", AUTOMATION, ["AUTOMATION_CREATED"]),
    ("", 'updateAutomation(input: {id: "$automation", name: "Hello"}) { __typename }', ["AUTOMATION_EDITED"]),
    ("", 'pauseAutomation(input: {id: "$automation"}) { __typename }', ["AUTOMATION_PAUSED"]),
    ("", 'pauseAutomation(input: {id: "$automation"}) { __typename }', []),
    ("", 'resumeAutomation(input: {id: "$automation", from: SKIP}) { __typename }', ["AUTOMATION_RESUMED"]),
    ("import", IMPORT, ["IMPORT_STARTED"]),
    ("", 'cancelImport(input: {id: "$import"}) { __typename }', ["IMPORT_CANCELLED"]),
    ("", 'cancelImport(input: {id: "$import"}) { __typename }', []),
    ("", 'undoImport(input: {id: "$import"}) { __typename }', ["IMPORT_UNDONE"]),
    ("", 'undoImport(input: {id: "$import"}) { __typename }', []),
    ("export", EXPORT, ["EXPORT_STARTED"]),
    ("token", TOKEN, ["API_TOKEN_CREATED"]),
    ("", 'revokeApiToken(input: {id: "$token"}) { __typename }', ["API_TOKEN_REVOKED"]),
    ("document", 'publishDocuments(input: {documents: ["query Own { viewer { token { name } } }"]}) { ... on PublishDocumentsPayload { documents { id } } }', ["TRUSTED_DOCUMENT_PUBLISHED"]),
    ("", 'publishDocuments(input: {documents: ["query Own { viewer { token { name } } }"]}) { __typename }', []),
    ("", 'withdrawDocuments(input: {documentIds: ["' + OWN_HASH + '"]}) { __typename }', ["TRUSTED_DOCUMENT_WITHDRAWN"]),
    ("", 'exportSubscriber(input: {subscriber: {externalId: "canary-person"}}) { __typename }', ["SUBSCRIBER_EXPORTED"]),
    ("", 'eraseSubscriber(input: {subscriber: {externalId: "canary-person"}}) { __typename }', ["SUBSCRIBER_ERASED"]),
    ("", 'deleteAutomation(input: {id: "$automation"}) { __typename }', ["AUTOMATION_DELETED"]),
    ("", 'deleteWebhookEndpoint(input: {id: "$endpoint"}) { __typename }', ["WEBHOOK_ENDPOINT_DELETED"]),
    ("", 'deleteCustomField(input: {id: "$field"}) { __typename }', ["CUSTOM_FIELD_DELETED"]),
    ("", 'deleteGroup(input: {id: "$group"}) { __typename }', ["GROUP_DELETED"]),
    ("", 'deleteSegment(input: {id: "$segment"}) { __typename }', []),  # its shares read it: InUse
    ("lone", SEGMENT, ["SEGMENT_CREATED"]),
    ("", 'deleteSegment(input: {id: "$lone"}) { __typename }', ["SEGMENT_DELETED"]),
]  # fmt: skip
"""A name for the id of what is made, the mutation, and the entries that it leaves."""

WITHOUT_ENTRY = {
    "upsertSubscribers": "facts about people are no definitions; the log has what follows from them",
    "trackEvents": "the same",
    "setChannelStatus": "the same",
    "addToGroup": "the log has who joined",
    "removeFromGroup": "the log has who left",
    "recomputeSegment": "it finds the same members again",
    "markReviewed": "the segment itself has when it was reviewed",
    "testWebhookEndpoint": "it changes nothing",
    "replayWebhookDelivery": "the delivery has its attempts",
    "replayWebhookDeliveries": "the same",
    "expireExport": "the start is on record, and every export expires by itself",
}


async def run_everything(api) -> tuple[dict[str, list[list[str]]], dict[str, str], str]:
    """Run each step. Returns the entries of each mutation's calls, the ids by name, and everything that the API answered."""
    made: dict[str, list[list[str]]] = {}
    names: dict[str, str] = {}
    answers = []
    await api.upsert({"externalId": "canary-person", "email": "canary@example.com", "city": "canary-city"})
    for name, mutation, _ in STEPS:
        for known, id_ in names.items():
            mutation = mutation.replace(f'"${known}"', f'"{id_}"')  # noqa: PLW2901  # the same with ids
        before = await count(api)
        answer = await api.data(f"mutation {{ {mutation} }}")
        await api.fill()
        answers.append(json.dumps(answer))
        found = await api.data(TRAIL, first=max(1, await count(api) - before))
        kinds = [edge["node"]["kind"] for edge in found["auditTrail"]["edges"]][: await count(api) - before]
        made.setdefault(re.split(r"\W", mutation)[0], []).append(kinds)
        if name:
            (id_,) = re.findall(r'"id": "(\w+_[\w-]+)"', answers[-1])
            names[name] = id_
    return made, names, "\n".join(answers)


async def count(api) -> int:
    return await api.services.ports.database.fetchval(
        "SELECT count(*) FROM trail_entries WHERE workspace_id = $1", api.access.workspace.id
    )


async def listed(api, **filters: Any) -> list[dict[str, Any]]:
    found = (await api.data(TRAIL, first=100, **filters))["auditTrail"]
    return [edge["node"] for edge in found["edges"]]


async def test_each_mutation_leaves_its_entries_or_has_a_reason_not_to(api, stranger):
    before = await listed(stranger)

    made, _, answers = await run_everything(api)

    expected: dict[str, list[list[str]]] = {}
    for _, mutation, kinds in STEPS:
        expected.setdefault(re.split(r"\W", mutation)[0], []).append(kinds)
    assert made == expected
    declared = set(api.schema._declared._schema.mutation_type.fields)
    assert made.keys() | WITHOUT_ENTRY.keys() == declared
    assert not made.keys() & WITHOUT_ENTRY.keys()
    written = {kind for calls in made.values() for kinds in calls for kind in kinds}
    assert set(get_args(entries.EntryKind)) - written == {
        "WORKSPACE_CREATED",
        "WORKSPACE_EDITED",
        "API_TOKEN_ROTATED",
    }

    rows = await api.services.ports.database.fetch(
        "SELECT t.*::text AS row FROM trail_entries t WHERE t.workspace_id = $1".replace(
            "t.*::text", "t::text"
        ),
        api.access.workspace.id,
    )
    text = "\n".join(row["row"] for row in rows)
    secrets = set(re.findall(r"whsec_[\w+/=]+|agq_\w+", answers)) | set(
        re.findall(r"s/[\w-]+/([\w-]{40,})", answers)
    )
    assert len(secrets) == 5  # two of the endpoint, a token, the addresses of the import and the export
    assert [secret for secret in secrets if secret in text or secret[-20:] in text] == []
    assert "canary" not in text
    assert await listed(stranger) == before  # another workspace sees nothing


async def test_an_entry_tells_who_when_what_before_and_after(api):
    made, names, _ = await run_everything(api)
    assert made
    token = api.access.token

    (edited,) = await listed(api, kinds=["GROUP_EDITED"])
    (created,) = await listed(api, kinds=["AUTOMATION_CREATED"])
    (erased,) = await listed(api, kinds=["SUBSCRIBER_ERASED"])
    (started,) = await listed(api, kinds=["IMPORT_STARTED"])
    (asked,) = await listed(api, kinds=["EXPORT_STARTED"])

    assert edited == {
        "at": "2026-03-01T12:00:00Z",
        "kind": "GROUP_EDITED",
        "actor": {"kind": "TOKEN", "name": "test", "tokenId": id_of(token)},
        "objectId": names["group"],
        "objectName": "Team",
        "before": {"name": "Team", "description": None},
        "after": {"name": "Team", "description": "Us"},
    }
    assert created["after"] == {
        "name": "Welcome", "description": None, "trigger": {"segment": names["segment"]}, "on": ["ENTERED"],
        "holdFor": None, "reentry": "EVERY_TIME", "causes": ["CLOCK", "FACT"],
        "onlyIf": {"group": {"anyOf": [names["group"]]}},
        "actions": [{"addToGroup": names["group"]}, {"webhook": {"endpoint": names["endpoint"], "fields": []}}],
        "revision": 1, "state": "ACTIVE",
    }  # fmt: skip
    assert (erased["objectName"], erased["before"], erased["after"]) == (None, None, None)
    assert erased["objectId"].startswith("sub_")
    assert started["after"] == {"dryRun": False, "columns": ["email"], "addToGroupIds": [names["group"]]}
    assert asked["after"] == {
        "list": {"groupId": names["group"]}, "format": "CSV", "fields": ["id", "externalId", "email", "enteredAt"],
    }  # fmt: skip


def id_of(token) -> str:
    from audience_gql.api import ids  # noqa: PLC0415

    return ids.id_of(token)


async def test_a_transaction_that_fails_leaves_no_entry(api):
    group = await api.group("Team")
    before = await listed(api)
    write = trail.add

    async def failing(*arguments: Any) -> None:
        await write(*arguments)
        raise RuntimeError("after the entry was written")

    with patch.object(trail, "add", failing):
        errors = await api.errors('mutation { createGroup(input: {name: "Other"}) { __typename } }')
    refused = await api.data(
        'mutation ($id: ID!) { updateGroup(input: {id: $id, name: " "}) { __typename } }', id=group
    )
    taken = await api.data('mutation { createGroup(input: {name: "TEAM"}) { __typename } }')

    assert errors[0]["extensions"]["code"] == "INTERNAL"
    assert (refused["updateGroup"], taken["createGroup"]) == (
        {"__typename": "InvalidInput"},
        {"__typename": "NameTaken"},
    )
    assert await listed(api) == before
    assert (await api.data("{ groups { edges { node { name } } } }"))["groups"]["edges"] == [
        {"node": {"name": "Team"}}
    ]


async def test_the_filters_narrow_the_trail(api, stranger):
    group = await api.group("A")
    api.clock.advance(timedelta(hours=1))
    other = replace(api.access, token=(await second_token(api)))
    context = Context(api.services, other)
    await create_group(ports=context.ports, workspace=api.access.workspace, name="B")
    api.clock.advance(timedelta(hours=1))
    operator = replace(api.services.ports, actor=COMMAND_LINE)
    await change_timezone(ports=operator, workspace=api.access.workspace, timezone="Europe/Vilnius")

    async def names(**filters: Any) -> list[str | None]:
        return [entry["objectName"] for entry in await listed(api, **filters)]

    name = api.access.workspace.name
    assert await names() == [name, "B", "second", "A", "test", name]
    assert await names(actor={"tokenId": id_of(other.token)}) == ["B"]
    assert await names(actor={"kind": "COMMAND_LINE"}) == [name]
    assert await names(actor={"kind": "TOKEN"}) == ["B", "A"]
    assert await names(kinds=["GROUP_CREATED", "API_TOKEN_CREATED"]) == ["B", "second", "A", "test"]
    assert await names(kinds=[]) == await names(kinds=None)
    assert await names(object=group) == ["A"]
    assert await names(since="2026-03-01T13:00:00Z") == [name, "B", "second"]
    assert await names(since="2026-03-01T13:00:00Z", until="2026-03-01T14:00:00Z") == ["B", "second"]
    (zone, *_) = await listed(api)
    assert zone["actor"] == {"kind": "COMMAND_LINE", "name": "audience-gql", "tokenId": None}
    assert (zone["before"]["timezone"], zone["after"]["timezone"]) == ("UTC", "Europe/Vilnius")
    assert await listed(stranger, object=group) == []
    for wrong in ({"object": "x"}, {"actor": {"tokenId": group}}):
        (error,) = await api.errors(TRAIL, **wrong)
        assert (error["extensions"]["code"], error["extensions"]["argument"]) == ("BAD_USER_INPUT", *wrong)


async def second_token(api):
    from audience_gql.audience.access import create_token  # noqa: PLC0415

    token, _ = await create_token(
        ports=api.services.ports, workspace=api.access.workspace, name="second", scopes=["WRITE"]
    )
    return token


async def test_the_trail_needs_admin_and_a_history_needs_read(api):
    segment = await api.segment("Here", {"country": {"is": "LT"}})
    api.access.token.scopes = ["READ"]

    (error,) = await api.errors(TRAIL)
    found = await api.data(HISTORY, id=segment)

    assert error["extensions"]["code"] == "FORBIDDEN"
    assert len(found["segment"]["history"]["edges"]) == 1


async def test_an_entry_and_a_revision_are_found_by_their_ids(api, stranger):
    segment = await api.segment("Here", {"country": {"is": "LT"}})
    ids_ = (
        await api.data(
            "query ($id: ID!) { auditTrail(first: 1) { edges { node { id } } } "
            "segment(by: {id: $id}) { history { edges { node { id } } } } }",
            id=segment,
        )
    ).values()
    (entry,), (revision,) = (
        [edge["node"]["id"] for edge in (it.get("history") or it)["edges"]] for it in ids_
    )
    document = """query ($ids: [ID!]!) { nodes(ids: $ids) {
      __typename id ... on AuditEntry { kind } ... on SegmentRevision { revision } } }"""
    found = [
        {"__typename": "AuditEntry", "id": entry, "kind": "SEGMENT_CREATED"},
        {"__typename": "SegmentRevision", "id": revision, "revision": 1},
    ]

    assert (await api.data(document, ids=[entry, revision]))["nodes"] == found
    assert (await stranger.data(document, ids=[entry, revision]))["nodes"] == [None, None]
    api.access.token.scopes = ["READ"]
    assert (await api.data(document, ids=[entry, revision]))["nodes"] == [None, found[1]]


async def test_pages_neither_repeat_nor_skip_an_entry_while_others_write(api):
    for number in range(30):
        await api.group(f"g{number}")
    known = [entry["objectName"] for entry in await listed(api)]
    done = asyncio.Event()

    async def write() -> None:
        for number in range(30):
            await api.group(f"late {number}")
        done.set()

    writing = asyncio.create_task(write())
    seen: list[str] = []
    after = None
    while True:
        page = (await api.data(TRAIL, first=4, after=after))["auditTrail"]
        seen += [edge["node"]["objectName"] for edge in page["edges"]]
        after = page["pageInfo"]["endCursor"]
        if not page["pageInfo"]["hasNextPage"]:
            break
    await writing

    assert [name for name in seen if not name.startswith("late")] == known
    assert len(seen) == len(set(seen))


async def test_a_history_tells_the_difference_in_words_and_an_undo_is_an_edit(api):
    group = await api.group("Team")
    first = {"all": [{"country": {"is": "LT"}}, {"group": {"anyOf": [group]}}]}
    second = {"all": [{"country": {"is": "LT"}}, {"city": {"is": "Vilnius"}}]}
    segment = await api.segment("Here", first)
    await api.data(EDIT, input={"id": segment, "condition": second, "description": "Town"})
    await api.data(EDIT, input={"id": segment, "name": "There"})

    (renamed, edited, created) = await history(api, segment)
    undone = await api.data(
        EDIT, input={"id": segment, "condition": edited["conditionBefore"], "ifRevision": 3}
    )
    (latest, *rest) = await history(api, segment)

    assert created == {
        "revision": 1, "madeBy": "test", "name": "Here", "description": None, "isPaused": False,
        "condition": first, "conditionBefore": None, "linesRemoved": [],
        "linesAdded": ["people who match all of these:", '  people whose country is "LT"', '  people who are in the group "Team"'],
    }  # fmt: skip
    assert (edited["linesAdded"], edited["linesRemoved"]) == (
        ['  people whose city is "Vilnius"'],
        ['  people who are in the group "Team"'],
    )
    assert (edited["condition"], edited["conditionBefore"], edited["description"]) == (second, first, "Town")
    assert (renamed["name"], renamed["linesAdded"], renamed["linesRemoved"]) == ("There", [], [])
    assert undone["updateSegment"] == {"__typename": "Segment", "revision": 4}
    assert latest["condition"] == first
    assert rest == [renamed, edited, created]
    page = (await api.data(HISTORY, id=segment, first=2))["segment"]["history"]
    following = (await api.data(HISTORY, id=segment, after=page["pageInfo"]["endCursor"]))["segment"][
        "history"
    ]
    assert [edge["node"] for edge in following["edges"]] == [edited, created]


async def history(api, segment: str) -> list[dict[str, Any]]:
    found = (await api.data(HISTORY, id=segment))["segment"]["history"]
    return [edge["node"] for edge in found["edges"]]


async def test_a_history_still_shows_what_is_deleted_and_the_undo_says_so(api):
    group = await api.group("Team")
    segment = await api.segment("Here", {"group": {"anyOf": [group]}})
    await api.data(EDIT, input={"id": segment, "condition": {"country": {"is": "LT"}}})
    await api.data("mutation ($id: ID!) { deleteGroup(input: {id: $id}) { __typename } }", id=group)

    (edited, _) = await history(api, segment)
    undone = await api.data(EDIT, input={"id": segment, "condition": edited["conditionBefore"]})

    assert edited["conditionBefore"] == {"group": {"anyOf": [group]}}
    assert undone["updateSegment"]["issues"] == [{"path": ["input", "condition", "group", "anyOf", "0"]}]
    assert len(await history(api, segment)) == 2


async def test_a_condition_that_this_version_does_not_read_can_be_replaced(api):
    segment = await api.segment("Here", {"country": {"is": "LT"}})
    await api.services.ports.database.fetch(
        """UPDATE segments SET condition = '{"unknown": {"is": 1}}' WHERE workspace_id = $1""",
        api.access.workspace.id,
    )

    edited = await api.data(EDIT, input={"id": segment, "condition": {"city": {"is": "Riga"}}})
    (latest, _) = await history(api, segment)

    assert edited["updateSegment"] == {"__typename": "Segment", "revision": 2}
    assert (latest["conditionBefore"], latest["linesRemoved"]) == ({"unknown": {"is": 1}}, [])
    assert latest["linesAdded"] == ['people whose city is "Riga"']


async def test_histories_of_one_segment_or_many_cost_the_same(api):
    await api.segments({f"s{number}": {"country": {"is": "LT"}} for number in range(20)})
    document = "query ($n: Int) { segments(first: $n) { edges { node { history(first: 1) { edges { node { revision } } } } } } }"

    with api.counting() as one:
        await api.data(document, n=1)
    with api.counting() as many:
        found = await api.data(document, n=20)

    assert [edge["node"]["history"]["edges"] for edge in found["segments"]["edges"]] == [
        [{"node": {"revision": 1}}]
    ] * 20
    assert len(many) == len(one)


def test_nothing_changes_or_deletes_an_entry():
    folder = Path(audience_gql.__file__).parent
    texts = [
        node.value
        for path in folder.rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    ] + [path.read_text(encoding="utf-8") for path in folder.rglob("*.sql")]

    touching = [
        text
        for text in texts
        if re.search(r"(UPDATE|DELETE\s+FROM|TRUNCATE)\s+(ONLY\s+)?trail_entries", text)
        and text != "DELETE FROM trail_entries t WHERE t.workspace_id = $1"  # with the workspace itself
    ]

    assert touching == []
