"""Endpoints are created, edited, disabled, enabled, tested and deleted, and failed messages are replayed."""

from __future__ import annotations

from datetime import timedelta

import orjson
import pytest
import pytest_asyncio

from audience_gql.api.ids import MESSAGE_IDS
from audience_gql.audience.acting.editing import delete_automation
from audience_gql.audience.definitions.clearing import Clearing
from audience_gql.audience.definitions.segments import InUse
from audience_gql.audience.failures import InvalidInput, NameTaken, NotFound
from audience_gql.audience.webhooks import endpoints
from audience_gql.audience.webhooks.endpoints import (
    EndpointConflict,
    create_endpoint,
    delete_endpoint,
    disable_endpoint,
    enable_endpoint,
    rotate_secret,
    update_endpoint,
)
from audience_gql.audience.webhooks.replays import NotFailed, replay_delivery, replay_failed
from audience_gql.audience.webhooks.schedule import DELAYS, LONGEST_WISH, next_delay
from audience_gql.audience.workspaces import create_workspace
from audience_gql.storage.acting.delivery_pages import attempts_of_deliveries, deliveries_of_endpoints
from audience_gql.storage.reads.slices import Slice
from tests.audience.acting.receiving import Post, answer, told
from tests.audience.acting.test_sending import automation, come, go

SECOND = timedelta(seconds=1)
DAY = timedelta(days=1)


@pytest_asyncio.fixture(loop_scope="session")
async def post(stage) -> Post:
    return Post(stage)


def of(post, **more):
    return {"ports": post.stage.house.ports, "workspace": post.stage.house.workspace, **more}


async def fail_for_good(post, endpoint) -> None:
    """Let every attempt of the schedule fail."""
    post.sender.answers[endpoint.url] = answer(500)
    await post.settle()
    for delay in DELAYS:
        await post.pass_time(delay)
    post.sender.answers.clear()


# ---- schedule


async def test_attempts_follow_the_schedule_and_then_the_lane_goes_on(post):
    endpoint = await post.endpoint()
    await automation(post, endpoint)
    post.sender.answers[endpoint.url] = answer(500)
    await come(post, "ada")
    await post.settle()
    await go(post, "ada")
    await post.settle()

    for number, delay in enumerate(DELAYS, start=1):
        await post.pass_time(delay - SECOND)
        assert await post.deliveries(endpoint) == [("WAITING", number)]
        await post.pass_time(SECOND)

    assert await post.deliveries(endpoint) == [("FAILED", 10), ("WAITING", 1)]
    assert told(post.sender.sent) == [("ENTERED", "ada")] * 10 + [("LEFT", "ada")]
    assert (await post.fresh(endpoint)).is_enabled


def test_delays_vary_and_a_receiver_may_ask_for_more():
    def seconds(failed, chance=0.0, status=500, asked=None):
        delay = next_delay(failed, status=status, retry_after_seconds=asked, chance=chance)
        return None if delay is None else delay.total_seconds()

    assert [seconds(1, chance) for chance in (-1, 0, 1)] == [4, 5, 6]
    assert sum(seconds(failed) for failed in range(1, 10)) / 3600 == pytest.approx(75.6, abs=0.1)
    assert seconds(10) is None
    assert seconds(1, status=429, asked=90) == 90
    assert seconds(4, status=503, asked=1) == 7200
    assert seconds(1, status=503, asked=1e9) == LONGEST_WISH.total_seconds()
    assert seconds(1, status=500, asked=90) == 5


# ---- disabling and enabling


async def test_410_disables_an_endpoint_and_its_messages_wait(post):
    endpoint = await post.endpoint()
    await automation(post, endpoint)
    post.sender.answers[endpoint.url] = answer(410)
    await come(post, "ada")
    await post.settle()
    await come(post, "bob")
    await post.settle()
    await post.pass_time(DAY)

    gone = await post.fresh(endpoint)
    assert (gone.is_enabled, gone.disabled_reason) == (False, "The receiver answered 410.")
    assert len(post.sender.sent) == 1
    assert await post.deliveries(endpoint) == [("WAITING", 1)]


