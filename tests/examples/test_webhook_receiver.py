"""The webhook receiver of examples/ gets messages that the product composed and signed. It reads from the API what the test withholds."""

from __future__ import annotations

import importlib.util
import random
import sqlite3
from collections.abc import AsyncIterator
from contextlib import closing
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
import pytest_asyncio

from audience_gql.api.ids import MESSAGE_IDS
from audience_gql.api.schema import Schema
from audience_gql.audience.log.retention import prune
from audience_gql.audience.people.erasure import erase_subscriber
from audience_gql.audience.people.keys import SubscriberKey
from audience_gql.audience.ports import OutgoingMessage
from audience_gql.audience.testing import MemorySignals
from audience_gql.audience.webhooks.messages import check_body
from audience_gql.storage.acting.models import WebhookEndpoint
from audience_gql.webhooks.signing import new_secret, signed_headers
from tests.api.conftest import Api, new_workspace, web_client
from tests.api.test_webhooks import LITHUANIA, Post, create

FILE = Path(__file__).parents[2] / "examples" / "webhook-receiver" / "receive.py"
AUTOMATE = "mutation ($input: CreateAutomationInput!) { createAutomation(input: $input) { ... on Automation { id } } }"
CHANGE_GROUP = "mutation ($input: GroupMembersInput!) { addToGroup(input: $input) { __typename } }"
EVERY_CAUSE = ["FACT", "CLOCK", "DEFINITION", "REPAIR", "IMPORT"]
SEGMENT_MEMBERS = """
SELECT s.external_id FROM segment_members m JOIN subscribers s ON s.bucket_id = m.bucket_id AND s.id = m.subscriber_id
WHERE m.bucket_id = $1
"""
GROUP_MEMBERS = SEGMENT_MEMBERS.replace("segment_members", "group_members")
SECOND = timedelta(seconds=1)
DAY = timedelta(days=1)


def example() -> Any:
    spec = importlib.util.spec_from_file_location("receive", FILE)
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


EXAMPLE = example()


class ApiDoor(httpx.AsyncBaseTransport):
    """Passes the receiver's requests to the API, and counts them."""

    def __init__(self, client: httpx.AsyncClient) -> None:
        self._client = client
        self.requests = 0
        self.is_open = True

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        self.requests += 1
        if not self.is_open:
            raise httpx.ConnectError("the API is away")
        answer = await self._client.post("/graphql", content=await request.aread(), headers=request.headers)
        return httpx.Response(answer.status_code, content=answer.content)


@dataclass
class Customer:
    """A workspace with a segment that an automation tells the receiver about."""

    api: Api
    post: Post
    database: sqlite3.Connection
    door: ApiDoor
    http: httpx.AsyncClient
    endpoint: Any
    secret: str
    segment: str = ""

    async def automate(self, name: str, trigger: dict[str, str]) -> None:
        action = {"webhook": {"endpoint": self.endpoint["id"]}}
        rules = {"on": ["ENTERED", "LEFT"], "causes": EVERY_CAUSE, "actions": [action]}
        made = await self.api.data(AUTOMATE, input={"name": name, "trigger": trigger, **rules})
        assert made["createAutomation"]

    async def move(self, country: str, *people: str) -> list[OutgoingMessage]:
        """What the product sends because these people move."""
        items = [{"externalId": it, "email": f"{it}@example.com", "country": country} for it in people]
        self.api.clock.advance(SECOND)
        for start in range(0, len(items), 100):
            await self.api.upsert(*items[start : start + 100])
        return await self.send()

    async def send(self) -> list[OutgoingMessage]:
        before = len(self.post.sender.sent)
        await self.post.work()
        return self.post.sender.sent[before:]

    async def deliver(self, *messages: OutgoingMessage) -> None:
        for message in messages:
            assert await self.status(message) == 204

    async def status(self, message: OutgoingMessage, *, at: datetime | None = None, **changes: Any) -> int:
        """How the receiver answers a message that is signed now, or at another time. `changes` replaces headers and the body."""
        headers = signed_headers(
            message_id=message.message_id,
            sent_at=at or datetime.now(UTC),
            body=message.body,
            with_secrets=changes.pop("secrets", [self.secret]),
        )
        body = changes.pop("body", message.body)
        headers |= {name.replace("_", "-"): value for name, value in changes.items()}
        return (await self.http.post("/", content=body, headers=headers)).status_code

    def members(self) -> list[str]:
        rows = self.database.execute("SELECT external_id FROM people WHERE is_member ORDER BY external_id")
        return [row[0] for row in rows]

    async def true_members(self, statement: str = SEGMENT_MEMBERS) -> list[str]:
        rows = await self.api.services.ports.database.fetch(statement, self.api.bucket_id)
        return sorted(row["external_id"] for row in rows)

    def stored(self) -> list[str]:
        """Everything that the receiver has stored."""
        return list(self.database.iterdump())


