"""Who was a member at an instant, as the log tells it, is who was recorded as a member at that instant."""

from __future__ import annotations

import os
import random
from bisect import bisect_right
from collections.abc import Mapping
from datetime import datetime, timedelta
from itertools import groupby
from typing import TypeAlias

import pytest

from audience_gql.audience.log.retention import prune
from audience_gql.audience.people.erasure import erase_subscriber
from audience_gql.audience.people.keys import SubscriberKey
from audience_gql.storage import buckets, definitions
from audience_gql.storage.insights.log_positions import LogExpired
from audience_gql.storage.insights.past import WasMember, members_of_segments, were_members
from audience_gql.storage.postgres.database import Transaction
from audience_gql.storage.reads.slices import Position, Slice
from tests.audience.conftest import House
from tests.audience.test_simulated_clock import ZONES, change_somebody, define, open_house

Owner: TypeAlias = tuple[int, int]
Memberships: TypeAlias = Mapping[tuple[int, Owner], datetime]
"""Since when who is in which segment."""

INSTANTS = 50
MICROSECOND = timedelta(microseconds=1)
DAY = timedelta(days=1)


async def bucket_ids(house: House) -> list[int]:
    async with house.ports.database.acquire() as connection:
        return await buckets.bucket_ids(connection, house.workspace.id)


async def open_another_bucket(house: House) -> None:
    """New people go there."""
    *_, full = await bucket_ids(house)

    async def work(transaction: Transaction) -> None:
        connection = transaction.connection
        await definitions.lock_workspace(connection, house.workspace.id)
        another = await house.ports.database.ids.one(connection)
        await buckets.add_bucket(connection, house.workspace.id, another, house.clock.instant)
        await buckets.close_bucket(connection, full, beside=another)

    await house.ports.database.run(work)


async def tick(house: House) -> None:
    for bucket_id in await bucket_ids(house):
        assert await house.membership.tick(bucket_id) is not None


async def memberships(house: House) -> Memberships:
    """The memberships now, as the engine has stored them."""
    rows = await house.ports.database.fetch(
        "SELECT m.segment_id, m.bucket_id, m.subscriber_id, m.entered_at FROM buckets b "
        "JOIN segment_members m ON m.bucket_id = b.id WHERE b.workspace_id = $1",
        house.workspace.id,
    )
    return {(row[0], (row[1], row[2])): row[3] for row in rows}


async def erase(house: House, person: str) -> None:
    key = SubscriberKey(kind="externalId", value=person)
    await erase_subscriber(ports=house.ports, workspace=house.workspace, subscriber=key)


async def told_members(
    house: House, segment_ids: list[int], instant: datetime, size: int
) -> dict[tuple[int, Owner], datetime]:
    """The members of all segments at an instant, read in pages of this size."""
    database = house.ports.database
    found: dict[tuple[int, Owner], datetime] = {}
    after: dict[int, Position | None] = dict.fromkeys(segment_ids)
    while after:
        follows: dict[int, Position | None] = {}
        for position, same in groupby(sorted(after, key=lambda it: str(after[it])), key=after.get):
            part = Slice(size, position)
            pages = await members_of_segments(database, house.workspace.id, list(same), part, instant=instant)
            for segment_id, page in pages.items():
                nodes, positions = page.entries.nodes[:size], page.entries.positions
                for person, reached in zip(nodes, positions, strict=False):
                    assert (segment_id, person.owner) not in found, "on two pages"
                    found[segment_id, person.owner] = reached[0]
                if len(page.entries) > size:
                    follows[segment_id] = positions[size - 1]
        after = follows
    return found


async def walk(house: House, tick_pool, chance: random.Random):
    """Eight people in two buckets lead random lives. Returns the segments, and the memberships at each of many instants."""
    house = await open_house(house, tick_pool, chance.randrange(10**6))
    people = [{"externalId": f"p{number}", "timezone": zone} for number, zone in enumerate(ZONES)]
    await house.upsert(*people[:4])
    for name in ("opened", "bought"):
        await house.track("p0", name)
    group, conditions = await define(house)
    await open_another_bucket(house)
    await house.upsert(*people[4:])
    record: dict[datetime, Memberships] = {}
    for step in range(INSTANTS):
        if step == INSTANTS // 2:
            await erase(house, "p3")
            await house.upsert(people[3])  # another person with that key
        for _ in range(chance.randrange(4)):
            await change_somebody(house, group, chance)
        await tick(house)
        record[house.clock.instant] = await memberships(house)
        length = chance.choice([timedelta(0), MICROSECOND, timedelta(hours=7), 3 * DAY, 20 * DAY, 45 * DAY])
        house.clock.advance(length)
    return house, sorted(conditions), record


def recorded(record: Mapping[datetime, Memberships], instant: datetime) -> Memberships:
    """The memberships at an instant: those of the last recorded one."""
    instants = sorted(record)
    place = bisect_right(instants, instant)
    return record[instants[place - 1]] if place else {}


async def living(house: House) -> set[Owner]:
    rows = await house.ports.database.fetch(
        "SELECT s.bucket_id, s.id FROM buckets b JOIN subscribers s ON s.bucket_id = b.id WHERE b.workspace_id = $1",
        house.workspace.id,
    )
    return {(row[0], row[1]) for row in rows}


@pytest.mark.fuzz
@pytest.mark.parametrize("seed", range(6) if os.environ.get("AUDIENCE_FUZZ_LONG") else range(1))
async def test_members_at_an_instant_are_those_who_were_recorded_then(house, tick_pool, seed):
    chance = random.Random(seed)
    house, segment_ids, record = await walk(house, tick_pool, chance)
    first, last = min(record), max(record)
    between = [first + (last - first) * chance.random() for _ in range(20)]
    instants = [*record, *(instant - MICROSECOND for instant in record if instant > first), *between]
    people = await living(house)

    async def check(instant: datetime) -> None:
        now = recorded(record, instant)
        were = {key: entered_at for key, entered_at in now.items() if key[1] in people}
        assert await told_members(house, segment_ids, instant, chance.choice([1, 2, 3, 20])) == were
        questions = [WasMember(owner, it, instant) for owner in people for it in segment_ids]
        told = await were_members(house.ports.database, house.workspace.id, questions)
        assert {it for it, was in told.items() if was} == {
            it for it in questions if (it.segment_id, it.owner) in were
        }
        assert len(told) == len(questions)

    for instant in instants:
        await check(instant)
    assert len(record) > INSTANTS // 2
    assert len({frozenset(it) for it in record.values()}) > INSTANTS // 2

    middle = sorted(record)[len(record) // 2]
    await prune(ports=house.ports, keep=house.clock.instant - middle, changes_a_slice=7)

    start = await complete_since(house)
    assert middle - timedelta(hours=1) < start <= middle
    for instant in instants:
        if instant >= start:
            await check(instant)
            continue
        with pytest.raises(LogExpired) as expired:
            await told_members(house, segment_ids, instant, 2)
        assert expired.value.complete_since == start


async def complete_since(house: House) -> datetime:
    starts = "SELECT max(complete_since) FROM buckets WHERE workspace_id = $1"
    return await house.ports.database.fetchval(starts, house.workspace.id)
