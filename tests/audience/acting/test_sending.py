"""What an automation sends to a webhook arrives, in order, composed of the present data."""

from __future__ import annotations

from datetime import timedelta

import orjson
import pytest
import pytest_asyncio

from audience_gql.audience.acting.editing import delete_automation
from audience_gql.audience.definitions.clearing import Clearing
from audience_gql.audience.definitions.fields import define_custom_field
from audience_gql.audience.people.erasure import erase_subscriber
from audience_gql.audience.people.keys import SubscriberKey
from audience_gql.audience.webhooks.figures import metrics
from tests.audience.acting.receiving import Post, answer, data, told

LITHUANIA = {"country": {"is": "LT"}}
ADA = SubscriberKey(kind="externalId", value="ada")
BOTH = ("ENTERED", "LEFT")


@pytest_asyncio.fixture(loop_scope="session")
async def post(stage) -> Post:
    return Post(stage)


async def come(post, *people):
    await post.stage.house.upsert(*({"externalId": person, "country": "LT"} for person in people))


async def go(post, *people):
    await post.stage.house.upsert(*({"externalId": person, "country": "LV"} for person in people))


async def automation(post, endpoint, name="Loyal", *, fields=(), on=BOTH, more=(), **rules):
    segment = await post.stage.house.segment(name, LITHUANIA)
    action = {"webhook": {"endpoint": endpoint.id, "fields": fields}}
    return await post.stage.automation(
        name, trigger={"segment": segment.id}, actions=[action, *more], on=on, **rules
    )


async def test_a_change_arrives_with_everything_a_receiver_needs(post):
    house, endpoint = post.stage.house, await post.endpoint()
    await define_custom_field(
        ports=house.ports, workspace=house.workspace, key="tier", label="Tier", type="TEXT"
    )
    await automation(post, endpoint, fields=["firstName", "birthday", "latitude", "tier"])
    await house.upsert(
        {
            "externalId": "ada",
            "email": "Ada@example.com",
            "country": "LT",
            "firstName": "Ada",
            "latitude": 54.6872,
            "longitude": 25.2797,
            "fields": [{"key": "tier", "value": "gold"}],
        }
    )

    await post.settle()

    (message,) = post.sender.to(endpoint)
    body = orjson.loads(message.body)
    (change,) = body["data"].pop("changes")
    assert change.pop("run").startswith("run_")
    assert change["list"].pop("id").startswith("seg_")
    assert change["subscriber"].pop("id").startswith("sub_")
    assert change == {
        "kind": "ENTERED",
        "list": {"kind": "SEGMENT", "name": "Loyal"},
        "subscriber": {
            "externalId": "ada",
            "email": "Ada@example.com",
            "fields": {"firstName": "Ada", "birthday": None, "latitude": 54.6872, "tier": "gold"},
            "isErased": False,
        },
        "cause": "SUBSCRIBER",
        "occurredAt": house.clock.instant.isoformat(),
    }
    assert (body["type"], body["timestamp"]) == (
        "audience.membership.changed",
        house.clock.instant.isoformat(),
    )
    assert body["data"]["automation"]["name"] == "Loyal"
    assert message.secrets == [endpoint.secret]
    assert await post.deliveries(endpoint) == [("DELIVERED", 1)]
    assert await post.courier.work_off() is None
    assert len(post.sender.sent) == 1


async def test_messages_hold_many_changes_and_not_too_many(post):
    endpoint = await post.endpoint()
    await automation(post, endpoint)
    people = [f"p{number:03}" for number in range(250)]
    await come(post, *people)

    await post.settle()

    messages = post.sender.to(endpoint)
    assert all(len(message.body) <= 20_000 for message in messages)
    assert all(len(data(message)["changes"]) <= 100 for message in messages)
    assert sorted(str(person) for _, person in told(messages)) == people
    assert len({message.message_id for message in messages}) == len(messages)


async def test_a_change_that_is_too_long_for_a_message_has_one_of_its_own(post):
    endpoint = await post.endpoint()
    await define_custom_field(
        ports=post.stage.house.ports,
        workspace=post.stage.house.workspace,
        key="note",
        label="Note",
        type="TEXT",
    )
    await automation(post, endpoint, fields=["note"])
    long = [{"key": "note", "value": "š" * 900}]
    people = [{"externalId": f"p{number}", "country": "LT", "fields": long} for number in range(20)]
    await post.stage.house.upsert(*people)

    await post.settle()

    messages = post.sender.to(endpoint)
    assert len(told(messages)) == 20
    assert len(messages) == 3
    assert all(len(message.body) <= 20_000 for message in messages)


