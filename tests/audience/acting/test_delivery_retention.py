"""Old messages of webhooks are forgotten, and those that wait are not."""

from __future__ import annotations

from datetime import timedelta

import pytest
import pytest_asyncio

from audience_gql.audience.webhooks.endpoints import disable_endpoint, enable_endpoint
from audience_gql.audience.webhooks.retention import KEPT, forget_old_deliveries
from tests.audience.acting.receiving import Post, answer, told
from tests.audience.acting.test_sending import automation, come

SECOND = timedelta(seconds=1)


@pytest_asyncio.fixture(loop_scope="session")
async def post(stage) -> Post:
    return Post(stage)


async def rows(post) -> list[int]:
    database, bucket_id = post.stage.house.ports.database, post.stage.house.bucket_id
    return [
        await database.fetchval(f"SELECT count(*) FROM {table} WHERE bucket_id = $1", bucket_id)
        for table in ("deliveries", "delivery_attempts", "webhook_changes")
    ]


@pytest.mark.parametrize("a_slice", [1, 2, 100])
async def test_what_ended_long_ago_is_forgotten(post, a_slice):
    house, endpoint = post.stage.house, await post.endpoint()
    await automation(post, endpoint)
    for person in ("ada", "bob"):
        await come(post, person)
        await post.settle()
    await disable_endpoint(ports=house.ports, workspace=house.workspace, endpoint_id=endpoint.id)
    await come(post, "dropped")
    await post.settle()
    await enable_endpoint(
        ports=house.ports, workspace=house.workspace, endpoint_id=endpoint.id, waiting="DROP"
    )
    house.clock.advance(SECOND)
    post.sender.answers[endpoint.url] = answer(500)
    await come(post, "waits")
    await post.settle()

    house.clock.advance(KEPT - SECOND)
    await forget_old_deliveries(ports=house.ports, messages_a_slice=a_slice)
    assert await rows(post) == [3, 3, 4]
    house.clock.advance(SECOND)
    await forget_old_deliveries(ports=house.ports, messages_a_slice=a_slice)

    assert await rows(post) == [1, 1, 1]
    post.sender.answers.clear()
    post.sender.sent.clear()
    await post.courier.work_off()
    assert told(post.sender.sent) == [("ENTERED", "waits")]


async def test_what_was_formed_long_ago_and_has_just_ended_stays(post):
    house, endpoint = post.stage.house, await post.endpoint()
    await automation(post, endpoint)
    await come(post, "ada")
    await post.settle()
    post.sender.answers[endpoint.url] = answer(500)
    await come(post, "bob")
    await post.settle()
    post.sender.answers.clear()
    await post.pass_time(KEPT)

    house.clock.advance(SECOND)
    await forget_old_deliveries(ports=house.ports)

    assert await post.deliveries(endpoint) == [("DELIVERED", 2)]
    assert await rows(post) == [1, 2, 1]
