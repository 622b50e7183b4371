"""The incremental path against the full one: whatever happens, after a tick nothing differs from what the raw facts say.

The full path compiles to another form of SQL and looks at everybody; the incremental one only at people with marks or on an edge.
"""

from __future__ import annotations

import asyncio
import os
import random
from dataclasses import replace
from datetime import timedelta

import pytest

from audience_gql.audience.definitions.groups import add_to_group, remove_from_group
from audience_gql.audience.engine.affected import Plan
from audience_gql.audience.engine.clockwork import Clockwork, Crowd
from audience_gql.audience.engine.membership import Membership
from audience_gql.audience.people.keys import SubscriberKey
from audience_gql.conditions.filters.count import CountFilter
from audience_gql.storage.clock import DatabaseClock
from audience_gql.storage.engine import edges as edges_storage
from audience_gql.storage.engine import membership
from audience_gql.storage.engine.evaluation import Evaluation

PEOPLE = [f"p{n}" for n in range(12)]
ROUNDS, SEEDS = (400, 3) if os.environ.get("AUDIENCE_FUZZ_LONG") else (50, 2)


def opened(**window: int) -> dict[str, object]:
    return {"event": {"name": "opened", "within": {"last": window}}}


async def segments(house):
    group = await house.group("Friends")
    recent = await house.segment("Recent", opened(minutes=1))
    return group, [
        recent,
        await house.segment(
            "Often",
            {"event": {"name": "opened", "times": {"atLeast": 3}, "within": {"last": {"minutes": 5}}}},
        ),
        await house.segment("Quiet", {"not": opened(minutes=2)}),
        await house.segment(
            "Just twice",
            {"event": {"name": "bought", "times": {"exactly": 2}, "within": {"last": {"minutes": 2}}}},
        ),
        await house.segment(
            "At most one",
            {"event": {"name": "opened", "times": {"atMost": 1}, "within": {"last": {"minutes": 3}}}},
        ),
        await house.segment(
            "A while ago", {"event": {"name": "opened", "within": {"olderThan": {"minutes": 2}}}}
        ),
        await house.segment("Lapsed", {"lastEvent": {"name": "opened", "at": {"notInLast": {"minutes": 2}}}}),
        await house.segment(
            "Spent",
            {
                "eventTotal": {
                    "name": "bought",
                    "of": "value",
                    "function": "SUM",
                    "is": {"gt": 10},
                    "within": {"last": {"minutes": 4}},
                }
            },
        ),
        await house.segment(
            "Friend and recent",
            {"all": [{"group": {"anyOf": [str(group.id)]}}, {"segment": {"anyOf": [str(recent.id)]}}]},
        ),
        await house.segment(
            "Neither",
            {
                "not": {
                    "any": [{"group": {"anyOf": [str(group.id)]}}, {"segment": {"anyOf": [str(recent.id)]}}]
                }
            },
        ),
        await house.segment(
            "Just entered",
            {"segment": {"anyOf": [str(recent.id)], "entered": {"inLast": {"minutes": 1}}}},
        ),
        await house.segment(
            "Long in",
            {"segment": {"anyOf": [str(recent.id)], "entered": {"notInLast": {"minutes": 2}}}},
        ),
        await house.segment(
            "Just agreed",
            {"channel": {"channel": "SMS", "status": ["ACTIVE"], "changed": {"inLast": {"minutes": 3}}}},
        ),
        await house.segment(
            "First bought", {"firstEvent": {"name": "bought", "at": {"notInLast": {"minutes": 3}}}}
        ),
        await house.segment("New", {"createdAt": {"inLast": {"minutes": 2}}}),
        await house.segment("In a city", {"city": {"isSet": True}}),
    ]