async def test_an_endpoint_that_fails_for_five_days_is_disabled(post):
    endpoint = await post.endpoint()
    await automation(post, endpoint)
    post.sender.answers[endpoint.url] = answer(500)
    await come(post, *(f"p{number:03}" for number in range(150)))
    await post.settle()
    for hours in range(6, 24 * 5, 6):
        await post.pass_time(timedelta(hours=6))
        assert (await post.fresh(endpoint)).is_enabled, hours
    await post.pass_time(DAY)

    gone = await post.fresh(endpoint)
    assert not gone.is_enabled
    assert gone.disabled_reason == (
        "Every attempt has failed for 5 days. The last one: The receiver answered 500."
    )
    sent = len(post.sender.sent)
    await post.pass_time(10 * DAY)
    assert len(post.sender.sent) == sent


async def test_one_success_begins_the_five_days_again(post):
    endpoint = await post.endpoint()
    await automation(post, endpoint)
    post.sender.answers[endpoint.url] = answer(500)
    await come(post, "ada")
    await post.settle()
    since = (await post.fresh(endpoint)).failing_since
    post.sender.answers.clear()
    await post.pass_time(DAY)

    assert since is not None
    assert (await post.fresh(endpoint)).failing_since is None


@pytest_asyncio.fixture(loop_scope="session")
async def disabled(post):
    """A disabled endpoint with a message that waits, and with a change that belongs to no message."""
    endpoint = await post.endpoint()
    await automation(post, endpoint)
    await come(post, "before")
    await post.settle()
    post.sender.answers[endpoint.url] = answer(500)
    await come(post, "ada")
    await post.settle()
    await disable_endpoint(**of(post, endpoint_id=endpoint.id))
    await come(post, "bob")
    await post.settle()
    post.sender.answers.clear()
    post.sender.sent.clear()
    return endpoint


async def test_a_disabled_endpoint_gets_nothing_and_no_reason_is_invented(post, disabled):
    await post.pass_time(DAY)

    assert post.sender.sent == []
    assert (await post.fresh(disabled)).disabled_reason is None


async def test_enabling_sends_what_waits(post, disabled):
    await enable_endpoint(**of(post, endpoint_id=disabled.id, waiting="SEND"))
    await post.courier.work_off()

    assert told(post.sender.sent) == [("ENTERED", "ada"), ("ENTERED", "bob")]
    assert await post.deliveries(disabled) == [("DELIVERED", 1), ("DELIVERED", 2), ("DELIVERED", 1)]
    assert (await post.fresh(disabled)).is_enabled


async def test_enabling_can_drop_what_waits(post, disabled):
    await enable_endpoint(**of(post, endpoint_id=disabled.id, waiting="DROP"))
    await post.courier.work_off()
    assert post.sender.sent == []
    await come(post, "cid")
    await post.settle()

    assert told(post.sender.sent) == [("ENTERED", "cid")]
    assert await post.states(disabled) == ["DELIVERED", "DROPPED", "DELIVERED"]


async def test_enabling_an_enabled_endpoint_drops_nothing(post):
    endpoint = await post.endpoint()
    await automation(post, endpoint)
    await come(post, "ada")
    await post.stage.settle()

    await enable_endpoint(**of(post, endpoint_id=endpoint.id, waiting="DROP"))
    await post.courier.work_off()

    assert told(post.sender.sent) == [("ENTERED", "ada")]


# ---- secrets and tests


async def test_both_secrets_sign_for_a_day(post):
    endpoint = await post.endpoint()
    await automation(post, endpoint)
    rotated = await rotate_secret(**of(post, sender=post.sender, endpoint_id=endpoint.id))

    for person, wait in (("ada", DAY - SECOND), ("bob", SECOND)):
        post.stage.house.clock.advance(wait)
        await come(post, person)
        await post.settle()

    assert rotated.secret != endpoint.secret
    assert [message.secrets for message in post.sender.sent] == [
        [rotated.secret, endpoint.secret],
        [rotated.secret],
    ]


async def test_a_test_message_is_sent_and_not_stored(post):
    endpoint = await post.endpoint()
    post.sender.answers[endpoint.url] = answer(410, response="what?")
    call = of(post, sender=post.sender, endpoint_id=endpoint.id, ids=MESSAGE_IDS)

    attempts = [await endpoints.test_endpoint(**call) for _ in range(2)]

    assert [(attempt.status, attempt.response) for attempt in attempts] == [(410, "what?")] * 2
    first, second = post.sender.sent
    assert orjson.loads(first.body)["type"] == "audience.test"
    assert first.message_id != second.message_id
    assert first.secrets == [endpoint.secret]
    assert await post.deliveries(endpoint) == []
    assert (await post.fresh(endpoint)).is_enabled


