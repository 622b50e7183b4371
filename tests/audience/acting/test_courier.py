"""Couriers keep the order of each lane, never lose a message, and let no receiver delay another one."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack
from datetime import timedelta

import pytest
import pytest_asyncio
from standardwebhooks import Webhook

from audience_gql.audience.ports import Attempt
from audience_gql.audience.webhooks import carrier
from audience_gql.audience.webhooks.endpoints import create_endpoint
from audience_gql.storage.acting.deliveries import Lane
from audience_gql.webhooks.sender import WebhookSender
from tests.audience.acting.receiving import Post, answer, data, told
from tests.audience.acting.test_sending import automation, come, go
from tests.webhooks.receivers import answering, listen, open_to

SECOND = timedelta(seconds=1)
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"


@pytest_asyncio.fixture(loop_scope="session")
async def post(stage) -> Post:
    return Post(stage)


def lane(post, endpoint) -> Lane:
    return Lane(post.stage.house.bucket_id, endpoint.id)


async def test_many_couriers_on_one_lane_keep_the_order(post):
    endpoint = await post.endpoint()
    await automation(post, endpoint)
    under_way, overlaps = 0, 0

    async def slowly(_message) -> Attempt:
        nonlocal under_way, overlaps
        under_way += 1
        overlaps += under_way > 1
        await asyncio.sleep(0.002)
        under_way -= 1
        return answer()

    post.sender.answers[endpoint.url] = slowly
    is_over = False

    async def send() -> None:
        courier = post.new_courier()
        while not is_over:
            courier.wake(post.stage.house.bucket_id, [endpoint.id])
            await courier.work_off()
            await asyncio.sleep(0.005)

    couriers = [asyncio.create_task(send()) for _ in range(4)]
    for _ in range(5):
        await come(post, "ada", "bob", "cid")
        await post.stage.settle()
        await go(post, "ada", "bob", "cid")
        await post.stage.settle()
    is_over = True
    await asyncio.gather(*couriers)
    await post.courier.work_off()

    for person in ("ada", "bob", "cid"):
        kinds = [kind for kind, of in told(post.sender.sent) if of == person]
        assert kinds == ["ENTERED", "LEFT"] * 5
    assert overlaps == 0
    assert len({message.message_id for message in post.sender.sent}) == len(post.sender.sent)


async def test_the_result_of_an_attempt_that_outlived_its_lease_is_not_recorded(post):
    endpoint = await post.endpoint()
    await automation(post, endpoint)
    await come(post, "ada")
    await post.stage.settle()
    is_sending, may_end = asyncio.Event(), asyncio.Event()

    async def hang(_message) -> Attempt:
        is_sending.set()
        await may_end.wait()
        return answer(500)

    post.sender.answers[endpoint.url] = hang
    slow = asyncio.create_task(post.new_carrier().carry(lane(post, endpoint)))
    await is_sending.wait()
    post.sender.answers[endpoint.url] = answer()
    await post.courier.work_off()
    assert len(post.sender.sent) == 1, "the lane is still taken"

    await post.pass_time(carrier.LEASE)
    assert await post.deliveries(endpoint) == [("DELIVERED", 1)]
    may_end.set()
    await slow

    assert await post.deliveries(endpoint) == [("DELIVERED", 1)]
    first, second = post.sender.sent
    assert first.message_id == second.message_id


async def test_a_message_whose_record_was_lost_comes_again_with_its_id(post):
    endpoint = await post.endpoint()
    await automation(post, endpoint)
    await come(post, "ada", "bob")
    await post.stage.settle()

    async def die(_message) -> Attempt:
        raise OSError("the process was killed")

    post.sender.answers[endpoint.url] = die
    with pytest.raises(OSError, match="killed"):
        await post.new_carrier().carry(lane(post, endpoint))
    post.sender.answers.clear()
    await come(post, "cid")
    await post.settle()
    assert len(post.sender.sent) == 1, "until its lease ends, the lane is taken"

    await post.pass_time(carrier.LEASE)

    first, again, last = post.sender.sent
    assert (first.message_id, first.body) == (again.message_id, again.body)
    assert told([last]) == [("ENTERED", "cid")]


async def test_a_courier_that_ends_gives_its_lanes_back(post):
    endpoint = await post.endpoint()
    await automation(post, endpoint)
    await come(post, "ada")
    await post.stage.settle()
    is_sending = asyncio.Event()

    async def hang(_message) -> Attempt:
        is_sending.set()
        await asyncio.Event().wait()
        raise AssertionError

    post.sender.answers[endpoint.url] = hang
    running = asyncio.create_task(post.new_courier().run())
    await is_sending.wait()
    running.cancel()
    await asyncio.wait([running])
    post.sender.answers.clear()

    await post.courier.work_off()

    assert await post.deliveries(endpoint) == [("DELIVERED", 1)]
    assert len({message.message_id for message in post.sender.sent}) == 1


async def test_a_receiver_that_hangs_delays_no_other(post):
    dead, good = await post.endpoint("Dead"), await post.endpoint("Good")
    await automation(post, dead, "To the dead one")
    await automation(post, good, "To the good one")
    may_end = asyncio.Event()

    async def hang(_message) -> Attempt:
        await may_end.wait()
        return answer(None)

    post.sender.answers[dead.url] = hang
    courier = post.new_courier(lanes=2, lanes_of_an_endpoint=1)
    await come(post, "ada")
    await post.stage.settle()
    sweeping = asyncio.create_task(courier.work_off())

    async with asyncio.timeout(10):
        for number in range(3):
            await come(post, f"p{number}")
            await post.stage.settle()
            courier.wake(post.stage.house.bucket_id, [dead.id, good.id])
            while len(told(post.sender.to(good))) < number + 2:
                post.sender.arrived.clear()
                await post.sender.arrived.wait()

    assert len(post.sender.to(dead)) == 1
    may_end.set()
    await sweeping


async def test_a_turn_ends_and_the_rest_follows(post, monkeypatch):
    monkeypatch.setattr(carrier, "MESSAGES_A_TURN", 1)
    endpoint = await post.endpoint()
    await automation(post, endpoint)
    await come(post, *(f"p{number}" for number in range(250)))
    await post.stage.settle()

    carried = await post.new_carrier().carry(lane(post, endpoint), 1)
    assert (carried.has_more, len(post.sender.sent)) == (True, 1)
    await post.courier.work_off()

    assert len(told(post.sender.sent)) == 250


async def test_a_real_receiver_verifies_what_it_gets(post):
    house = post.stage.house
    async with AsyncExitStack() as stack:
        receiver = await listen(stack, answering(OK))
        post.sender = WebhookSender(open_to(receiver))
        created = await create_endpoint(
            ports=house.ports,
            sender=post.sender,
            workspace=house.workspace,
            name="Real",
            url=f"http://127.0.0.1:{receiver.port}/hook",
        )
        await automation(post, created.endpoint)
        await come(post, "ada")
        house.clock.instant = await _present(house)
        await post.stage.settle()
        await post.new_courier().work_off()

    verified = Webhook(created.secret).verify(
        receiver.body, {name.lower(): value for name, value in receiver.headers.items()}
    )
    assert verified["data"]["changes"][0]["subscriber"]["externalId"] == "ada"
    assert await post.deliveries(created.endpoint) == [("DELIVERED", 1)]


async def _present(house):
    return await house.ports.database.fetchval("SELECT clock_timestamp()")


# ---- every way in which an attempt can fail


def _hangs_up():
    async def behave(_receiver, reader, writer):
        await reader.readuntil(b"\r\n\r\n")
        writer.transport.abort()

    return behave


def _never_answers():
    async def behave(_receiver, reader, _writer):
        while await reader.read(65536):
            pass

    return behave


def _never_stops():
    async def behave(_receiver, reader, writer):
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 500 No\r\nContent-Length: 1000000000\r\n\r\n")
        while True:
            writer.write(b"x" * 65536)
            await writer.drain()

    return behave


FAILING = {
    "500": (answering(b"HTTP/1.1 500 No\r\nContent-Length: 4\r\n\r\nsick"), 500, 5, "sick"),
    "301": (answering(b"HTTP/1.1 301 Moved\r\nLocation: /x\r\nContent-Length: 0\r\n\r\n"), 301, 5, ""),
    "429": (answering(b"HTTP/1.1 429 Slow\r\nRetry-After: 70\r\nContent-Length: 0\r\n\r\n"), 429, 70, ""),
    "503": (answering(b"HTTP/1.1 503 Busy\r\nRetry-After: 1\r\nContent-Length: 0\r\n\r\n"), 503, 5, ""),
    "reset": (_hangs_up(), None, 5, ""),
    "silence": (_never_answers(), None, 5, ""),
    "1 GB": (_never_stops(), 500, 5, "x" * 1024),
}


@pytest.mark.parametrize("how", FAILING)
async def test_a_failed_attempt_is_recorded_and_made_again(post, how):
    behave, status, seconds, response = FAILING[how]
    house = post.stage.house
    async with AsyncExitStack() as stack:
        receiver = await listen(stack, behave)
        post.sender = WebhookSender(open_to(receiver), attempt_seconds=0.3)
        created = await create_endpoint(
            ports=house.ports,
            sender=post.sender,
            workspace=house.workspace,
            name="Real",
            url=f"http://127.0.0.1:{receiver.port}/hook",
        )
        endpoint = created.endpoint
        await automation(post, endpoint)
        await come(post, "ada")
        await post.stage.settle()
        courier = post.new_courier()
        await courier.work_off()
        assert await post.deliveries(endpoint) == [("WAITING", 1)]
        house.clock.advance(timedelta(seconds=seconds) - SECOND)
        await courier.work_off()
        assert await post.deliveries(endpoint) == [("WAITING", 1)]
        house.clock.advance(SECOND)
        await courier.work_off()

    assert await post.deliveries(endpoint) == [("WAITING", 2)]
    attempts = await house.ports.database.fetch(
        "SELECT status, response, failure FROM delivery_attempts WHERE bucket_id = $1 AND number = 1",
        house.bucket_id,
    )
    ((got, text, failure),) = attempts
    assert (got, text) == (status, response)
    assert failure
    assert (await post.fresh(endpoint)).is_enabled


async def test_each_message_continues_where_the_last_one_ended(post):
    endpoint = await post.endpoint()
    await automation(post, endpoint)
    for person in ("ada", "bob", "cid"):
        await come(post, person)
        await post.settle()

    cursors = [(data(message)["after"], data(message)["cursor"]) for message in post.sender.sent]
    assert [after for after, _ in cursors[1:]] == [cursor for _, cursor in cursors[:-1]]
    assert len({cursor for _, cursor in cursors}) == 3
