"""Everything that is held about one person, and nothing about anybody else, with an entry in the audit trail."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from audience_gql.api import ids
from audience_gql.audience.imports.runner import ImportRunner
from audience_gql.storage import disclosure
from audience_gql.storage.reads import person_facts
from tests.patience import PATIENCE_SECONDS
from tests.storage.fitness import BUCKETED

EXPORT = """mutation ($by: SubscriberKey!) { exportSubscriber(input: {subscriber: $by}) {
  __typename ... on ExportSubscriberPayload { data } ... on UserError { message path } } }"""
START = """mutation ($columns: [ImportColumnInput!]!) { startImport(input: {columns: $columns}) {
  ... on StartImportPayload { uploadUrl import { id } } } }"""
ENDPOINT = """mutation { createWebhookEndpoint(input: {name: "CRM", url: "https://example.com/x"}) {
  ... on CreateWebhookEndpointPayload { endpoint { id } } } }"""
AUTOMATION = """mutation ($s: ID!, $e: ID!) { createAutomation(input: {name: "Tell", trigger: {segment: $s}, existing: FIRE,
  actions: [{webhook: {endpoint: $e}}]}) { ... on Automation { id } ... on InvalidInput { issues { message } } } }"""
ADA = {
    "externalId": "ada", "email": "Ada@example.com", "phone": "+37061234567", "firstName": "Ada", "lastName": "Lovelace",
    "city": "Vilnius", "birthday": "1990-12-10", "timezone": "Europe/Vilnius", "latitude": 54.5, "longitude": 25.25,
    "fields": [{"key": "note", "value": "a note"}], "channels": [{"channel": "EMAIL", "status": "ACTIVE", "reason": "asked"}],
}  # fmt: skip
EMPTY: dict[str, list[Any]] = {
    name: []
    for name in (
        "fields", "channels", "groups", "segments", "events", "eventKeys", "membershipChanges", "automationRuns", "webhookChanges",
        "importEffects", "importRejects", "importsQuoting", "disclosures",
    )
}  # fmt: skip
NOT_THEIRS = {
    "subscriber_dates": "derived from the profile and the fields",
    "dirty": "a note that something changed, for a moment",
    "segment_states": "figures of a segment",
    "group_states": "figures of a group",
    "segment_hours": "figures of a segment",
    "automation_places": "how far an automation has read",
    "webhook_lanes": "how far an endpoint was told",
    "webhook_chains": "how far an endpoint was told",
    "delivery_attempts": "an answer of a receiver, which may be about others, too",
}


async def disclosed(api, **by: str) -> Any:
    found = (await api.data(EXPORT, by=by))["exportSubscriber"]
    assert found["__typename"] == "ExportSubscriberPayload", found
    return found["data"]


async def test_everything_is_told_in_the_words_of_the_api(api):
    await api.data(
        'mutation { defineCustomField(input: {key: "note", label: "Note", type: TEXT}) { __typename } }'
    )
    group = await api.group("Team")
    (ada, bob) = await api.upsert(
        ADA | {"addToGroupIds": [group]}, {"externalId": "secret bob", "addToGroupIds": [group]}
    )
    segment = await api.segment("Here", {"city": {"is": "Vilnius"}})
    await api.track(
        {
            "subscriber": {"id": ada},
            "name": "bought",
            "key": "order 1",
            "value": 9.5,
            "properties": {"what": "tea"},
        },
        {"subscriber": {"id": bob}, "name": "stole", "properties": {"what": "a secret"}},
    )
    await api.tick()

    found = await disclosed(api, externalId="ada")
    again = await disclosed(api, id=ada)

    now = "2026-03-01T12:00:00Z"
    note = found["fields"][0]
    assert note.pop("fieldId").startswith("fld_")
    assert found == EMPTY | {
        "id": ada, "at": now,
        "profile": {
            "externalId": "ada", "email": "Ada@example.com", "phone": "+37061234567", "firstName": "Ada", "lastName": "Lovelace",
            "language": None, "timezone": "Europe/Vilnius", "country": None, "region": None, "city": "Vilnius", "postalCode": None,
            "birthday": "1990-12-10", "latitude": 54.5, "longitude": 25.25, "createdAt": now, "updatedAt": now,
        },
        "fields": [{"key": "note", "label": "Note", "value": "a note"}],
        "channels": [{
            "channel": "EMAIL", "status": "ACTIVE", "changedAt": now, "reason": "asked",
            "beforeStatus": None, "beforeChangedAt": None, "beforeReason": None,
        }],
        "groups": [{"groupId": group, "name": "Team", "addedAt": now}],
        "segments": [{"segmentId": segment, "name": "Here", "enteredAt": now}],
        "events": [{"name": "bought", "occurredAt": now, "value": 9.5, "properties": {"what": "tea"}}],
        "eventKeys": [{"key": "order 1"}],
        "membershipChanges": found["membershipChanges"],
    }  # fmt: skip
    changes = found["membershipChanges"]
    assert sorted((it["listId"], it["name"], it["entered"]) for it in changes) == sorted(
        [(group, "Team", True), (segment, "Here", True)]
    )
    assert "secret" not in json.dumps(found)
    assert again["disclosures"] == [{"at": now, "actorKind": "TOKEN", "actorName": "test"}]
    entries = (
        await api.data(
            "{ auditTrail(first: 2) { edges { node { kind objectId objectName before after } } } }"
        )
    )["auditTrail"]
    assert [edge["node"] for edge in entries["edges"]] == [
        {"kind": "SUBSCRIBER_EXPORTED", "objectId": ada, "objectName": None, "before": None, "after": None}
    ] * 2


async def test_runs_messages_and_imports_are_told(served, server):
    import httpx  # noqa: PLC0415

    api = served
    await api.upsert({"externalId": "ada", "city": "Vilnius"}, {"externalId": "bob"})
    segment = await api.segment("Here", {"city": {"is": "Vilnius"}})
    endpoint = (await api.data(ENDPOINT))["createWebhookEndpoint"]["endpoint"]["id"]
    automation = (await api.data(AUTOMATION, s=segment, e=endpoint))["createAutomation"]["id"]
    columns = [{"header": "id", "to": {"profile": "EXTERNAL_ID"}}, {"header": "town", "to": {"profile": "CITY"}},
               {"header": "mail", "to": {"profile": "EMAIL"}}]  # fmt: skip
    started = (await api.data(START, columns=columns))["startImport"]
    async with httpx.AsyncClient(timeout=PATIENCE_SECONDS, base_url=server.url) as client:
        content = b"id,town,mail\nada,Kaunas,\nada,,not an address\nbob,Riga,\n"
        await client.put(started["uploadUrl"], content=content, headers={"content-type": "text/csv"})
    number = ids.number_of(ids.Kind.IMPORT, started["import"]["id"])
    assert number is not None
    await ImportRunner(api.services.ports).work_off(number)
    await put_a_run(api, automation, endpoint, segment)

    found = await disclosed(api, externalId="ada")

    (effect,) = found["importEffects"]
    assert (effect["importId"], effect["isCreated"]) == (started["import"]["id"], False)
    assert effect["changes"] == {"profile": {"city": ["Vilnius", "Kaunas"]}}
    (reject,) = found["importRejects"]
    assert (reject["importId"], reject["line"], reject["isNotice"]) == (started["import"]["id"], 3, False)
    (run,) = found["automationRuns"]
    assert (run["automationId"], run["name"], run["state"]) == (automation, "Tell", "DONE")
    (change,) = found["webhookChanges"]
    assert (change["endpointId"], change["endpoint"], change["listId"]) == (endpoint, "CRM", segment)
    assert (change["fields"], change["state"]) == (["city"], None)


async def put_a_run(api, automation: str, endpoint: str, segment: str) -> None:
    """A run, and the change that it put into the outbox, as a worker writes them."""
    numbers = [
        ids.number_of(kind, text)
        for kind, text in (
            (ids.Kind.AUTOMATION, automation),
            (ids.Kind.WEBHOOK_ENDPOINT, endpoint),
            (ids.Kind.SEGMENT, segment),
        )
    ]
    database = api.services.ports.database
    person = await database.fetchval(
        "SELECT id FROM subscribers WHERE bucket_id = $1 AND external_id = 'ada'", api.bucket_id
    )
    await database.fetch(
        "INSERT INTO runs (bucket_id, id, automation_id, subscriber_id, state, entered, cause, origin, revision, started_at, changed_at) "
        "VALUES ($1, 7, $2, $3, 'DONE', true, 'FACT', 0, 1, now(), now())",
        api.bucket_id, numbers[0], person,
    )  # fmt: skip
    await database.fetch(
        "INSERT INTO webhook_changes (bucket_id, endpoint_id, number, automation_id, run_id, subscriber_id, list_kind, list_id, entered, cause, "
        "occurred_at, sequence, fields) VALUES ($1, $2, 1, $3, 7, $4, 'SEGMENT', $5, true, 'FACT', now(), 1, '{city}')",
        api.bucket_id, numbers[1], numbers[0], person, numbers[2],
    )  # fmt: skip


async def test_somebody_without_anything_has_empty_lists(api):
    await api.upsert({"externalId": "ada"})

    found = await disclosed(api, externalId="ada")

    assert {name: found[name] for name in EMPTY} == EMPTY


async def test_a_stranger_s_person_is_unknown_and_nothing_is_recorded(api, stranger):
    (theirs,) = await stranger.upsert({"externalId": "ada"})

    for by in ({"id": theirs}, {"externalId": "ada"}, {"id": "sub_x"}):
        found = (await api.data(EXPORT, by=by))["exportSubscriber"]
        assert found == {
            "__typename": "NotFound",
            "message": "there is no such subscriber",
            "path": ["input", "subscriber"],
        }

    for each in (api, stranger):
        kinds = await each.data("{ auditTrail { edges { node { kind } } } }")
        assert "SUBSCRIBER_EXPORTED" not in json.dumps(kinds)


async def test_it_needs_admin(api):
    await api.upsert({"externalId": "ada"})
    api.access.token.scopes = ["READ", "WRITE", "TRACK"]

    (error,) = await api.errors(EXPORT, by={"externalId": "ada"})

    assert error["extensions"]["code"] == "FORBIDDEN"


async def test_too_much_for_one_answer_is_said(api, monkeypatch):
    monkeypatch.setattr(disclosure, "MOST_EVENTS", 2)
    assert person_facts.MOST_EVENTS == 100_000
    (ada,) = await api.upsert({"externalId": "ada"})
    await api.track(*({"subscriber": {"id": ada}, "name": "bought"} for _ in range(2)))
    allowed = await disclosed(api, id=ada)
    await api.track({"subscriber": {"id": ada}, "name": "bought"})

    (error,) = await api.errors(EXPORT, by={"id": ada})

    assert len(allowed["events"]) == 2
    assert error["extensions"]["code"] == "COST_LIMIT"


@pytest.mark.parametrize("table", sorted(BUCKETED))
def test_every_table_about_people_is_read_or_has_a_reason(table):
    text = Path(disclosure.__file__).read_text(encoding="utf-8")

    assert (f" {table} " in text) != (table in NOT_THEIRS)