async def change_something(house, group, chance: random.Random) -> None:
    person = chance.choice(PEOPLE)
    key = SubscriberKey(kind="externalId", value=person)
    match chance.randrange(7):
        case 0 | 1:
            ago = timedelta(seconds=chance.choice([0, 0, 30, 59, 60, 61, 119, 120, 121, 240, -5, -20]))
            await house.track(person, "opened", occurred_at=house.clock.instant - ago)
        case 2:
            await house.track(
                person, "bought", value=chance.choice([3, 4.5, 8]), occurred_at=house.clock.instant
            )
        case 3:
            change = add_to_group if chance.random() < 0.5 else remove_from_group
            await change(ports=house.ports, workspace=house.workspace, group_id=group.id, subscribers=[key])
        case 4:
            await house.upsert({"externalId": person, "city": chance.choice([None, "Vilnius", "Kaunas"])})
        case 5:
            await house.upsert({"externalId": person})
        case 6:
            status = chance.choice(["ACTIVE", "UNCONFIRMED"])
            await house.upsert({"externalId": person, "channels": [{"channel": "SMS", "status": status}]})


def two_engines(house) -> list[Membership]:
    """Of two workers that take turns at the bucket: what one remembers, the other may have overtaken."""
    return [house.membership, Membership(house.ports, house.membership._pool)]


async def live_on(house, group, chance: random.Random) -> None:
    for _ in range(chance.randrange(4)):
        await change_something(house, group, chance)
    house.clock.advance(timedelta(seconds=chance.choice([0, 0, 1, 7, 30, 60])))


async def wrong_memberships(house) -> list[tuple[int, int, bool]]:
    """What the full path would change, at the instant of the last tick."""
    evaluation = Evaluation()
    wrong = []
    async with house.membership._pool.transaction() as connection:
        bucket = await membership.lock_bucket(connection, house.bucket_id)
        assert bucket
        plan = await house.membership._verdicts.plan(connection, bucket)
        for segment_id in plan.evaluable.conditions:
            found = await evaluation.differences_of_range(
                connection, house.bucket_id, plan.evaluable, segment_id, -1, 2**63 - 1, bucket.last_instant
            )
            wrong += [(segment_id, id_, True) for id_ in found.entering]
            wrong += [(segment_id, id_, False) for id_ in found.leaving]
    return wrong


async def replayed(house) -> set[tuple[int, int]]:
    rows = await house.ports.database.fetch(
        "SELECT list_id, subscriber_id, entered FROM membership_changes "
        "WHERE bucket_id = $1 AND list_kind = 'SEGMENT' ORDER BY sequence",
        house.bucket_id,
    )
    state: set[tuple[int, int]] = set()
    for row in rows:
        pair = (row["list_id"], row["subscriber_id"])
        assert (pair in state) != row["entered"], "somebody entered twice or left twice"
        state ^= {pair}
    return state


async def stored(house) -> set[tuple[int, int]]:
    rows = await house.ports.database.fetch(
        "SELECT segment_id, subscriber_id FROM segment_members WHERE bucket_id = $1", house.bucket_id
    )
    return {(row["segment_id"], row["subscriber_id"]) for row in rows}


@pytest.mark.parametrize(
    "seed", [0, *(pytest.param(seed, marks=pytest.mark.slow) for seed in range(1, SEEDS))]
)
async def test_after_every_tick_nothing_differs_from_the_facts(house, seed):
    chance = random.Random(seed)
    await house.upsert(*({"externalId": person} for person in PEOPLE[:6]))
    group, _ = await segments(house)
    engines = two_engines(house)
    for _ in range(ROUNDS):
        await live_on(house, group, chance)

        await chance.choice(engines).tick(house.bucket_id)

        assert await wrong_memberships(house) == [], f"seed {seed}"
    assert await replayed(house) == await stored(house)
    assert await stored(house)


@pytest.fixture
def crowds(monkeypatch):
    """A handful of people is a crowd, and is marked two by two."""
    for name, size in {"LEAST_A_TICK": 1, "PEOPLE_A_TICK": 8}.items():
        monkeypatch.setattr(f"audience_gql.audience.engine.membership.{name}", size)
    for name, size in {"FIRST_SLICE": 2, "LEAST_SLICE": 1, "LARGEST_SLICE": 3}.items():
        monkeypatch.setattr(f"audience_gql.audience.engine.clockwork.{name}", size)


