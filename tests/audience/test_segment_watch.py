"""Whoever watches segments is told what they are by now: at once, and when they change, and by one look for all."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack, aclosing
from unittest.mock import patch

import pytest

from audience_gql.audience.definitions.pausing import pause_segment
from audience_gql.audience.definitions.segments import delete_segment, update_segment
from audience_gql.audience.failures import NotFound
from audience_gql.audience.log.segment_watch import SegmentWatch
from audience_gql.conditions.vocabulary import PLAIN_IDS
from audience_gql.storage.reads import batches

LT = {"country": {"is": "LT"}}


def watch_of(house, pause_seconds: float = 0.02) -> SegmentWatch:
    return SegmentWatch(house.ports, pause_seconds=pause_seconds, poll_seconds=30.0)


def watching(watch, house, *segments):
    return aclosing(watch.follow(house.workspace.id, [segment.id for segment in segments]))


async def told(updates):
    async with asyncio.timeout(5):
        watched = await anext(updates)
    return watched.segment.name, watched.figures.state, watched.figures.members


async def rename(house, segment, name: str) -> None:
    await update_segment(
        ports=house.ports, workspace=house.workspace, segment_id=segment.id, name=name, ids=PLAIN_IDS
    )


async def test_each_is_told_at_once_and_then_what_changes(house):
    first, second = await house.segment("LT", LT), await house.segment("Not LT", {"not": LT})

    async with watching(watch_of(house), house, first, second) as updates:
        assert [await told(updates), await told(updates)] == [("LT", "READY", 0), ("Not LT", "READY", 0)]
        await house.upsert({"externalId": "1", "country": "LT"})
        await house.tick()
        assert await told(updates) == ("LT", "READY", 1)
        await rename(house, second, "Elsewhere")
        assert await told(updates) == ("Elsewhere", "READY", 0)
        await pause_segment(ports=house.ports, workspace=house.workspace, segment_id=second.id)
        assert await told(updates) == ("Elsewhere", "PAUSED", 0)


async def test_a_filling_segment_is_told_of_until_it_is_ready(house):
    await house.upsert({"externalId": "1", "country": "LT"})
    segment = await house.segment("LT", {"country": {"is": "DE"}})

    async with watching(watch_of(house), house, segment) as updates:
        assert await told(updates) == ("LT", "READY", 0)
        await update_segment(
            ports=house.ports, workspace=house.workspace, segment_id=segment.id, condition=LT, ids=PLAIN_IDS
        )
        assert await told(updates) == ("LT", "COMPUTING", 0)
        await house.fill()
        while (update := await told(updates))[1] != "READY":
            assert update[1] == "COMPUTING"

    assert update == ("LT", "READY", 1)


async def test_what_changes_often_is_told_now_and_then_as_it_is_by_then(house):
    segment = await house.segment("LT", LT)

    async with watching(watch_of(house, pause_seconds=0.3), house, segment) as updates:
        await told(updates)
        for number in range(10):
            await house.upsert({"externalId": str(number), "country": "LT"})
            await house.tick()
        sizes = [(await told(updates))[2]]
        while sizes[-1] < 10:
            sizes.append((await told(updates))[2])

    assert len(sizes) < 10
    assert sizes == sorted(set(sizes))


async def test_one_look_serves_all_who_watch(house):
    segment = await house.segment("LT", LT)
    watch = watch_of(house, pause_seconds=0.2)
    looks: list[list[int]] = []
    read = batches.watched_segments

    async def counted(database, workspace_id, ids):
        looks.append(list(ids))
        return await read(database, workspace_id, ids)

    async with AsyncExitStack() as stack:
        everybody = [await stack.enter_async_context(watching(watch, house, segment)) for _ in range(20)]
        assert {await told(updates) for updates in everybody} == {("LT", "READY", 0)}
        with patch.object(batches, "watched_segments", counted):
            await house.upsert({"externalId": "1", "country": "LT"})
            await house.tick()
            assert {await told(updates) for updates in everybody} == {("LT", "READY", 1)}

    assert len(looks) <= 2, "the signal's, and one that was due already"
    assert looks[0] == [segment.id]


async def test_what_a_newcomer_finds_is_told_to_those_who_were_there(house):
    segment = await house.segment("LT", LT)
    watch = watch_of(house, pause_seconds=0.5)

    async with watching(watch, house, segment) as early, watching(watch, house, segment) as late:
        await told(early)
        await house.upsert({"externalId": "1", "country": "LT"})
        await house.tick()
        assert await told(early) == ("LT", "READY", 1)  # now the reader pauses
        await house.upsert({"externalId": "2", "country": "LT"})
        await house.tick()
        assert await told(late) == ("LT", "READY", 2)
        assert await told(early) == ("LT", "READY", 2)


async def test_deleted_ones_are_told_of_no_more_and_the_last_ends_it(house):
    first, second = await house.segment("LT", LT), await house.segment("Not LT", {"not": LT})

    async with watching(watch_of(house), house, first, second) as updates:
        await told(updates), await told(updates)
        await delete_segment(ports=house.ports, workspace=house.workspace, segment_id=first.id)
        await rename(house, second, "Elsewhere")
        assert await told(updates) == ("Elsewhere", "READY", 0)
        await delete_segment(ports=house.ports, workspace=house.workspace, segment_id=second.id)
        with pytest.raises(StopAsyncIteration):
            await told(updates)


async def test_what_is_not_there_is_not_found(house):
    segment = await house.segment("LT", LT)

    async with aclosing(watch_of(house).follow(house.workspace.id, [segment.id, 1])) as updates:
        with pytest.raises(NotFound) as refused:
            await anext(updates)

    assert refused.value.path == ("ids", 1)


async def test_nobody_watching_nothing_runs(house):
    segment = await house.segment("LT", LT)
    watch = watch_of(house)
    listeners = house.ports.signals._changes.setdefault(house.workspace.id, set())

    async with watching(watch, house, segment) as one, watching(watch, house, segment) as other:
        await told(one), await told(other)
        assert len(listeners) == 1

    assert (len(listeners), watch._watches) == (0, {})
    assert "segment watch" not in {task.get_name() for task in asyncio.all_tasks()}
