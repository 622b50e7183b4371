"""Receivers that fail at random, couriers that are killed, and leases that end: nothing is lost, and nothing is out of order."""

from __future__ import annotations

import asyncio
import random
from datetime import timedelta
from itertools import groupby, pairwise

import asyncpg
import pytest
import pytest_asyncio

from audience_gql.audience.ports import Attempt, OutgoingMessage
from audience_gql.audience.webhooks import carrier
from audience_gql.storage.acting import deliveries
from audience_gql.storage.acting.deliveries import Lane
from tests.audience.acting.receiving import Post, answer, data, told
from tests.audience.acting.test_sending import automation, come, go

PEOPLE = ("ada", "bob", "cid", "dan")
SECOND = timedelta(seconds=1)


@pytest_asyncio.fixture(loop_scope="session")
async def post(stage) -> Post:
    return Post(stage)


class Fickle:
    """A receiver that accepts every second message, and whose sender is sometimes killed after that."""

    def __init__(self, chance: random.Random) -> None:
        self._chance = chance
        self._under_way = 0
        self.most_at_a_time = 0

    async def __call__(self, _message: OutgoingMessage) -> Attempt:
        self._under_way += 1
        self.most_at_a_time = max(self.most_at_a_time, self._under_way)
        await asyncio.sleep(self._chance.random() * 0.003)
        self._under_way -= 1
        if self._chance.random() < 0.5:
            return answer(self._chance.choice([500, 301, 429, None]), retry_after=3)
        if self._chance.random() < 0.2:
            raise OSError("killed after the receiver had accepted")
        return answer()


async def send(post) -> None:
    await asyncio.gather(*(post.new_courier().work_off() for _ in range(3)))


@pytest.mark.parametrize("seed", [1])
async def test_nothing_is_lost_or_out_of_order(post, seed):
    chance = random.Random(seed)
    endpoints = [await post.endpoint(f"E{number}") for number in range(2)]
    for endpoint in endpoints:
        await automation(post, endpoint, f"A of {endpoint.name}")
        post.sender.answers[endpoint.url] = Fickle(chance)
    is_inside = dict.fromkeys(PEOPLE, False)

    for _ in range(10):
        person = chance.choice(PEOPLE)
        await (go if is_inside[person] else come)(post, person)
        is_inside[person] = not is_inside[person]
        await post.stage.settle()
        post.stage.house.clock.advance(chance.choice([SECOND, carrier.LEASE, 60 * SECOND]))
        await send(post)
    assert [receiver.most_at_a_time for receiver in post.sender.answers.values()] == [1, 1]
    post.sender.answers.clear()
    post.stage.house.clock.advance(timedelta(days=1))
    await send(post)

    for endpoint in endpoints:
        assert set(await post.states(endpoint)) == {"DELIVERED"}
        check(once(post.sender.to(endpoint)), is_inside)


def once(sent: list[OutgoingMessage]) -> list[OutgoingMessage]:
    """Each message once. Its attempts follow each other, and no other message of the lane lies between."""
    attempts = [list(same) for _, same in groupby(sent, key=lambda message: message.message_id)]
    assert len({same[0].message_id for same in attempts}) == len(attempts)
    return [same[-1] for same in attempts]


def check(messages: list[OutgoingMessage], is_inside: dict[str, bool]) -> None:
    """Everybody enters and leaves in turn, up to where they are now, and each message continues where the last one ended."""
    for person, inside in is_inside.items():
        kinds = [kind for kind, of in told(messages) if of == person]
        assert kinds == ["ENTERED", "LEFT"] * (len(kinds) // 2) + ["ENTERED"] * inside
    assert len(told(messages)) == 10
    for before, after in pairwise(map(data, messages)):
        assert after["after"] == before["cursor"]


async def test_an_attempt_is_recorded_although_postgres_was_busy(post, monkeypatch):
    endpoint = await post.endpoint()
    await automation(post, endpoint)
    await come(post, "ada")
    await post.stage.settle()
    keep, refusals = deliveries.keep, [asyncpg.LockNotAvailableError("busy")] * 2

    async def busy(*args, **kwargs):
        if refusals:
            raise refusals.pop()
        return await keep(*args, **kwargs)

    monkeypatch.setattr(deliveries, "keep", busy)
    monkeypatch.setattr(carrier, "_AGAIN_SECONDS", 0.001)

    await post.new_carrier().carry(Lane(post.stage.house.bucket_id, endpoint.id))

    assert await post.deliveries(endpoint) == [("DELIVERED", 1)]
    assert len(post.sender.sent) == 1
