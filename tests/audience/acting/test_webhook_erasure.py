"""Nothing about an erased person stays in the tables of webhooks, and nothing about them is sent."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest
import pytest_asyncio

from audience_gql.audience.people.erasure import erase_subscriber
from audience_gql.audience.people.keys import SubscriberKey
from audience_gql.audience.ports import Attempt
from tests.audience.acting.receiving import Post, answer
from tests.audience.acting.test_sending import automation

CANARY = "canary-7f3a"
ADA = SubscriberKey(kind="externalId", value=CANARY)
TABLES = ("webhook_lanes", "webhook_changes", "webhook_chains", "deliveries", "delivery_attempts", "runs")


@pytest_asyncio.fixture(loop_scope="session")
async def post(stage) -> Post:
    return Post(stage)


async def erase(post) -> None:
    house = post.stage.house
    await erase_subscriber(ports=house.ports, workspace=house.workspace, subscriber=ADA)


async def tables_with_the_canary(post) -> list[str]:
    found = []
    for table in TABLES:
        rows = await post.stage.house.ports.database.fetch(
            f"SELECT t::text AS row FROM {table} t WHERE t.bucket_id = $1", post.stage.house.bucket_id
        )
        assert rows, table
        if any(CANARY in row["row"] for row in rows):
            found.append(table)
    return found


async def echo(message) -> Attempt:
    return answer(500, response=message.body.decode())


async def begin(post):
    endpoint = await post.endpoint()
    await automation(post, endpoint, fields=["firstName", "city"])
    person = {"externalId": CANARY, "country": "LT", "email": f"{CANARY}@x.io", "firstName": CANARY}
    await post.stage.house.upsert(person, {"externalId": "bob", "country": "LT"})
    return endpoint


@pytest.mark.parametrize("is_formed", [False, True])
async def test_the_tables_hold_nothing_of_a_person(post, is_formed):
    endpoint = await begin(post)
    post.sender.answers[endpoint.url] = answer(500, response="no")
    await post.stage.settle()
    if is_formed:
        await post.courier.work_off()
        assert await tables_with_the_canary(post) == []

    await erase(post)
    await post.stage.settle()
    post.sender.sent.clear()
    await post.courier.work_off()
    await post.pass_time(timedelta(days=1))

    assert post.sender.sent
    assert all(CANARY not in message.body.decode() for message in post.sender.sent)
    assert await tables_with_the_canary(post) == []


async def test_an_answer_that_repeats_the_message_is_forgotten(post):
    endpoint = await begin(post)
    post.sender.answers[endpoint.url] = echo
    await post.settle()
    assert await tables_with_the_canary(post) == ["delivery_attempts"]

    await erase(post)

    assert await tables_with_the_canary(post) == []


async def test_an_answer_that_arrives_after_the_erasure_is_not_kept(post):
    endpoint = await begin(post)
    is_sending, may_end = asyncio.Event(), asyncio.Event()

    async def late(message) -> Attempt:
        is_sending.set()
        await may_end.wait()
        return await echo(message)

    post.sender.answers[endpoint.url] = late
    await post.stage.settle()
    sending = asyncio.create_task(post.courier.work_off())
    await is_sending.wait()
    await erase(post)
    may_end.set()
    await sending

    assert await post.deliveries(endpoint) == [("WAITING", 1)]
    assert await tables_with_the_canary(post) == []
