"""Webhooks over GraphQL: endpoints, their secrets and deliveries, tests and replays, and who may see them."""

from __future__ import annotations

import asyncio
import re
from contextlib import AsyncExitStack
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import orjson
import pytest
from standardwebhooks import Webhook

from audience_gql.api import ids
from audience_gql.api.acting.deliveries import WebhookDeliveryState
from audience_gql.api.ids import MESSAGE_IDS
from audience_gql.audience.access import Access, create_token
from audience_gql.audience.acting.actor import Actor
from audience_gql.audience.webhooks.carrier import Carrier
from audience_gql.audience.webhooks.courier import Courier
from audience_gql.audience.webhooks.schedule import DELAYS
from audience_gql.audience.webhooks.trials import Trials
from audience_gql.webhooks.sender import WebhookSender
from audience_gql.webhooks.signing import signed_headers
from tests.audience.acting.receiving import RecordingSender, answer
from tests.webhooks.receivers import NO_TRUST, answering, listen, open_to

ENDPOINT = "id name url state disabledReason failingSince revision previousSecretUntil automations { name }"
CREATE = """
mutation ($input: CreateWebhookEndpointInput!) {
  createWebhookEndpoint(input: $input) {
    __typename
    ... on CreateWebhookEndpointPayload { secret endpoint { ENDPOINT } }
    ... on UserError { message path }
    ... on InvalidInput { issues { code message path } }
  }
}
""".replace("ENDPOINT }", f"{ENDPOINT} }}")
UPDATE = """
mutation ($input: UpdateWebhookEndpointInput!) {
  updateWebhookEndpoint(input: $input) {
    __typename
    ... on WebhookEndpoint { name url revision }
    ... on UserError { path }
    ... on InvalidInput { issues { code path } }
    ... on WebhookEndpointConflict { current { name revision } }
  }
}
"""
ROTATE = """
mutation ($id: ID!) {
  rotateWebhookSecret(input: {id: $id}) {
    __typename
    ... on RotateWebhookSecretPayload { secret previousSecretUntil endpoint { previousSecretUntil } }
    ... on UserError { path }
  }
}
"""
DISABLE = """
mutation ($id: ID!) {
  disableWebhookEndpoint(input: {id: $id}) { __typename ... on WebhookEndpoint { state } ... on UserError { path } }
}
"""
ENABLE = """
mutation ($id: ID!, $waiting: WaitingMessages!) {
  enableWebhookEndpoint(input: {id: $id, waiting: $waiting}) {
    __typename ... on WebhookEndpoint { state } ... on UserError { path }
  }
}
"""
DELETE = """
mutation ($id: ID!) {
  deleteWebhookEndpoint(input: {id: $id}) {
    __typename ... on DeletePayload { deletedId } ... on UserError { path } ... on InUse { automations { name } usedBy { name } }
  }
}
"""
TEST = """
mutation ($id: ID!) {
  testWebhookEndpoint(input: {id: $id}) {
    __typename ... on TestWebhookEndpointPayload { status milliseconds failure response } ... on UserError { path message }
  }
}
"""
REPLAY = """
mutation ($id: ID!) {
  replayWebhookDelivery(input: {id: $id}) {
    __typename ... on WebhookDelivery { state endedAt } ... on UserError { path }
  }
}
"""
REPLAY_ALL = """
mutation ($input: ReplayWebhookDeliveriesInput!) {
  replayWebhookDeliveries(input: $input) {
    __typename ... on ReplayWebhookDeliveriesPayload { replayed } ... on UserError { path } ... on InvalidInput { issues { code path } }
  }
}
"""
DELIVERY = """
query ($by: WebhookDeliveryKey!) {
  webhookDelivery(by: $by) { id messageId state attempts { status } }
}
"""
ONE = f"query ($by: WebhookEndpointKey!) {{ webhookEndpoint(by: $by) {{ {ENDPOINT} }} }}"
LIST = """
query ($state: WebhookEndpointState, $first: Int, $after: String) {
  webhookEndpoints(state: $state, first: $first, after: $after) { pageInfo { hasNextPage endCursor } edges { node { name } } }
}
"""
DELIVERIES = """
query ($id: ID!, $state: [WebhookDeliveryState!], $first: Int, $after: String) {
  webhookEndpoint(by: {id: $id}) {
    deliveries(state: $state, first: $first, after: $after) {
      pageInfo { hasNextPage endCursor }
      edges { node {
        id state messageId createdAt endedAt nextAttemptAt after cursor changeCount attemptCount
        attempts { at status milliseconds failure response }
        automation { name } endpoint { name } runs { state subscriber { externalId } }
      } }
    }
  }
}
"""
PAGE = (Path(__file__).parents[2] / "docs" / "howto" / "webhooks.md").read_text(encoding="utf-8")
NODES = "query ($ids: [ID!]!) { nodes(ids: $ids) { __typename id } }"
MUTATIONS = {
    "rotateWebhookSecret": ROTATE,
    "disableWebhookEndpoint": DISABLE,
    "deleteWebhookEndpoint": DELETE,
    "testWebhookEndpoint": TEST,
    "replayWebhookDelivery": REPLAY,
}
LITHUANIA = {"country": {"is": "LT"}}
URL = "https://hooks.example.com/crm"
SECOND = timedelta(seconds=1)