@pytest.fixture(scope="module")
def schema() -> Schema:
    return Schema()


@pytest_asyncio.fixture(loop_scope="session")
async def customer(schema, database, tick_pool) -> AsyncIterator[Customer]:
    api = await new_workspace(schema, database, tick_pool, MemorySignals())
    created = await create(api)
    async with web_client(api) as web:
        door = ApiDoor(web)
        with closing(sqlite3.connect(":memory:")) as copy:
            async with httpx.AsyncClient(transport=door) as client:
                receiver = EXAMPLE.Receiver(copy, client, "http://api/graphql")
                app = EXAMPLE.application(created["secret"], receiver)
                async with httpx.AsyncClient(
                    transport=httpx.ASGITransport(app), base_url="http://receiver"
                ) as http:
                    yield Customer(api, Post(api), copy, door, http, created["endpoint"], created["secret"])


@pytest_asyncio.fixture(loop_scope="session")
async def following(customer) -> Customer:
    """The receiver has a copy of the segment, in which somebody was before the automation."""
    await customer.api.upsert({"externalId": "early", "country": "LT"})
    segment = await customer.api.segment("Loyal", LITHUANIA)
    await customer.automate("Tell", {"segment": segment})
    customer.segment = segment
    await customer.deliver(*await customer.move("LT", "first"))
    return customer


async def test_it_follows_all_changes_and_has_those_who_were_in_before(following):
    assert following.members() == ["early", "first"]
    begun = following.door.requests

    await following.deliver(
        *await following.move("LT", "ada", "bob"), *await following.move("LV", "first", "bob")
    )

    assert following.members() == ["ada", "early"] == await following.true_members()
    assert following.door.requests == begun


async def test_it_reads_what_a_withheld_message_says_page_by_page(following):
    await following.move("LT", *(f"p{number}" for number in range(130)))
    await following.move("LV", "early", "p7")
    begun = following.door.requests

    await following.deliver(*await following.move("LT", "last"))

    assert len(following.members()) == 131
    assert following.members() == await following.true_members()
    assert following.door.requests == begun + 2
    await following.deliver(*await following.move("LV", "last"))
    assert following.door.requests == begun + 2  # there is no gap any more


async def test_messages_that_are_older_than_what_it_has_read_change_nothing(following):
    withheld = await following.move("LT", "ada", "bob")
    next_one = await following.move("LV", "bob")
    later = [*await following.move("LV", "ada"), *await following.move("LT", "bob")]

    await following.deliver(*next_one)
    healed = following.members()
    for message in (*later, *withheld):
        await following.deliver(message)
        assert following.members() == healed

    assert healed == ["bob", "early", "first"] == await following.true_members()
    await following.deliver(*await following.move("LT", "cid"))
    assert following.members() == await following.true_members()


async def test_it_copies_the_members_when_the_log_no_longer_has_what_is_missing(following):
    await following.move("LV", "early")
    await following.move("LT", *(f"p{number}" for number in range(120)))
    following.api.clock.advance(3 * DAY)
    await following.move("LT", "late")
    await prune(ports=following.api.services.ports, keep=DAY)

    await following.deliver(*await following.move("LV", "p1"))

    assert len(following.members()) == 121
    assert following.members() == await following.true_members()


