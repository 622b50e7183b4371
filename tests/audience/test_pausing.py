"""A paused segment stands still, and is filled anew when it is resumed; nothing that others read can be paused."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest

from audience_gql.audience.definitions.pausing import pause_segment, resume_segment
from audience_gql.audience.definitions.recomputes import recompute_progress
from audience_gql.audience.definitions.segments import InUse, create_segment, update_segment
from audience_gql.audience.failures import InvalidInput, NotFound
from audience_gql.conditions.vocabulary import PLAIN_IDS
from audience_gql.storage.engine import fills, membership
from audience_gql.storage.orm.models import Segment
from tests.waiting import somebody_waits

LITHUANIA = {"country": {"is": "LT"}}
LATVIA = {"country": {"is": "LV"}}
LAST_HOUR = {"event": {"name": "opened", "within": {"last": {"hours": 1}}}}


def inside(segment: Segment) -> dict[str, object]:
    return {"segment": {"anyOf": [str(segment.id)]}}


async def pause(house, segment) -> Segment:
    return await pause_segment(ports=house.ports, workspace=house.workspace, segment_id=segment.id)


async def resume(house, segment) -> Segment:
    return await resume_segment(ports=house.ports, workspace=house.workspace, segment_id=segment.id)


async def create(house, condition: object) -> Segment:
    return await create_segment(
        ports=house.ports, workspace=house.workspace, name="New", description=None, condition=condition, ids=PLAIN_IDS
    )  # fmt: skip


async def people(house) -> None:
    await house.upsert({"externalId": "ada", "country": "LT"}, {"externalId": "bob", "country": "LV"})
    await house.tick()


async def test_nobody_enters_or_leaves_a_paused_segment(house):
    await people(house)
    by_fact = await house.segment("By fact", LITHUANIA)
    by_clock = await house.segment("By clock", LAST_HOUR)
    other = await house.segment("Other", LITHUANIA)
    await house.track("ada", "opened", occurred_at=house.clock.instant)
    await house.tick()
    await pause(house, by_fact)
    await pause(house, by_clock)
    start = len(await house.log())

    await house.upsert({"externalId": "ada", "country": "LV"}, {"externalId": "bob", "country": "LT"})
    house.clock.advance(timedelta(hours=2))
    await house.tick()
    async with house.ports.database.transaction() as transaction:
        await fills.request_recompute(
            transaction.connection, [by_fact.id, by_clock.id], now=house.clock.instant, ticket=1
        )
        recomputed = set(await fills.all_segment_ids(transaction.connection))
    assert recomputed & {by_fact.id, by_clock.id, other.id} == {other.id}
    await house.fill()
    await house.membership.fill(house.bucket_id, by_fact.id)

    assert await house.members(by_fact) == {"ada"}
    assert await house.members(by_clock) == {"ada"}
    assert await house.members(other) == {"bob"}
    assert len(await house.log(since=start)) == 2


async def test_resuming_fills_anew_with_what_is_true_by_now(house):
    await people(house)
    segment = await house.segment("S", LITHUANIA)
    await pause(house, segment)
    await house.upsert({"externalId": "ada", "country": "LV"}, {"externalId": "bob", "country": "LT"})
    await house.tick()
    start, asked = len(await house.log()), len(house.jobs.fills)

    resumed = await resume(house, segment)
    await house.fill()

    assert not resumed.is_paused
    assert house.jobs.fills[asked:] == [segment.id]
    assert await house.members(segment) == {"bob"}
    assert sorted(await house.log(since=start)) == [("ada", False, "DEFINITION"), ("bob", True, "DEFINITION")]

    await house.upsert({"externalId": "ada", "country": "LT"})
    await house.tick()
    assert await house.members(segment) == {"ada", "bob"}


async def test_pausing_and_resuming_twice_changes_nothing_more(house):
    segment = await house.segment("S", LITHUANIA)

    assert (await resume(house, segment)).generation == 1
    paused = await pause(house, segment)
    house.clock.advance(timedelta(hours=1))
    assert (
        (await pause(house, segment)).paused_through
        == paused.paused_through
        == house.clock.instant - timedelta(hours=1)
    )
    assert (await resume(house, segment)).generation == 2
    assert (await resume(house, segment)).generation == 2
    assert (await Segment.get(id=segment.id)).revision == 1


async def test_what_others_read_cannot_be_paused(house):
    inner = await house.segment("Inner", LITHUANIA)
    outer = await house.segment("Outer", inside(inner))
    await pause(house, outer)

    with pytest.raises(InUse) as refused:
        await pause(house, inner)

    assert refused.value.used_by == (outer.id,)
    assert not (await Segment.get(id=inner.id)).is_paused
    with pytest.raises(NotFound):
        await pause_segment(ports=house.ports, workspace=house.workspace, segment_id=0)
    with pytest.raises(NotFound):
        await resume_segment(ports=house.ports, workspace=house.workspace, segment_id=None)


async def test_a_condition_cannot_name_a_paused_segment(house):
    paused = await house.segment("Paused", LITHUANIA)
    other = await house.segment("Other", LATVIA)
    await pause(house, paused)

    with pytest.raises(InvalidInput) as refused:
        await create(house, {"all": [{"segment": {"anyOf": ["1"]}}, inside(paused), inside(other)]})
    assert [(issue.code, issue.path[1:]) for issue in refused.value.issues] == [
        ("UNKNOWN", ("all", "0", "segment", "anyOf", "0")),
        ("CONFLICT", ("all", "1", "segment", "anyOf", "0")),
    ]
    with pytest.raises(InvalidInput) as refused:
        await update_segment(
            ports=house.ports, workspace=house.workspace, segment_id=other.id, condition=inside(paused), ids=PLAIN_IDS
        )  # fmt: skip
    assert [issue.code for issue in refused.value.issues] == ["CONFLICT"]
    assert not await Segment.exists(name="New", workspace_id=house.workspace.id)

    await resume(house, paused)
    assert (await create(house, inside(paused))).name == "New"


async def test_an_edit_of_a_paused_segment_takes_effect_when_it_is_resumed(house):
    await people(house)
    segment = await house.segment("S", LITHUANIA)
    inner = await house.segment("Inner", LATVIA)
    await pause(house, segment)

    await house.edit(segment, inside(inner))
    assert (await Segment.get(id=segment.id)).is_paused
    await house.edit(inner, {"country": {"in": ["LV", "EE"]}})
    assert await house.members(segment) == {"ada"}

    await resume(house, segment)
    await house.fill()
    assert await house.members(segment) == {"bob"}


async def test_a_recompute_of_a_paused_segment_fails_at_once_and_says_why(house):
    segment = await house.segment("S", LITHUANIA)
    await pause(house, segment)

    progress = [
        step
        async for step in recompute_progress(
            ports=house.ports, workspace=house.workspace, segment_id=segment.id
        )
    ]

    assert [step.phase for step in progress] == ["FAILED"]
    assert "paused" in (progress[0].failure or "")


async def test_a_paused_segment_that_was_being_filled_starts_over(house):
    await house.upsert(*({"externalId": str(n), "country": "LT"} for n in range(10)))
    await house.tick()
    segment = await create(house, LITHUANIA)
    assert await house.membership._filling._fill_range(house.bucket_id, segment.id, 3)
    part = await house.members(segment)

    paused = await pause(house, segment)
    await house.membership.fill(house.bucket_id, segment.id)
    assert await house.members(segment) == part
    assert paused.paused_through is None

    await resume(house, segment)
    await house.fill()
    assert await house.members(segment) == {str(n) for n in range(10)}


@pytest.mark.parametrize("step", ["tick", "fill"])
async def test_a_pause_waits_for_the_tick_or_fill_under_way(house, monkeypatch, step):
    await people(house)
    segment = await (house.segment("S", LITHUANIA) if step == "tick" else create(house, LITHUANIA))
    await house.upsert({"externalId": "bob", "country": "LT"})
    reached, go_on = asyncio.Event(), asyncio.Event()
    writing = "leave_bucket" if step == "tick" else "apply_to_segment"
    honest = getattr(membership, writing)

    async def write(*arguments, **named):
        reached.set()
        await go_on.wait()
        return await honest(*arguments, **named)

    monkeypatch.setattr(membership, writing, write)
    working = asyncio.create_task(
        house.tick() if step == "tick" else house.membership.fill(house.bucket_id, segment.id)
    )
    await reached.wait()
    pausing = asyncio.create_task(pause(house, segment))
    await waiting_for_a_lock(house, pausing)

    has_waited = not pausing.done()
    go_on.set()
    await pausing
    logged = await house.log()
    await working
    await house.upsert({"externalId": "ada", "country": None})
    await house.tick()

    assert has_waited
    assert await house.log() == logged
    assert await house.members(segment) == {"ada", "bob"}


async def waiting_for_a_lock(house, task: asyncio.Task[object]) -> None:
    """Until somebody in this database waits for a row, or the task is over."""
    while not task.done():
        if await somebody_waits(house.ports.database):
            return