async def is_drained(engine: Membership, bucket_id: int) -> bool:
    """Tick the bucket, and say whether nothing is left to do in it."""
    ticked = await engine.tick(bucket_id)
    assert ticked
    return ticked.is_drained


async def wrong_in_crowds(house) -> list[tuple[int, int, bool]]:
    """What is wrong of people whom no mark puts off, in a bucket that is not between two slices."""
    async with house.ports.database.acquire() as connection:
        bucket = await membership.read_bucket(connection, house.bucket_id)
        assert bucket
        if not bucket.is_up_to_date:
            return []
        wrong = await wrong_memberships(house)
        marked = await membership.marked_people(connection, house.bucket_id, {id_ for _, id_, _ in wrong})
    return [each for each in wrong if each[1] not in marked]


async def live_in_crowds(house, chance: random.Random, rounds: int) -> list[tuple[int, int, bool]]:
    """What is found wrong. Nothing is left to do at the end."""
    await house.upsert(*({"externalId": person} for person in PEOPLE))
    group, _ = await segments(house)
    engines = [Membership(house.ports, house.membership._pool) for _ in range(2)]
    for _ in range(rounds):
        await live_on(house, group, chance)
        for _ in range(chance.randrange(1, 5)):
            await chance.choice(engines).tick(house.bucket_id)
            if wrong := await wrong_in_crowds(house):
                return wrong
    while not await is_drained(engines[0], house.bucket_id):
        continue
    return await wrong_memberships(house)


@pytest.mark.parametrize(
    "seed", [0, *(pytest.param(seed, marks=pytest.mark.slow) for seed in range(1, SEEDS))]
)
async def test_a_crowd_is_exact_though_it_takes_many_ticks(house, crowds, monkeypatch, seed):  # noqa: ARG001  # a fixture for its effect
    slices = []
    honest = Clockwork._mark_slice

    async def marked(*arguments):
        slices.append(crowd := await honest(*arguments))
        return crowd

    monkeypatch.setattr(Clockwork, "_mark_slice", marked)

    assert await live_in_crowds(house, random.Random(seed), ROUNDS) == [], f"seed {seed}"

    assert await replayed(house) == await stored(house)
    assert any(crowd.marked_to is not None for crowd in slices), "no crowd was large enough"


def with_the_rest_of_a_crowd_forgotten(monkeypatch) -> None:
    honest = Clockwork._mark_slice

    async def marked(*arguments):
        return replace(await honest(*arguments), marked_to=None)

    monkeypatch.setattr(Clockwork, "_mark_slice", marked)


def without_a_look_at_what_came_after_a_crowd(monkeypatch) -> None:
    honest = Clockwork.ahead

    async def ahead(clockwork, connection, bucket, plan, crossing, marks, changes, now):
        left = await honest(clockwork, connection, bucket, plan, crossing, marks, changes, now)
        if not isinstance(crossing, Crowd) or crossing.marked_to is not None:
            return left
        return replace(left, times=replace(left.times, evaluated_through=now))

    monkeypatch.setattr(Clockwork, "ahead", ahead)


@pytest.mark.fuzz
@pytest.mark.parametrize(
    "plant", [with_the_rest_of_a_crowd_forgotten, without_a_look_at_what_came_after_a_crowd]
)
async def test_planted_bugs_of_crowds_are_found(house, crowds, monkeypatch, plant):  # noqa: ARG001  # a fixture for its effect
    plant(monkeypatch)

    assert await live_in_crowds(house, random.Random(0), 400), "the planted bug was not found"


def without_edges_at_the_fact_itself(monkeypatch) -> None:
    honest = edges_storage.crossed

    def crossed(edges, after, upto, *, timezone):
        return honest([edge for edge in edges if edge.offset], after, upto, timezone=timezone)

    monkeypatch.setattr(edges_storage, "crossed", crossed)


def without_edges_of_ages(monkeypatch) -> None:
    honest = edges_storage.crossed

    def crossed(edges, after, upto, *, timezone):
        return honest([edge for edge in edges if not edge.offset], after, upto, timezone=timezone)

    monkeypatch.setattr(edges_storage, "crossed", crossed)