async def create(api, name="CRM", url=URL):
    return (await api.data(CREATE, input={"name": name, "url": url}))["createWebhookEndpoint"]


async def endpoint(api, name="CRM", url=URL) -> str:
    return (await create(api, name, url))["endpoint"]["id"]


async def automation(api, endpoint_id, name="Tell the CRM"):
    segment = await api.segment(name, LITHUANIA)
    created = await api.data(
        "mutation ($input: CreateAutomationInput!) { createAutomation(input: $input) { __typename ... on Automation { id } } }",
        input={
            "name": name,
            "trigger": {"segment": segment},
            "actions": [{"webhook": {"endpoint": endpoint_id}}],
        },
    )
    assert created["createAutomation"]["__typename"] == "Automation"


class Post:
    """What a worker does with the webhooks of a workspace."""

    def __init__(self, api) -> None:
        self.api = api
        self.sender = RecordingSender()
        ports = api.services.ports
        carrier = Carrier(
            ports, self.sender, cursors=api.services.cursors, ids=MESSAGE_IDS, chance=lambda: 0.0
        )
        self._actor = Actor(ports)
        self.courier = Courier(ports, carrier, lambda bucket_id: bucket_id == api.bucket_id)

    async def tell(self, *people: str) -> None:
        """Let these people enter, one message each."""
        for person in people:
            self.api.clock.advance(SECOND)
            await self.api.upsert({"externalId": person, "country": "LT"})
            await self.work()

    async def work(self) -> None:
        """Tick, act, and send what can be sent now."""
        await self.api.tick()
        await self._actor.act(self.api.bucket_id)
        await self.courier.work_off()

    async def fail(self, person: str) -> None:
        """Let every attempt to tell about this person fail."""
        self.sender.answers[URL] = answer(500, response="no")
        await self.tell(person)
        for delay in DELAYS:
            self.api.clock.advance(delay)
            await self.courier.work_off()
        self.sender.answers.clear()


@pytest.fixture
def post(api):
    return Post(api)


async def as_a(api, *scopes):
    """The same workspace with another token."""
    token, _ = await create_token(
        ports=api.services.ports, workspace=api.access.workspace, name="other", scopes=scopes
    )
    return replace(api, access=Access(workspace=api.access.workspace, token=token))


async def deliveries(api, id_, **page):
    found = await api.data(DELIVERIES, id=id_, **page)
    return found["webhookEndpoint"]["deliveries"]


# ---- endpoints


async def test_an_endpoint_is_shown_as_it_was_given_and_its_secret_only_once(api):
    created = await create(api)

    assert created["secret"].startswith("whsec_")
    shown = created["endpoint"]
    assert shown == {
        "id": shown["id"],
        "name": "CRM",
        "url": URL,
        "state": "ENABLED",
        "disabledReason": None,
        "failingSince": None,
        "revision": 1,
        "previousSecretUntil": None,
        "automations": [],
    }
    for key in ({"id": shown["id"]}, {"name": "crm "}):
        assert await api.data(ONE, by=key) == {"webhookEndpoint": shown}
    for key in ({"id": "hook_x"}, {"id": shown["id"].replace("hook", "aut")}, {"name": "\0"}):
        assert await api.data(ONE, by=key) == {"webhookEndpoint": None}


