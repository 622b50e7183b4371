"""A receiver that missed a message knows it, and the feed tells it what it missed."""

from __future__ import annotations

import random
from typing import Any

import pytest
import pytest_asyncio

from audience_gql.api.ids import subscriber_id
from audience_gql.audience.log.feed import Feed
from audience_gql.audience.webhooks.endpoints import disable_endpoint, enable_endpoint
from audience_gql.storage.log import FeedFilter
from tests.audience.acting.receiving import CURSORS, Post, answer, data
from tests.audience.acting.test_endpoints import fail_for_good
from tests.audience.acting.test_sending import automation, come, go


@pytest_asyncio.fixture(loop_scope="session")
async def post(stage) -> Post:
    return Post(stage)


class Receiver:
    """What a receiver does with the messages of one automation: it applies changes, and heals gaps from the feed."""

    def __init__(self, post: Post, list_id: int) -> None:
        self._feed = Feed(ports=post.stage.house.ports, workspace=post.stage.house.workspace, cursors=CURSORS)
        self._wanted = FeedFilter(segment_ids=frozenset({list_id}))
        self._cursors: dict[str, str] = {}
        """By lane."""
        self.members: set[str] = set()
        self.gaps = 0

    async def take(self, body: Any) -> None:
        last = self._cursors.get(body["lane"])
        if last is not None and last != body["after"]:
            self.gaps += 1
            await self._heal(last)
        for change in body["changes"]:
            self._apply(change["subscriber"]["id"], change["kind"] == "ENTERED")
        self._cursors[body["lane"]] = body["cursor"]

    async def _heal(self, cursor: str) -> None:
        has_more = True
        while has_more:
            page = await self._feed.read_page(after=cursor, wanted=self._wanted, limit=7)
            for change in page.changes:
                self._apply(subscriber_id((change.bucket_id, change.subscriber_id)), change.entered)
            cursor, has_more = page.cursor, page.has_more

    def _apply(self, person: str, has_entered: bool) -> None:
        (self.members.add if has_entered else self.members.discard)(person)


async def members_of(post, segment_id) -> set[str]:
    rows = await post.stage.house.ports.database.fetch(
        "SELECT bucket_id, subscriber_id FROM segment_members WHERE bucket_id = $1 AND segment_id = $2",
        post.stage.house.bucket_id,
        segment_id,
    )
    return {subscriber_id(tuple(row)) for row in rows}


@pytest.mark.parametrize("seed", range(3))
async def test_a_receiver_that_loses_messages_heals_from_the_feed(post, seed):
    chance = random.Random(seed)
    endpoint = await post.endpoint()
    acting = await automation(post, endpoint)
    receiver = Receiver(post, acting.list_id)
    people = [f"p{number}" for number in range(130)]
    lost = 0
    for _ in range(6):
        await come(post, *chance.sample(people, 110))
        await go(post, *chance.sample(people, 20))
        await post.settle()
    await come(post, "last")
    await post.settle()
    first, *middle, last = map(data, post.sender.sent)

    await receiver.take(first)
    for body in middle:
        if chance.random() < 0.5:
            lost += 1
        else:
            await receiver.take(body)
    await receiver.take(last)

    assert lost > 0
    assert receiver.gaps > 0
    assert receiver.members == await members_of(post, acting.list_id)


async def test_a_message_lost_within_one_step_is_a_gap_as_well(post):
    endpoint = await post.endpoint()
    acting = await automation(post, endpoint)
    await come(post, *(f"p{number}" for number in range(350)))
    await post.settle()
    first, second, *rest = map(data, post.sender.sent)
    receiver = Receiver(post, acting.list_id)

    await receiver.take(first)
    assert second["after"] == first["cursor"]
    await receiver.take(rest[0])

    assert receiver.gaps == 1
    assert receiver.members == await members_of(post, acting.list_id)


async def test_messages_for_existing_members_have_different_cursors(post):
    endpoint = await post.endpoint()
    await come(post, *(f"p{number}" for number in range(150)))
    segment = await post.stage.house.segment("S", {"country": {"is": "LT"}})
    await post.stage.automation(
        "A",
        trigger={"segment": segment.id},
        actions=[{"webhook": {"endpoint": endpoint.id, "fields": []}}],
        existing=True,
    )
    await post.settle()

    cursors = [data(message)["cursor"] for message in post.sender.sent]
    assert len(set(cursors)) == len(cursors) >= 2


async def test_the_first_message_continues_where_the_automation_began(post):
    house, endpoint = post.stage.house, await post.endpoint()
    await come(post, "before")
    acting = await automation(post, endpoint)
    await come(post, "ada")
    await post.settle()
    feed = Feed(ports=house.ports, workspace=house.workspace, cursors=CURSORS)
    wanted = FeedFilter(segment_ids=frozenset({acting.list_id}))
    first = data(post.sender.sent[0])

    page = await feed.read_page(after=first["after"], wanted=wanted, limit=10)

    people = [subscriber_id((change.bucket_id, change.subscriber_id)) for change in page.changes]
    assert people == [change["subscriber"]["id"] for change in first["changes"]]


@pytest.mark.parametrize("how", ["failed", "dropped", "dropped before it was formed"])
async def test_what_is_not_sent_leaves_a_gap(post, how):
    house, endpoint = post.stage.house, await post.endpoint()
    acting = await automation(post, endpoint)
    receiver = Receiver(post, acting.list_id)
    await come(post, "ada")
    await post.settle()
    await receiver.take(data(post.sender.sent[-1]))

    await come(post, "bob")
    call = {"ports": house.ports, "workspace": house.workspace, "endpoint_id": endpoint.id}
    if how == "failed":
        await fail_for_good(post, endpoint)
    else:
        if how == "dropped":
            post.sender.answers[endpoint.url] = answer(500)
            await post.settle()
            post.sender.answers.clear()
        await disable_endpoint(**call)
        await post.settle()
        await enable_endpoint(**call, waiting="DROP")
    await come(post, "cid")
    await post.settle()
    await receiver.take(data(post.sender.sent[-1]))

    assert receiver.gaps == 1
    assert receiver.members == await members_of(post, acting.list_id)
    assert len(receiver.members) == 3


async def test_cursors_of_two_messages_at_the_same_place_read_the_same(post):
    workspace = post.stage.house.workspace
    one, two = (CURSORS.encode(workspace, {7: 3}, message=number) for number in (1, 2))

    assert one != two
    assert CURSORS.decode(workspace, one) == CURSORS.decode(workspace, two) == {7: 3}
