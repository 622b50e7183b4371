"""Bugs that the rules of acting exclude, planted on purpose: each is found, and without it the same course of events is right."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import timedelta

import pytest

from audience_gql.audience.acting import effects
from audience_gql.audience.acting.actor import Actor
from audience_gql.storage.acting import deliveries, runs
from tests.audience.acting.receiving import Post, answer

LITHUANIA = {"country": {"is": "LT"}}


class Killed(BaseException):
    """What ends a process in the middle. No `except Exception` stops it."""


async def killed_before_its_effect(stage, monkeypatch) -> list[str]:
    """The process that acts dies when it is about to perform an action. Another one goes on."""
    house = stage.house
    segment, group = await house.segment("S", LITHUANIA), await house.group("G")
    automation = await stage.automation(
        "A", trigger={"segment": segment.id}, actions=[{"addToGroup": group.id}]
    )
    await house.upsert({"externalId": "ada", "country": "LT"})
    await house.tick()
    honest = effects.Effects.perform

    async def perform(*_):
        raise Killed

    monkeypatch.setattr(effects.Effects, "perform", perform)
    with pytest.raises(Killed):
        await stage.act()
    monkeypatch.setattr(effects.Effects, "perform", honest)

    await stage.act()

    in_group, states = await stage.in_group(group), await stage.states(automation)
    return [] if in_group == {"ada"} and states == [("ada", "DONE")] else [f"{in_group}, {states}"]


def with_a_place_that_moves_before_the_effect(monkeypatch) -> None:
    honest = runs.unread

    async def unread(connection, bucket_id, list_kind, list_id, after, limit):
        found = await honest(connection, bucket_id, list_kind, list_id, after, limit)
        await connection.execute(
            "UPDATE automation_places SET sequence = $2 WHERE bucket_id = $1", bucket_id, found.head
        )
        await connection.execute("COMMIT")
        await connection.execute("BEGIN")
        return found

    monkeypatch.setattr(runs, "unread", unread)


async def left_without_a_tick(stage, _) -> list[str]:
    """A person leaves before their hold is over, but no worker ticks until it would be."""
    house = stage.house
    segment, group = await house.segment("S", LITHUANIA), await house.group("G")
    automation = await stage.automation(
        "A", trigger={"segment": segment.id}, hold_for={"hours": 1}, actions=[{"addToGroup": group.id}]
    )
    await house.upsert({"externalId": "ada", "country": "LT"})
    await stage.tick()
    house.clock.advance(timedelta(minutes=30))
    await house.upsert({"externalId": "ada", "country": "LV"})
    house.clock.advance(timedelta(minutes=31))

    await stage.act()
    await stage.settle()

    states = await stage.states(automation)
    return [] if states == [("ada", "CANCELLED")] else [f"{states}"]


def with_a_hold_that_is_read_from_the_clock(monkeypatch) -> None:
    honest_unread = runs.unread

    async def automations_with_work(connection, bucket_id):
        rows = await connection.fetch(
            "SELECT automation_id FROM automation_places WHERE bucket_id = $1", bucket_id
        )
        return [row["automation_id"] for row in rows]

    async def unread(connection, bucket_id, *arguments):
        found = await honest_unread(connection, bucket_id, *arguments)
        return replace(found, evaluated_through=found.evaluated_through + timedelta(hours=1))

    async def everybody(connection, bucket_id, automation_id, _, evaluated_through, __):
        columns = ", ".join(runs.WaitingRun._fields).replace("is_over", "true")
        rows = await connection.fetch(
            f"SELECT {columns} FROM runs WHERE bucket_id = $1 AND automation_id = $2 AND state = 'WAITING' AND due_at <= $3",
            bucket_id,
            automation_id,
            evaluated_through,
        )
        return [runs.WaitingRun(*row) for row in rows]

    monkeypatch.setattr(runs, "automations_with_work", automations_with_work)
    monkeypatch.setattr(runs, "unread", unread)
    monkeypatch.setattr(runs, "waiting_runs", everybody)


async def two_couriers_on_one_lane(stage, _) -> list[str]:
    """A receiver thinks for a long time about a message. Meanwhile the person leaves, and another courier looks for work."""
    post = Post(stage)
    endpoint = await post.endpoint()
    segment = await stage.house.segment("S", LITHUANIA)
    await stage.automation(
        "A",
        trigger={"segment": segment.id},
        on=["ENTERED", "LEFT"],
        actions=[{"webhook": {"endpoint": endpoint.id, "fields": []}}],
    )
    asked, go_on, answered = asyncio.Event(), asyncio.Event(), []

    async def slowly(message):
        if not asked.is_set():
            asked.set()
            await go_on.wait()
        answered.append(message.message_id)
        return answer()

    post.sender.answers[endpoint.url] = slowly
    await stage.house.upsert({"externalId": "ada", "country": "LT"})
    await stage.settle()
    first = asyncio.create_task(post.courier.work_off())
    await asked.wait()
    await stage.house.upsert({"externalId": "ada", "country": "LV"})
    await stage.settle()
    await post.new_courier().work_off()
    go_on.set()
    await first
    await post.courier.work_off()

    return [] if len(answered) == len(set(answered)) == 2 else [f"{answered}"]


def with_a_lane_that_two_may_have(monkeypatch) -> None:
    async def claim(connection, lane, lease, **_):
        return await connection.fetchval(
            "UPDATE webhook_lanes l SET lease = $3 WHERE l.bucket_id = $1 AND l.endpoint_id = $2 RETURNING l.formed_to",
            *lane,
            lease,
        )

    async def keep(connection, lane, _, **__):
        return await connection.fetchval(
            "SELECT l.formed_to FROM webhook_lanes l WHERE l.bucket_id = $1 AND l.endpoint_id = $2", *lane
        )

    monkeypatch.setattr(deliveries, "claim", claim)
    monkeypatch.setattr(deliveries, "keep", keep)


SCENARIOS = [
    (two_couriers_on_one_lane, with_a_lane_that_two_may_have),
    (killed_before_its_effect, with_a_place_that_moves_before_the_effect),
    (left_without_a_tick, with_a_hold_that_is_read_from_the_clock),
]


@pytest.mark.parametrize(("scenario", "plant"), SCENARIOS)
async def test_a_planted_bug_is_found(stage, monkeypatch, scenario, plant):
    plant(monkeypatch)

    assert await scenario(stage, monkeypatch) != []


@pytest.mark.parametrize(("scenario", "_"), SCENARIOS)
async def test_without_the_bug_all_is_right(stage, monkeypatch, scenario, _):
    assert await scenario(stage, monkeypatch) == []


async def test_many_processes_at_once_act_once_for_each_change(stage):
    house = stage.house
    segment = await house.segment("S", LITHUANIA)
    automation = await stage.automation(
        "A", trigger={"segment": segment.id}, actions=[{"trackEvent": {"name": "welcomed"}}]
    )
    people = [f"person {number}" for number in range(30)]
    await house.upsert(*({"externalId": person, "country": "LT"} for person in people))
    await house.tick()

    actors = [Actor(house.ports) for _ in range(6)]
    await asyncio.gather(*(actor.act(house.bucket_id) for actor in actors))

    assert sorted(await stage.states(automation)) == sorted((person, "DONE") for person in people)
    events = await house.ports.database.fetchval(
        "SELECT count(*) FROM events WHERE bucket_id = $1", house.bucket_id
    )
    assert events == len(people)