# ---- replays


async def test_a_failed_message_is_replayed(post):
    endpoint = await post.endpoint()
    await automation(post, endpoint)
    await come(post, "ada")
    await fail_for_good(post, endpoint)
    ((key,),) = await keys(post, endpoint)
    post.sender.answers[endpoint.url] = answer(500)

    await replay_delivery(**of(post, bucket_id=key[0], delivery_id=key[1]))
    with pytest.raises(NotFailed):
        await replay_delivery(**of(post, bucket_id=key[0], delivery_id=key[1]))
    await post.courier.work_off()
    assert await post.deliveries(endpoint) == [("WAITING", 11)]
    post.sender.answers.clear()
    await post.pass_time(DELAYS[0])

    assert await post.deliveries(endpoint) == [("DELIVERED", 12)]
    assert len({message.message_id for message in post.sender.sent}) == 1
    with pytest.raises(NotFailed):
        await replay_delivery(**of(post, bucket_id=key[0], delivery_id=key[1]))


async def keys(post, endpoint):
    pages = await deliveries_of_endpoints(
        post.stage.house.ports.database, post.stage.house.workspace.id, [endpoint.id], Slice(10)
    )
    return [[node.key for node in page.nodes] for page in pages.values()]


@pytest.mark.parametrize(("from_day", "to_day", "replayed"), [(0, 1, 1), (0, 9, 2), (1, 9, 1), (5, 9, 0)])
async def test_failed_messages_of_a_time_are_replayed_in_order(post, from_day, to_day, replayed):
    endpoint = await post.endpoint()
    await automation(post, endpoint)
    noon = post.stage.house.clock.instant
    await come(post, "ada")
    await fail_for_good(post, endpoint)
    await come(post, "zoe")
    await post.settle()
    await come(post, "bob")
    await fail_for_good(post, endpoint)
    assert await post.states(endpoint) == ["FAILED", "DELIVERED", "FAILED"]
    post.sender.sent.clear()

    count = await replay_failed(
        **of(post, endpoint_id=endpoint.id, since=noon + from_day * DAY, until=noon + to_day * DAY)
    )
    await post.courier.work_off()

    assert count == replayed
    wanted = [("ENTERED", "ada")] * (from_day == 0) + [("ENTERED", "bob")] * (to_day == 9 and from_day < 5)
    assert told(post.sender.sent) == wanted


async def test_a_replay_of_somebody_else_s_delivery_is_refused(post):
    endpoint = await post.endpoint()
    await automation(post, endpoint)
    await come(post, "ada")
    await fail_for_good(post, endpoint)
    (((bucket_id, delivery_id),),) = await keys(post, endpoint)
    ports = post.stage.house.ports
    other = await create_workspace(ports=ports, name=f"not {post.stage.house.workspace.name}")

    with pytest.raises(NotFound):
        await replay_delivery(ports=ports, workspace=other, bucket_id=bucket_id, delivery_id=delivery_id)
    for nobody in ((bucket_id, 1), (None, None)):
        with pytest.raises(NotFound):
            await replay_delivery(**of(post, bucket_id=nobody[0], delivery_id=nobody[1]))

    assert await post.states(endpoint) == ["FAILED"]


# ---- pages


async def test_pages_of_deliveries_and_attempts(post):
    house = post.stage.house
    first, second = await post.endpoint("A"), await post.endpoint("B")
    await automation(post, first, "A")
    await automation(post, second, "B")
    post.sender.answers[second.url] = answer(500, response="no")
    for person in ("ada", "bob", "cid"):
        house.clock.advance(SECOND)
        await come(post, person)
        await post.settle()
    read = house.ports.database, house.workspace.id, [second.id, first.id]

    pages = await deliveries_of_endpoints(*read, Slice(2))
    rest = await deliveries_of_endpoints(
        house.ports.database, house.workspace.id, [first.id], Slice(2, pages[first.id].positions[1])
    )
    waiting = await deliveries_of_endpoints(*read, Slice(5), states=["WAITING", "FAILED"])
    failing = waiting[second.id].nodes[0]
    attempts = await attempts_of_deliveries(
        house.ports.database, house.workspace.id, [failing.key, pages[first.id].nodes[0].key], Slice(5)
    )

    whole = [node.first_number for node in pages[first.id].nodes]
    assert (whole, [node.first_number for node in rest[first.id].nodes]) == ([3, 2, 1], [1])
    assert list(waiting) == [second.id]
    assert (failing.state, failing.attempts) == ("WAITING", 1)
    assert [(it.number, it.status, it.response) for it in attempts[failing.key].nodes] == [(1, 500, "no")]
    assert len(attempts) == 2