def with_windows_closed_at_both_ends(monkeypatch) -> None:
    honest = edges_storage.crossed

    def crossed(edges, after, upto, *, timezone):
        late = timedelta(microseconds=1)
        return honest(edges, after - late, upto - late, timezone=timezone)

    monkeypatch.setattr(edges_storage, "crossed", crossed)


def with_one_newest_too_few(monkeypatch) -> None:
    """What leaves the window of "at least three times" as the third newest moves nobody."""
    honest = vars(CountFilter)["same_from"].fget
    monkeypatch.setattr(CountFilter, "same_from", property(lambda count: honest(count) - 1))


def with_memories_that_others_have_overtaken(monkeypatch) -> None:
    honest = Clockwork._horizon

    def horizon(clockwork, bucket, version):
        left = clockwork._remembered.get(bucket.id)
        return honest(clockwork, bucket if left is None else replace(bucket, turn=left.turn), version)

    monkeypatch.setattr(Clockwork, "_horizon", horizon)


def without_the_instants_that_marks_tell(monkeypatch) -> None:
    monkeypatch.setattr(Plan, "due_by_events", lambda *_: ())


def without_marks_of_groups(monkeypatch) -> None:
    honest = membership.take_marks

    async def take_marks(connection, bucket, limit):
        taken = await honest(connection, bucket, limit)
        return replace(taken, marks=[mark for mark in taken.marks if not mark.kind.startswith("group")])

    monkeypatch.setattr(membership, "take_marks", take_marks)


def without_marks_of_late_events(monkeypatch) -> None:
    """Events that happen now lie on an edge of their own; only the mark tells of one that comes late."""
    honest = membership.take_marks

    async def take_marks(connection, bucket, limit):
        taken = await honest(connection, bucket, limit)
        return replace(taken, marks=[mark for mark in taken.marks if mark.kind != "event"])

    monkeypatch.setattr(membership, "take_marks", take_marks)


@pytest.mark.fuzz
@pytest.mark.parametrize(
    "plant",
    [
        without_marks_of_late_events,
        without_edges_at_the_fact_itself,
        without_edges_of_ages,
        with_windows_closed_at_both_ends,
        without_marks_of_groups,
        with_one_newest_too_few,
        with_memories_that_others_have_overtaken,
        without_the_instants_that_marks_tell,
    ],
)
async def test_planted_bugs_are_found(house, monkeypatch, plant):
    chance = random.Random(0)
    await house.upsert(*({"externalId": person} for person in PEOPLE[:6]))
    group, _ = await segments(house)
    engines = two_engines(house)
    plant(monkeypatch)

    for _ in range(200):
        await live_on(house, group, chance)
        await chance.choice(engines).tick(house.bucket_id)
        if await wrong_memberships(house):
            return

    pytest.fail("the planted bug was not found")


async def test_concurrent_writers_and_ticks_end_exact(house):
    object.__setattr__(house.ports, "clock", DatabaseClock())
    await house.upsert(*({"externalId": person} for person in PEOPLE))
    group, made = await segments(house)

    async def write(seed: int) -> None:
        chance = random.Random(seed)
        for _ in range(ROUNDS // 2):
            async with house.ports.database.acquire() as connection:
                house.clock.instant = await DatabaseClock().now(connection)
            await change_something(house, group, chance)

    async def tick(writers: list[asyncio.Task[None]]) -> None:
        while not all(writer.done() for writer in writers):
            await house.tick()

    writers = [asyncio.create_task(write(seed)) for seed in range(6)]
    await asyncio.gather(*writers, tick(writers), tick(writers))
    while not (await house.tick()).is_drained:
        continue
    await house.tick()

    assert await wrong_memberships(house) == []
    assert await replayed(house) == await stored(house)
    counted = await house.ports.database.fetch(
        "SELECT segment_id, members FROM segment_states WHERE bucket_id = $1", house.bucket_id
    )
    members = await stored(house)
    assert {row["segment_id"]: row["members"] for row in counted} == {
        segment.id: sum(1 for segment_id, _ in members if segment_id == segment.id) for segment in made
    }