def test_no_type_of_the_schema_shows_a_secret_but_the_payloads_of_creating_and_rotating(schema):
    declared = schema._declared.as_str()
    types = declared.split("\ntype ")[1:]

    showing = [text.split()[0] for text in types if "\n  secret:" in text or "\n  previousSecret:" in text]

    assert showing == ["CreateApiTokenPayload", "CreateWebhookEndpointPayload", "RotateWebhookSecretPayload"]


async def test_what_cannot_be_an_endpoint_is_refused_with_its_path(api):
    await endpoint(api)
    bad = {
        "": "REQUIRED",
        "http://hooks.example.com/": "MALFORMED",
        "ftp://hooks.example.com/": "MALFORMED",
        "https://10.0.0.1/": "MALFORMED",
        "https://[::1]/": "MALFORMED",
        "https://hooks.example.com:22/": "MALFORMED",
        "https://user:hunter2@hooks.example.com/": "MALFORMED",
        "nonsense \n": "MALFORMED",
        "https://hooks.example.com/" + "x" * 2000: "OUT_OF_RANGE",
    }

    for url, code in bad.items():
        literal = CREATE.replace("($input: CreateWebhookEndpointInput!)", "").replace(
            "$input", f"{{name: {orjson.dumps(' ').decode()}, url: {orjson.dumps(url).decode()}}}"
        )
        by_literal = (await api.data(literal))["createWebhookEndpoint"]
        by_variable = await create(api, " ", url)
        assert by_literal == by_variable
        assert [(it["code"], it["path"]) for it in by_variable["issues"]] == [
            ("REQUIRED", ["input", "name"]),
            (code, ["input", "url"]),
        ], url
        assert "hunter2" not in str(by_variable)

    taken = await create(api, "crm")
    assert (taken["__typename"], taken["path"]) == ("NameTaken", ["input", "name"])
    assert len((await api.data(LIST))["webhookEndpoints"]["edges"]) == 1


async def test_an_edit_changes_what_is_given_and_a_late_one_nothing(api):
    id_ = await endpoint(api)
    await endpoint(api, "Shop")

    async def update(**given):
        return (await api.data(UPDATE, input={"id": id_, **given}))["updateWebhookEndpoint"]

    assert await update(name="Billing", ifRevision=1) == {
        "__typename": "WebhookEndpoint",
        "name": "Billing",
        "url": URL,
        "revision": 2,
    }
    assert await update(url="https://other.example.com/", ifRevision=1) == {
        "__typename": "WebhookEndpointConflict",
        "path": ["input", "ifRevision"],
        "current": {"name": "Billing", "revision": 2},
    }
    refused = await update(name=None, url=None)
    assert [(it["code"], it["path"]) for it in refused["issues"]] == [
        ("REQUIRED", ["input", "name"]),
        ("REQUIRED", ["input", "url"]),
    ]
    assert (await update(name="SHOP"))["__typename"] == "NameTaken"
    kept = (await api.data(ONE, by={"id": id_}))["webhookEndpoint"]
    assert (kept["name"], kept["url"], kept["revision"]) == ("Billing", URL, 2)


async def test_the_old_secret_stays_valid_for_a_day(api):
    created = await create(api)
    id_ = created["endpoint"]["id"]

    rotated = (await api.data(ROTATE, id=id_))["rotateWebhookSecret"]

    assert rotated["secret"].startswith("whsec_")
    assert rotated["secret"] != created["secret"]
    assert rotated["previousSecretUntil"] == rotated["endpoint"]["previousSecretUntil"]
    assert rotated["previousSecretUntil"].startswith("2026-03-02T12:00:00")
    api.clock.advance(timedelta(days=1))
    assert (await api.data(ONE, by={"id": id_}))["webhookEndpoint"]["previousSecretUntil"] is None


async def test_an_endpoint_is_disabled_enabled_and_deleted(api):
    id_ = await endpoint(api)

    assert await api.data(DISABLE, id=id_) == {
        "disableWebhookEndpoint": {"__typename": "WebhookEndpoint", "state": "DISABLED"}
    }
    assert await api.data(ENABLE, id=id_, waiting="DROP") == {
        "enableWebhookEndpoint": {"__typename": "WebhookEndpoint", "state": "ENABLED"}
    }
    deleted = {"deleteWebhookEndpoint": {"__typename": "DeletePayload", "deletedId": id_}}
    assert await api.data(DELETE, id=id_) == deleted
    assert await api.data(ONE, by={"id": id_}) == {"webhookEndpoint": None}


