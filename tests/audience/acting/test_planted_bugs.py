"""Bugs that the rules of acting exclude, planted on purpose: each is found, and without it the same course of events is right."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import timedelta

import pytest

from audience_gql.audience.acting import effects
from audience_gql.audience.acting.actor import Actor
from audience_gql.storage.acting import runs

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
        rows = await connection.fetch(
            "SELECT id, subscriber_id, entered, origin, due_at, due_at <= $3 FROM runs "
            "WHERE bucket_id = $1 AND automation_id = $2 AND state = 'WAITING'",
            bucket_id,
            automation_id,
            evaluated_through,
        )
        return [runs.WaitingRun(*row) for row in rows if row[5]]

    monkeypatch.setattr(runs, "automations_with_work", automations_with_work)
    monkeypatch.setattr(runs, "unread", unread)
    monkeypatch.setattr(runs, "waiting_runs", everybody)


SCENARIOS = [
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