async def test_an_attempt_sends_the_present_data(post):
    endpoint = await post.endpoint()
    await automation(post, endpoint, fields=["firstName"])
    post.sender.answers[endpoint.url] = answer(500)
    await post.stage.house.upsert({"externalId": "ada", "country": "LT", "firstName": "Ada"})
    await post.settle()

    await post.stage.house.upsert({"externalId": "ada", "firstName": "Augusta"})
    await post.pass_time(timedelta(seconds=5))

    names = [data(message)["changes"][0]["subscriber"]["fields"] for message in post.sender.sent]
    assert names == [{"firstName": "Ada"}, {"firstName": "Augusta"}]
    assert len({message.message_id for message in post.sender.sent}) == 1


async def test_a_run_that_fails_or_is_skipped_sends_nothing(post):
    house, endpoint = post.stage.house, await post.endpoint()
    await automation(post, endpoint, only_if={"firstName": {"is": "Ada"}})
    await come(post, "bob")
    await house.upsert({"externalId": "ada", "country": "LT", "firstName": "Ada"})

    await post.settle()

    assert told(post.sender.sent) == [("ENTERED", "ada")]


async def test_the_end_of_a_hold_is_sent_with_the_instant_of_the_change(post):
    house, endpoint = post.stage.house, await post.endpoint()
    await automation(post, endpoint, on=("ENTERED",), hold_for={"hours": 1})
    entered_at = house.clock.instant
    await come(post, "ada")
    await post.settle()
    assert post.sender.sent == []

    house.clock.advance(timedelta(hours=1))
    await post.settle()

    ((change,),) = [data(message)["changes"] for message in post.sender.sent]
    assert (change["cause"], change["occurredAt"]) == ("SUBSCRIBER", entered_at.isoformat())


async def test_an_erased_person_leaves_with_only_an_id(post):
    house, endpoint = post.stage.house, await post.endpoint()
    group = await house.group("G")
    acting = await automation(post, endpoint, fields=["firstName"], more=[{"addToGroup": group.id}])
    await house.upsert({"externalId": "ada", "country": "LT", "firstName": "Ada", "email": "ada@x.io"})
    await post.settle()

    await erase_subscriber(ports=house.ports, workspace=house.workspace, subscriber=ADA)
    await post.settle()

    before, after = (data(message)["changes"][0]["subscriber"] for message in post.sender.sent)
    assert after == {
        "id": before["id"],
        "externalId": None,
        "email": None,
        "fields": {},
        "isErased": True,
    }
    assert [state for _, state in await post.stage.states(acting)] == ["DONE", "SKIPPED"]


async def test_a_deleted_automation_sends_nothing_more(post, tick_pool):
    house, endpoint = post.stage.house, await post.endpoint()
    gone = await automation(post, endpoint, "Gone")
    await automation(post, endpoint, "Stays")
    post.sender.answers[endpoint.url] = answer(500)
    await come(post, "ada")
    await post.settle()
    await come(post, "bob")
    await post.stage.settle()
    post.sender.sent.clear()
    post.sender.answers.clear()

    await delete_automation(ports=house.ports, workspace=house.workspace, automation_id=gone.id)
    await Clearing(house.ports, tick_pool).clear(house.workspace.id)
    await post.courier.work_off()

    assert {data(message)["automation"]["name"] for message in post.sender.sent} == {"Stays"}
    assert sorted(told(post.sender.sent)) == [("ENTERED", "ada"), ("ENTERED", "bob")]


@pytest.mark.parametrize("is_cleared_first", [False, True])
async def test_a_deleted_automation_does_not_hold_up_a_lane(post, is_cleared_first, tick_pool):
    house, endpoint = post.stage.house, await post.endpoint()
    gone = await automation(post, endpoint, "Gone")
    await come(post, "ada")
    await post.stage.settle()
    await automation(post, endpoint, "Stays")
    await come(post, "bob")
    await post.stage.settle()

    await delete_automation(ports=house.ports, workspace=house.workspace, automation_id=gone.id)
    if is_cleared_first:
        await Clearing(house.ports, tick_pool).clear(house.workspace.id)
    await post.courier.work_off()

    assert told(post.sender.sent) == [("ENTERED", "bob")]


async def test_monitoring_sees_what_waits_and_what_was_delivered(post):
    before = await metrics(ports=post.stage.house.ports)
    endpoint = await post.endpoint()
    await automation(post, endpoint)
    post.sender.answers[endpoint.url] = answer(500)
    await come(post, "ada")
    await post.settle()
    post.stage.house.clock.advance(timedelta(seconds=3))

    waiting = await metrics(ports=post.stage.house.ports)
    post.sender.answers[endpoint.url] = answer()
    await post.pass_time(timedelta(seconds=10))
    after = await metrics(ports=post.stage.house.ports)

    assert waiting["audience_deliveries_waiting"] == before["audience_deliveries_waiting"] + 1
    assert waiting["audience_oldest_waiting_delivery_seconds"] >= 3.0
    assert after["audience_deliveries_waiting"] == before["audience_deliveries_waiting"]
    assert (
        after["audience_deliveries_delivered_last_hour"]
        == before["audience_deliveries_delivered_last_hour"] + 1
    )