async def test_an_endpoint_in_use_names_its_automations(api):
    id_ = await endpoint(api)
    await automation(api, id_)

    assert await api.data(DELETE, id=id_) == {
        "deleteWebhookEndpoint": {
            "__typename": "InUse",
            "path": ["input", "id"],
            "automations": [{"name": "Tell the CRM"}],
            "usedBy": [],
        }
    }
    shown = (await api.data(ONE, by={"id": id_}))["webhookEndpoint"]
    assert shown["automations"] == [{"name": "Tell the CRM"}]


async def test_endpoints_come_in_pages_by_name(api):
    ids = {name: await endpoint(api, name) for name in ("b", "A", "c")}
    await api.data(DISABLE, id=ids["A"])

    async def page(**given):
        found = (await api.data(LIST, **given))["webhookEndpoints"]
        return [edge["node"]["name"] for edge in found["edges"]], found["pageInfo"]

    names, info = await page(first=2)
    assert (names, info["hasNextPage"]) == (["A", "b"], True)
    assert (await page(first=2, after=info["endCursor"]))[0] == ["c"]
    assert (await page(state="DISABLED"))[0] == ["A"]
    assert (await page(state="ENABLED"))[0] == ["b", "c"]


# ---- deliveries


async def test_a_delivery_shows_its_attempts_and_what_it_tells(api, post):
    id_ = await endpoint(api)
    await automation(api, id_)
    post.sender.answers[URL] = answer(500, response="no")
    await post.tell("ada")
    post.sender.answers.clear()
    api.clock.advance(DELAYS[0])
    await post.courier.work_off()

    (edge,) = (await deliveries(api, id_))["edges"]

    (first, second), shown = post.sender.sent, edge["node"]
    data = orjson.loads(second.body)["data"]
    assert first.message_id == second.message_id == shown["messageId"]
    assert (shown["after"], shown["cursor"]) == (data["after"], data["cursor"])
    assert (shown["state"], shown["changeCount"], shown["attemptCount"]) == ("DELIVERED", 1, 2)
    assert [(it["status"], it["failure"], it["response"]) for it in shown["attempts"]] == [
        (200, None, ""),
        (500, "The receiver answered 500.", "no"),
    ]
    assert shown["nextAttemptAt"] is None
    assert shown["endedAt"] is not None
    assert (shown["automation"], shown["endpoint"]) == ({"name": "Tell the CRM"}, {"name": "CRM"})
    assert shown["runs"] == [{"state": "DONE", "subscriber": {"externalId": "ada"}}]


async def test_a_delivery_is_found_by_its_id_and_by_the_header_that_the_receiver_got(api, post):
    id_ = await endpoint(api)
    await automation(api, id_)
    await post.tell("ada", "bob")
    message_id = post.sender.sent[0].message_id

    found = (await api.data(DELIVERY, by={"messageId": message_id}))["webhookDelivery"]

    assert (found["messageId"], found["state"], found["attempts"]) == (
        message_id,
        "DELIVERED",
        [{"status": 200}],
    )
    assert await api.data(DELIVERY, by={"id": found["id"]}) == {"webhookDelivery": found}
    bucket_id, delivery_id, epoch = message_numbers(found["id"], message_id)
    others = [
        MESSAGE_IDS.encode("message", bucket_id, delivery_id, epoch + 1),  # of the time before a restore
        MESSAGE_IDS.encode("message", bucket_id, 1, epoch),
        MESSAGE_IDS.encode("message", 0, 5, epoch),  # a test message
        MESSAGE_IDS.encode("message", bucket_id, delivery_id),
        message_id + "A",
        message_id.replace("msg", "dlv"),
        found["id"],
        "",
    ]
    for other in others:
        assert await api.data(DELIVERY, by={"messageId": other}) == {"webhookDelivery": None}, other
    for other in (message_id, "dlv_x"):
        assert await api.data(DELIVERY, by={"id": other}) == {"webhookDelivery": None}, other


def message_numbers(delivery_id: str, message_id: str) -> tuple[int, int, int]:
    """The bucket, the delivery and the epoch in the id of a message."""
    named = ids.delivery_of_message(message_id)
    assert named is not None
    assert named[0] == ids.delivery_key_of(delivery_id)
    return *named[0], named[1]


