"""The order in which fills are worked off: by turns of workspaces, new segments before recomputes, and none of them twice."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Collection
from dataclasses import replace
from datetime import timedelta

import pytest

from audience_gql.audience.definitions.recomputes import recompute_everything
from audience_gql.audience.definitions.segments import create_segment, delete_segment, update_segment
from audience_gql.audience.engine import fill_queue, filling, plans
from audience_gql.audience.engine.fill_queue import FillQueue
from audience_gql.audience.engine.membership import Membership
from audience_gql.audience.engine.sharing import Share
from audience_gql.audience.people.subscribers import upsert_subscribers
from audience_gql.audience.tasks import end
from audience_gql.audience.wakeups import Listener
from audience_gql.audience.workspaces import create_workspace
from audience_gql.conditions import codec
from audience_gql.conditions.vocabulary import PLAIN_IDS
from audience_gql.storage import buckets
from audience_gql.storage.engine import fills
from audience_gql.storage.orm.models import Segment

A_WHILE = timedelta(minutes=5)
MANY = 20


class Noting(Membership):
    """Notes what it is asked to fill; `pause` is how long each turn takes beforehand."""

    def __init__(self, membership: Membership, pause: float = 0.0) -> None:
        self._membership = membership
        self._pause = pause
        self.turns: list[int] = []
        self.most_at_once_of_a_bucket = 0
        self._buckets: list[int] = []

    async def fill(self, bucket_id: int, segment_id: int, *, seconds: float = float("inf")) -> bool:
        self.turns.append(segment_id)
        self._buckets.append(bucket_id)
        self.most_at_once_of_a_bucket = max(self.most_at_once_of_a_bucket, self._buckets.count(bucket_id))
        try:
            await asyncio.sleep(self._pause)
            return await self._membership.fill(bucket_id, segment_id, seconds=seconds)
        finally:
            self._buckets.remove(bucket_id)


def everybody_s(_: int) -> bool:
    return True


async def neighbour(house, name: str = "Neighbour"):
    """Another workspace of the same database."""
    workspace = await create_workspace(ports=house.ports, name=name)
    async with house.ports.database.acquire() as connection:
        bucket_id = (await buckets.open_bucket_ids(connection, workspace.id))[-1]
    return replace(house, workspace=workspace, bucket_id=bucket_id)


async def wanted(house, count: int, name: str = "S") -> list[int]:
    """New segments that wait for their fills."""
    return [
        (
            await create_segment(
                ports=house.ports,
                workspace=house.workspace,
                name=f"{name} {number}",
                description=None,
                condition={"country": {"is": "LT"}},
                ids=PLAIN_IDS,
            )
        ).id
        for number in range(count)
    ]


async def waiting(house) -> set[int]:
    async with house.ports.database.acquire() as connection:
        return set(await fills.segments_to_fill(connection))


async def until(holds: Callable[[], Awaitable[object]]) -> None:
    async with asyncio.timeout(20):
        while not await holds():  # noqa: ASYNC110  # Postgres tells nobody
            await asyncio.sleep(0.001)


async def has_begun(engine: Noting, turns: int) -> bool:
    return len(engine.turns) >= turns


async def is_done(house) -> bool:
    return not await waiting(house)


async def work_off(house, engine: Noting) -> None:
    await FillQueue(house.ports, engine, everybody_s).work_off()


async def test_a_first_segment_does_not_wait_for_many_of_another_workspace(lone_house):
    many = await wanted(lone_house, MANY)
    (first,) = await wanted(await neighbour(lone_house), 1)
    engine = Noting(lone_house.membership)

    await work_off(lone_house, engine)

    assert engine.turns.index(first) < 2
    assert sorted(engine.turns) == sorted([*many, first])
    assert [it for it in engine.turns if it != first] == many
    assert await waiting(lone_house) == set()


async def test_a_workspace_of_many_buckets_has_no_more_turns_than_another(lone_house, monkeypatch):
    monkeypatch.setattr(fill_queue, "BUCKETS_AT_A_TIME", 1)
    other = await neighbour(lone_house)
    async with lone_house.ports.database.transaction() as transaction:
        for number in range(1, 7):
            await buckets.add_bucket(
                transaction.connection, lone_house.workspace.id, 10**6 + number, lone_house.clock.instant
            )
    (many,) = await wanted(lone_house, 1)
    few = await wanted(other, 3)
    engine = Noting(lone_house.membership)

    await work_off(lone_house, engine)

    assert engine.turns == [many, few[0], many, few[1], many, few[2], *[many] * 4]


async def test_one_that_comes_while_others_are_filled_has_its_workspace_s_next_turn(lone_house):
    many = await wanted(lone_house, MANY)
    other = await neighbour(lone_house)
    engine = Noting(lone_house.membership, pause=0.01)
    queue = FillQueue(lone_house.ports, engine, everybody_s)
    wakeups = Listener()
    running = asyncio.create_task(queue.run(wakeups))
    await until(lambda: has_begun(engine, 5))

    (first,) = await wanted(other, 1)
    begun = len(engine.turns)
    wakeups.wake(())
    await until(lambda: is_done(lone_house))
    await end(running)

    assert engine.turns.index(first) - begun < 10
    assert sorted(engine.turns) == sorted([*many, first])


@pytest.mark.slow
async def test_a_new_segment_goes_before_recomputes_of_any_workspace(lone_house):
    other = await neighbour(lone_house)
    for house in (lone_house, other):
        await wanted(house, MANY, "Old")
    await work_off(lone_house, Noting(lone_house.membership))
    lone_house.clock.advance(A_WHILE)
    recomputed = await recompute_everything(ports=lone_house.ports)
    new = [*await wanted(lone_house, 3, "New"), *await wanted(other, 3, "New")]
    engine = Noting(lone_house.membership)

    await work_off(lone_house, engine)

    last_new = max(engine.turns.index(segment_id) for segment_id in new)
    assert last_new < 2 * len(new)  # at most one recompute beside each
    assert sorted(engine.turns) == sorted([*recomputed, *new])


async def test_recomputes_leave_a_slot_to_new_segments(lone_house):
    for house in (lone_house, *[await neighbour(lone_house, f"N {number}") for number in range(5)]):
        await wanted(house, 1)
    await work_off(lone_house, Noting(lone_house.membership))
    lone_house.clock.advance(A_WHILE)
    await recompute_everything(ports=lone_house.ports)
    engine = Noting(lone_house.membership, pause=0.05)
    queue = FillQueue(lone_house.ports, engine, everybody_s)

    await queue.look()

    assert len(queue._running) == fill_queue.BUCKETS_AT_A_TIME - 1
    await end(*queue._running)


async def test_who_edits_a_segment_that_waits_for_a_recompute_need_not_wait_for_others(lone_house):
    old = await wanted(lone_house, MANY)
    await work_off(lone_house, Noting(lone_house.membership))
    lone_house.clock.advance(A_WHILE)
    await recompute_everything(ports=lone_house.ports)
    edited = old[-1]
    await update_segment(
        ports=lone_house.ports,
        workspace=lone_house.workspace,
        segment_id=edited,
        condition={"country": {"is": "LV"}},
        ids=PLAIN_IDS,
    )
    lone_house.clock.advance(A_WHILE)
    async with lone_house.ports.database.transaction() as transaction:  # a recompute puts nobody back
        await fills.request_recompute(
            transaction.connection, [edited], now=lone_house.clock.instant, ticket=2**60
        )
    engine = Noting(lone_house.membership)

    await work_off(lone_house, engine)

    assert engine.turns[0] == edited
    assert sorted(engine.turns) == sorted(old)


@pytest.mark.slow
async def test_nothing_is_filled_twice_however_often_somebody_looks(lone_house):
    many = await wanted(lone_house, MANY)
    others = await wanted(await neighbour(lone_house), MANY)
    engine = Noting(lone_house.membership, pause=0.005)
    queue = FillQueue(lone_house.ports, engine, everybody_s)

    await queue.look()
    while queue._running:
        await queue.look()
        await asyncio.sleep(0.001)

    assert sorted(engine.turns) == sorted([*many, *others])
    assert engine.most_at_once_of_a_bucket == 1
    assert await waiting(lone_house) == set()


async def test_a_fill_that_ends_while_somebody_looks_is_not_started_again(lone_house, monkeypatch):
    (segment_id,) = await wanted(lone_house, 1)
    engine = Noting(lone_house.membership)
    queue = FillQueue(lone_house.ports, engine, everybody_s)
    honest = fills.waiting_fills

    async def waiting_fills(connection, segment_ids):
        found = await honest(connection, segment_ids)
        while queue._running:
            await asyncio.wait(queue._running)
        return found

    await queue.look()
    monkeypatch.setattr(fills, "waiting_fills", waiting_fills)
    await queue.look()
    await queue.work_off()

    assert engine.turns == [segment_id]


async def test_workers_share_the_fills_and_do_none_of_them_twice(lone_house):
    houses = [lone_house, *[await neighbour(lone_house, f"N {number}") for number in range(9)]]
    asked = [segment_id for house in houses for segment_id in await wanted(house, 3)]
    engines = [Noting(lone_house.membership, pause=0.002) for _ in range(2)]
    shares = [Share(number, (1, 2)) for number in (1, 2)]

    await asyncio.gather(*(
        FillQueue(lone_house.ports, engine, share.has).work_off() for engine, share in zip(engines, shares, strict=True)
    ))  # fmt: skip

    assert all(engine.turns for engine in engines)
    assert sorted([*engines[0].turns, *engines[1].turns]) == sorted(asked)
    assert await waiting(lone_house) == set()


async def test_more_segments_than_one_look_reads_are_all_filled(lone_house, monkeypatch):
    monkeypatch.setattr(fill_queue, "_SEGMENTS_A_LOOK", 4)
    asked = [*await wanted(lone_house, 11), *await wanted(await neighbour(lone_house), 2)]
    engine = Noting(lone_house.membership)
    queue = FillQueue(lone_house.ports, engine, everybody_s)
    wakeups = Listener()

    running = asyncio.create_task(queue.run(wakeups))
    async with asyncio.timeout(4):  # less than the pause between looks
        await until(lambda: is_done(lone_house))
    await end(running)

    assert sorted(engine.turns) == sorted(asked)
    assert max(engine.turns.index(segment_id) for segment_id in asked[-2:]) < 4


async def test_each_condition_is_read_once_however_many_are_filled(lone_house, monkeypatch):
    read: list[object] = []
    honest = codec.parse

    def parse(stored, **more):
        read.append(stored)
        return honest(stored, **more)

    monkeypatch.setattr(plans, "parse", parse)
    await people(lone_house, 3)
    asked = await wanted(lone_house, MANY)

    await work_off(lone_house, Noting(lone_house.membership))
    await lone_house.edit(Segment(id=asked[0]), {"country": {"is": "LV"}})
    await lone_house.tick()

    assert len(read) == MANY + 1  # the edited one is another


async def test_a_long_fill_goes_on_in_its_workspace_s_next_turn(lone_house, monkeypatch):
    monkeypatch.setattr(filling, "FIRST_RANGE", 5)
    monkeypatch.setattr(filling, "next_size", lambda size, *_, **__: size)
    monkeypatch.setattr(fill_queue, "TURN_SECONDS", 0.0)
    monkeypatch.setattr(fill_queue, "BUCKETS_AT_A_TIME", 1)
    await people(lone_house, 40)
    (long,) = await wanted(lone_house, 1)
    short = await wanted(await neighbour(lone_house), 2)
    engine = Noting(lone_house.membership)

    await work_off(lone_house, engine)

    assert engine.turns.count(long) > 8  # ranges of five people
    assert max(engine.turns.index(segment_id) for segment_id in short) < 10
    assert len(await lone_house.members(Segment(id=long))) == 40


async def people(house, count: int) -> None:
    items = [{"externalId": f"p{number}", "country": "LT"} for number in range(count)]
    await upsert_subscribers(ports=house.ports, workspace=house.workspace, items=items)


async def test_what_a_killed_worker_leaves_is_taken_over(lone_house, monkeypatch):
    monkeypatch.setattr(filling, "FIRST_RANGE", 5)
    monkeypatch.setattr(filling, "next_size", lambda size, *_, **__: size)
    await people(lone_house, 40)
    asked = await wanted(lone_house, 2)
    killed = FillQueue(lone_house.ports, lone_house.membership, everybody_s)
    running = asyncio.create_task(killed.run(Listener()))
    await until(lambda: filled_to(lone_house, asked[0]))
    await end(running)
    assert await waiting(lone_house)

    await work_off(lone_house, Noting(lone_house.membership))

    for segment_id in asked:
        assert len(await lone_house.members(Segment(id=segment_id))) == 40
    assert len(await lone_house.log()) == 80
    assert await waiting(lone_house) == set()


async def filled_to(house, segment_id: int) -> int:
    """Up to which id a segment is filled; 0 before the first range."""
    rows = await house.ports.database.fetch(
        "SELECT filled_to FROM segment_states WHERE bucket_id = $1 AND segment_id = $2 AND filled_to > 0",
        house.bucket_id,
        segment_id,
    )
    return rows[0]["filled_to"] if rows else 0


class Broken(Noting):
    """An engine that cannot fill these segments."""

    def __init__(self, membership, broken: Collection[int], error: Exception) -> None:
        super().__init__(membership)
        self._broken = broken
        self._error = error

    async def fill(self, bucket_id: int, segment_id: int, *, seconds: float = float("inf")) -> bool:
        if segment_id in self._broken:
            self.turns.append(segment_id)
            raise self._error
        return await super().fill(bucket_id, segment_id, seconds=seconds)


@pytest.mark.parametrize("error", [KeyError(7), ConnectionError("away")], ids=repr)
async def test_a_fill_that_fails_stops_no_other_and_waits_for_the_next_look(lone_house, error):
    asked = await wanted(lone_house, 5)
    engine = Broken(lone_house.membership, asked[:1], error)

    await work_off(lone_house, engine)

    assert engine.turns == asked
    assert await waiting(lone_house) == {asked[0]}
    await work_off(lone_house, Noting(lone_house.membership))
    assert await waiting(lone_house) == set()


async def test_segments_of_which_nothing_can_be_done_leave_the_queue(lone_house):
    failed, deleted, filled = await wanted(lone_house, 3)
    await lone_house.ports.database.fetch(
        "UPDATE segments SET failure = 'too dear' WHERE id = $1 RETURNING id", failed
    )
    await delete_segment(ports=lone_house.ports, workspace=lone_house.workspace, segment_id=deleted)
    await lone_house.membership.fill(lone_house.bucket_id, filled)
    engine = Noting(lone_house.membership)

    await work_off(lone_house, engine)

    assert engine.turns == []
    assert await waiting(lone_house) == set()


async def test_a_deleted_segment_is_forgotten_after_new_ones(lone_house):
    await people(lone_house, 3)
    (deleted,) = await wanted(lone_house, 1, "Deleted")
    await work_off(lone_house, Noting(lone_house.membership))
    await delete_segment(ports=lone_house.ports, workspace=lone_house.workspace, segment_id=deleted)
    new = await wanted(lone_house, 3)
    engine = Noting(lone_house.membership)

    await work_off(lone_house, engine)

    assert engine.turns == [*new, deleted]
    left = await lone_house.ports.database.fetch(
        "SELECT FROM segment_members WHERE bucket_id = $1 AND segment_id = $2", lone_house.bucket_id, deleted
    )
    assert left == []