async def test_the_first_message_of_a_lane_can_be_missing(following):
    await following.automate("Tell again", {"segment": following.segment})
    withheld = await following.move("LT", "ada")
    both = await following.move("LV", "first")
    assert len(withheld) == len(both) == 2
    (other,) = (it for it in both if b"Tell again" in it.body)

    await following.deliver(other)

    assert following.members() == ["ada", "early"] == await following.true_members()


async def test_a_message_that_arrives_twice_changes_nothing(following):
    (message,) = await following.move("LT", "ada")
    await following.deliver(message, *await following.move("LV", "ada"))
    stored = following.stored()

    await following.deliver(message)

    assert following.stored() == stored


async def test_what_is_not_signed_now_and_by_the_product_is_refused(following):
    (message,) = await following.move("LT", "ada")
    stored, now = following.stored(), datetime.now(UTC)

    for refused in (
        {"secrets": [new_secret()]},
        {"body": message.body.replace(b"ENTERED", b"LEFT")},
        {"body": b"\xff"},
        {"webhook_id": "msg_other"},
        {"webhook_signature": "v1"},
        {"webhook_signature": ""},
        {"webhook_timestamp": "soon"},
        {"at": now - timedelta(minutes=6)},
        {"at": now + timedelta(minutes=6)},
    ):
        assert await following.status(message, **refused) == 401, refused
    assert await following.status(message, body=b"x" * 1_000_001) == 413

    assert following.stored() == stored
    await following.deliver(message)
    assert following.members() == await following.true_members()


async def test_while_the_api_is_away_it_asks_for_the_message_again(following):
    await following.move("LT", "ada")
    (message,) = await following.move("LV", "first")
    stored = following.stored()
    following.door.is_open = False

    assert await following.status(message) == 503
    assert following.stored() == stored

    following.door.is_open = True
    await following.deliver(message)
    assert following.members() == ["ada", "early"]


async def test_a_test_message_is_only_answered(following):
    endpoint = await WebhookEndpoint.get(workspace_id=following.api.access.workspace.id)
    (message,) = await following.move("LT", "ada")
    stored = following.stored()

    body = check_body(endpoint, datetime.now(UTC), MESSAGE_IDS)
    await following.deliver(replace(message, message_id="msg_test", body=body))

    assert following.stored() == stored


async def test_nothing_but_an_id_stays_of_somebody_who_left_or_was_erased(following):
    await following.deliver(*await following.move("LV", "first"))
    assert "first@example.com" not in "".join(following.stored())

    await following.deliver(*await following.move("LT", "ada"))
    assert "ada@example.com" in "".join(following.stored())

    call = {"ports": following.api.services.ports, "workspace": following.api.access.workspace}
    await erase_subscriber(**call, subscriber=SubscriberKey(kind="externalId", value="ada"))
    await following.deliver(*await following.send())

    assert "ada" not in "".join(following.stored())
    assert following.members() == await following.true_members()


async def test_it_follows_a_group_as_well(customer):
    await customer.move("LT", "ada", "bob", "cid", "dan")
    group = await customer.api.group("VIP")
    await customer.automate("Tell", {"group": group})
    sent = []
    for person in ("ada", "bob", "cid"):
        customer.api.clock.advance(SECOND)
        change = {"groupId": group, "subscribers": [{"externalId": person}]}
        await customer.api.data(CHANGE_GROUP, input=change)
        sent.append(await customer.send())

    await customer.deliver(*sent[0], *sent[2])

    assert customer.members() == ["ada", "bob", "cid"] == await customer.true_members(GROUP_MEMBERS)


@pytest.mark.parametrize("seed", range(3))
async def test_whatever_is_lost_repeated_or_late_it_has_the_members_in_the_end(following, seed):
    chance = random.Random(seed)
    late: list[OutgoingMessage] = []
    people = [f"p{number}" for number in range(12)]
    for _ in range(25):
        for message in await following.move(chance.choice(("LT", "LV")), *chance.sample(people, 4)):
            fate = chance.random()
            if fate < 0.6:
                await following.deliver(*[message] * chance.choice((1, 1, 2)))
            elif fate < 0.8:
                late.append(message)
        if late and chance.random() < 0.3:
            await following.deliver(late.pop(chance.randrange(len(late))))

    await following.deliver(*await following.move("LT", "last"))

    assert following.members() == await following.true_members()