@pytest.mark.one_server("counts statements, and a cluster is asked once for each parent or bucket")
async def test_deliveries_come_in_pages_and_by_state_with_the_same_number_of_statements(api, post):
    id_ = await endpoint(api)
    await automation(api, id_)
    await post.fail("ada")
    await post.tell("bob", "cid")

    page = await deliveries(api, id_, first=2)
    with api.counting() as statements:
        rest = await deliveries(api, id_, first=2, after=page["pageInfo"]["endCursor"])
    with api.counting() as of_all:
        await deliveries(api, id_)

    assert [edge["node"]["state"] for edge in page["edges"]] == ["DELIVERED", "DELIVERED"]
    assert page["pageInfo"]["hasNextPage"]
    assert [edge["node"]["state"] for edge in rest["edges"]] == ["FAILED"]
    assert len(of_all) == len(statements)
    failed = await deliveries(api, id_, state=["FAILED", "DROPPED"])
    assert [edge["node"]["attemptCount"] for edge in failed["edges"]] == [10]
    errors = await api.errors(DELIVERIES, id=id_, after="x")
    assert errors[0]["extensions"]["code"] == "BAD_USER_INPUT"


async def test_failed_deliveries_are_replayed_and_others_are_not(api, post):
    id_ = await endpoint(api)
    await automation(api, id_)
    began = api.clock.instant
    await post.fail("ada")
    await post.tell("bob")
    bob, ada = (edge["node"] for edge in (await deliveries(api, id_))["edges"])

    replayed = await api.data(REPLAY, id=ada["id"])
    refused = await api.data(REPLAY, id=bob["id"])
    await post.courier.work_off()

    assert replayed["replayWebhookDelivery"] == {
        "__typename": "WebhookDelivery",
        "state": "WAITING",
        "endedAt": None,
    }
    assert refused["replayWebhookDelivery"] == {
        "__typename": "WebhookDeliveryNotFailed",
        "path": ["input", "id"],
    }
    assert post.sender.sent[-1].message_id == ada["messageId"]

    await post.fail("cid")
    given = {"endpointId": id_, "from": began.isoformat()}
    counted = await api.data(REPLAY_ALL, input=given)
    assert counted["replayWebhookDeliveries"]["replayed"] == 1
    nothing = await api.data(REPLAY_ALL, input={**given, "to": (began - SECOND).isoformat()})
    assert nothing["replayWebhookDeliveries"]["issues"] == [{"code": "OUT_OF_RANGE", "path": ["input", "to"]}]
    malformed = await api.data(REPLAY_ALL, input={**given, "from": "yesterday"})
    assert malformed["replayWebhookDeliveries"]["issues"] == [
        {"code": "MALFORMED", "path": ["input", "from"]}
    ]


# ---- test messages


def reaching(api, *receivers, sender=None):
    """The same workspace on a server whose webhooks may reach these receivers."""
    sender = sender or WebhookSender(open_to(*receivers), tls=NO_TRUST)
    return replace(api, services=replace(api.services, sender=sender, trials=Trials(sender)))