# ---- definitions


async def test_what_cannot_be_an_endpoint_is_refused(post):
    await post.endpoint("CRM")
    post.sender.refusal = "The address is private."
    with pytest.raises(InvalidInput) as refused:
        await create_endpoint(**of(post, sender=post.sender, name="", url="https://10.0.0.1"))
    post.sender.refusal = None
    assert [(issue.path, issue.code) for issue in refused.value.issues] == [
        (("name",), "REQUIRED"),
        (("url",), "MALFORMED"),
    ]
    with pytest.raises(NameTaken):
        await create_endpoint(**of(post, sender=post.sender, name="crm ", url="https://x.example.com"))
    with pytest.raises(InvalidInput):
        await create_endpoint(**of(post, sender=post.sender, name="Long", url="https://x.io/" + "x" * 2000))


async def test_a_workspace_has_a_bound_number_of_endpoints(post, monkeypatch):
    monkeypatch.setattr(endpoints, "ENDPOINTS_A_WORKSPACE", 1)
    await post.endpoint("A")

    with pytest.raises(InvalidInput, match="at most 1 webhook endpoints"):
        await post.endpoint("B")


async def test_an_edit_keeps_what_is_not_given_and_waits_for_nobody(post):
    endpoint = await post.endpoint("A")
    await automation(post, endpoint)
    post.sender.answers[endpoint.url] = answer(500)
    await come(post, "ada")
    await post.settle()
    call = of(post, sender=post.sender, endpoint_id=endpoint.id)

    edited = await update_endpoint(**call, url="https://new.example.com/", if_revision=1)
    with pytest.raises(EndpointConflict):
        await update_endpoint(**call, name="B", if_revision=1)
    with pytest.raises(InvalidInput):
        await update_endpoint(**call, url=None)
    await post.pass_time(DELAYS[0])

    assert (edited.name, edited.revision, edited.failing_since) == ("A", 2, None)
    assert [message.url for message in post.sender.sent] == [endpoint.url, "https://new.example.com/"]


async def test_an_endpoint_in_use_is_not_deleted_and_an_unused_one_leaves_nothing(post, tick_pool):
    house, endpoint = post.stage.house, await post.endpoint()
    acting = await automation(post, endpoint)
    await come(post, "ada")
    await post.settle()
    await come(post, "bob")
    await post.stage.settle()
    with pytest.raises(InUse) as refused:
        await delete_endpoint(**of(post, endpoint_id=endpoint.id))
    assert refused.value.automation_ids == (acting.id,)

    await delete_automation(ports=house.ports, workspace=house.workspace, automation_id=acting.id)
    await delete_endpoint(**of(post, endpoint_id=endpoint.id))
    await post.courier.work_off()
    await Clearing(house.ports, tick_pool, people=1).clear(house.workspace.id)

    for table in ("webhook_lanes", "webhook_changes", "webhook_chains", "deliveries", "delivery_attempts"):
        left = await house.ports.database.fetchval(
            f"SELECT count(*) FROM {table} WHERE bucket_id = $1", house.bucket_id
        )
        assert left == 0, table
    assert told(post.sender.sent) == [("ENTERED", "ada")]


async def test_nothing_is_done_to_an_endpoint_of_another_workspace(post):
    endpoint = await post.endpoint()
    ports = post.stage.house.ports
    other = await create_workspace(ports=ports, name=f"not {post.stage.house.workspace.name}")
    call = {"ports": ports, "workspace": other, "endpoint_id": endpoint.id}

    for refused in (
        disable_endpoint(**call),
        enable_endpoint(**call, waiting="DROP"),
        delete_endpoint(**call),
        rotate_secret(**call, sender=post.sender),
        update_endpoint(**call, sender=post.sender, name="Mine"),
        endpoints.test_endpoint(**call, sender=post.sender, ids=MESSAGE_IDS),
        replay_failed(**call, since=endpoint.created_at, until=endpoint.created_at),
    ):
        with pytest.raises(NotFound):
            await refused

    assert (await post.fresh(endpoint)).secret == endpoint.secret