async def test_a_test_message_reaches_a_receiver_that_can_verify_it(api):
    async with AsyncExitStack() as stack:
        body = b"thanks " * 500
        receiver = await listen(
            stack,
            answering(b"HTTP/1.1 202 Accepted\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body)),
        )
        local = reaching(api, receiver)
        created = await create(local, url=f"http://127.0.0.1:{receiver.port}/in")
        id_ = created["endpoint"]["id"]

        tested = (await local.data(TEST, id=id_))["testWebhookEndpoint"]

    assert (tested["status"], tested["failure"]) == (202, None)
    assert tested["response"] == body[:1024].decode()
    headers = {name.lower(): value for name, value in receiver.headers.items()}
    signature = Webhook(created["secret"]).sign(
        headers["webhook-id"], api.clock.instant, receiver.body.decode()
    )
    assert signature == headers["webhook-signature"]
    assert orjson.loads(receiver.body)["type"] == "audience.test"
    assert orjson.loads(receiver.body)["data"]["endpoint"] == {"id": id_, "name": "CRM"}


async def test_a_test_message_obeys_the_guard_and_tells_why(api):
    async with AsyncExitStack() as stack:
        receiver = await listen(stack, answering(b"HTTP/1.1 200 OK\r\n\r\n"))
        open_ = reaching(api, receiver)
        id_ = await endpoint(open_, url=f"http://127.0.0.1:{receiver.port}/in")

        tested = (await api.data(TEST, id=id_))["testWebhookEndpoint"]  # the settings allow it no longer

    assert (tested["status"], tested["response"], receiver.connections) == (None, "", 0)
    assert tested["failure"]


async def test_a_workspace_sends_one_test_message_at_a_time(api, stranger):
    sender, answered = RecordingSender(), asyncio.Event()

    async def slow_at_first(_message):
        if len(sender.sent) == 1:
            await answered.wait()
        return answer()

    sender.answers[URL] = slow_at_first
    mine = reaching(api, sender=sender)
    theirs = replace(stranger, services=replace(stranger.services, trials=mine.services.trials))
    id_, other = await endpoint(api), await endpoint(stranger, url="https://other.example.com/")

    first = asyncio.create_task(mine.data(TEST, id=id_))
    await sender.arrived.wait()
    second = (await mine.data(TEST, id=id_))["testWebhookEndpoint"]
    elsewhere = (await theirs.data(TEST, id=other))["testWebhookEndpoint"]
    answered.set()

    assert (second["__typename"], second["path"]) == ("WebhookTestRunning", ["input", "id"])
    assert elsewhere["status"] == 200
    assert (await first)["testWebhookEndpoint"]["status"] == 200
    assert (await mine.data(TEST, id=id_))["testWebhookEndpoint"]["status"] == 200


# ---- who may do it


@pytest.fixture
async def used(api, post):
    """An endpoint with an automation and a message: the ids of the endpoint and of the delivery."""
    id_ = await endpoint(api)
    await automation(api, id_)
    await post.tell("ada")
    (edge,) = (await deliveries(api, id_))["edges"]
    return id_, edge["node"]["id"]


@pytest.mark.parametrize("scopes", [("READ",), ("WRITE",), ("READ", "WRITE", "TRACK")])
async def test_nobody_without_admin_sees_or_does_anything(api, used, scopes):
    id_, delivery = used
    other = await as_a(api, *scopes)
    asked = [
        *((document, {"id": id_}) for document in MUTATIONS.values()),
        (ENABLE, {"id": id_, "waiting": "DROP"}),
        (CREATE, {"input": {"name": "Mine", "url": URL}}),
        (UPDATE, {"input": {"id": id_, "url": "https://mine.example.com/"}}),
        (REPLAY_ALL, {"input": {"endpointId": id_, "from": "2026-01-01T00:00:00Z"}}),
        (ONE, {"by": {"id": id_}}),
        (LIST, {}),
        (DELIVERIES, {"id": id_}),
        (DELIVERY, {"by": {"id": delivery}}),
        ("query ($id: ID!) { viewer { token { id } } webhookEndpoint(by: {id: $id}) { id } }", {"id": id_}),
    ]

    for document, variables in asked:
        (error,) = await other.errors(document, **variables)
        assert error["extensions"]["code"] == "FORBIDDEN", document
        assert "ADMIN" in error["message"]
    if "READ" in scopes:
        assert await other.data(NODES, ids=[id_, delivery]) == {"nodes": [None, None]}

    shown = (await api.data(ONE, by={"id": id_}))["webhookEndpoint"]
    assert (shown["url"], shown["revision"], shown["state"]) == (URL, 1, "ENABLED")
    assert (await api.data(NODES, ids=[id_, delivery]))["nodes"] == [
        {"__typename": "WebhookEndpoint", "id": id_},
        {"__typename": "WebhookDelivery", "id": delivery},
    ]


async def test_no_field_of_an_automation_leads_to_an_endpoint(schema):
    declared = schema._schema.type_map
    leading = {
        f"{name}.{field}"
        for name, type_ in declared.items()
        for field, definition in getattr(type_, "fields", {}).items()
        if str(definition.type).strip("[]!") in ("WebhookEndpoint", "WebhookDelivery", "WebhookAttempt")
    }

    assert leading == {
        "CreateWebhookEndpointPayload.endpoint",
        "Query.webhookDelivery",
        "Query.webhookEndpoint",
        "RotateWebhookSecretPayload.endpoint",
        "WebhookDelivery.attempts",
        "WebhookDelivery.endpoint",
        "WebhookDeliveryEdge.node",
        "WebhookEndpointConflict.current",
        "WebhookEndpointEdge.node",
    }


async def test_nothing_of_another_workspace_can_be_seen_or_changed(api, stranger, used):
    id_, delivery = used
    await stranger.data(CREATE, input={"name": "CRM", "url": URL})

    for name, document in MUTATIONS.items():
        refused = (await stranger.data(document, id=delivery if document is REPLAY else id_))[name]
        assert (refused["__typename"], refused["path"]) == ("NotFound", ["input", "id"]), name
    for name, document, given, path in (
        ("enableWebhookEndpoint", ENABLE, {"id": id_, "waiting": "DROP"}, "id"),
        ("updateWebhookEndpoint", UPDATE, {"input": {"id": id_, "name": "Mine"}}, "id"),
        (
            "replayWebhookDeliveries",
            REPLAY_ALL,
            {"input": {"endpointId": id_, "from": "2026-01-01T00:00:00Z"}},
            "endpointId",
        ),
    ):
        refused = (await stranger.data(document, **given))[name]
        assert (refused["__typename"], refused["path"]) == ("NotFound", ["input", path]), name

    assert await stranger.data(NODES, ids=[id_, delivery]) == {"nodes": [None, None]}
    assert await stranger.data(ONE, by={"id": id_}) == {"webhookEndpoint": None}
    assert await stranger.data(DELIVERY, by={"id": delivery}) == {"webhookDelivery": None}
    shown = (await api.data(DELIVERY, by={"id": delivery}))["webhookDelivery"]
    by_message = {"messageId": shown["messageId"]}
    assert await stranger.data(DELIVERY, by=by_message) == {"webhookDelivery": None}
    assert (await api.data(ONE, by={"id": id_}))["webhookEndpoint"]["state"] == "ENABLED"


async def test_a_delivery_of_a_deleted_endpoint_is_gone(api, post, used):
    id_, _ = used
    await post.fail("bob")
    bob = (await deliveries(api, id_, state=["FAILED"]))["edges"][0]["node"]["id"]
    found = await api.data("{ automations { edges { node { id } } } }")
    for edge in found["automations"]["edges"]:
        await api.data(
            "mutation ($id: ID!) { deleteAutomation(input: {id: $id}) { __typename } }", id=edge["node"]["id"]
        )
    await api.data(DELETE, id=id_)

    assert await api.data(NODES, ids=[bob]) == {"nodes": [None]}
    refused = (await api.data(REPLAY, id=bob))["replayWebhookDelivery"]
    assert refused == {"__typename": "NotFound", "path": ["input", "id"]}


# ---- the page


def snippet(language: str) -> str:
    (text,) = re.findall(rf"```{language}\n(.*?)```", PAGE, re.DOTALL)
    return text


async def test_the_page_s_mutation_and_its_verification_work(api):
    created = (await api.data(snippet("graphql"), url=URL))["createWebhookEndpoint"]
    names: dict[str, Any] = {}
    exec(snippet("python"), names)  # noqa: S102  # our own page

    headers = signed_headers(
        message_id="msg_1", sent_at=datetime.now(UTC), body=b"{}", with_secrets=[created["secret"]]
    )

    def verified(body: bytes, changed: dict[str, str] | None = None) -> object:
        return names["verified"](created["secret"], body, headers | (changed or {}))

    assert verified(b"{}") == {}
    assert verified(b"{ }") is None
    assert verified(b"\xff") is None
    for name, malformed in (
        ("signature", "v1"),
        ("signature", "v1,x"),
        ("signature", "v1,é"),
        ("timestamp", "x"),
    ):
        assert verified(b"{}", {f"webhook-{name}": malformed}) is None
    with pytest.raises(ValueError, match="base64"):  # a wrong secret is no message of somebody else
        names["verified"]("whsec_x", b"{}", headers)


async def test_the_page_s_message_and_states_are_those_that_are_sent(api, post):
    id_ = await endpoint(api)
    await automation(api, id_)
    await post.tell("ada")

    told, sent = orjson.loads(snippet("json")), orjson.loads(post.sender.sent[0].body)

    assert keys(told) == keys(sent)
    assert re.findall(r"^\| ([A-Z_]+) \|", PAGE, re.MULTILINE) == [
        state.value for state in WebhookDeliveryState
    ]


def keys(value: object) -> object:
    """The names in a message, without those of chosen fields."""
    if isinstance(value, dict):
        return {name: keys(inner) for name, inner in value.items() if name != "fields"}
    return [keys(inner) for inner in value] if isinstance(value, list) else None
