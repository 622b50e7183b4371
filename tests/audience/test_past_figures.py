"""Flow and performance over a part of the real CDNOW log equal a computation in plain Python."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from decimal import Decimal
from typing import NamedTuple

import pytest

from audience_gql.audience.insights.flows import flow_of_segment
from audience_gql.audience.insights.performance import Comparison, Performance, performance_of_segment
from audience_gql.audience.log.retention import prune
from audience_gql.audience.people.events import EventItem, track_events
from audience_gql.audience.people.keys import SubscriberKey
from audience_gql.demo import cdnow
from tests.audience.conftest import House
from tests.audience.test_past import (
    DAY,
    Owner,
    complete_since,
    erase,
    open_another_bucket,
    tick,
    told_members,
)


class Change(NamedTuple):
    owner: Owner
    entered: bool
    cause: str
    at: datetime


class Bought(NamedTuple):
    owner: Owner
    name: str
    at: datetime
    value: Decimal | None


@dataclass(frozen=True, slots=True)
class Shop:
    house: House
    segment_ids: list[int]
    people: set[Owner]
    """Everybody who is not erased."""
    bought: list[Bought]
    changes: dict[int, list[Change]]
    """The whole log of each segment, in its order within each bucket."""
    ticks: list[datetime]


ONE_IN = 30
"""Every so many customers take part."""
EVERY = timedelta(days=6, hours=5)
"""How often the membership is evaluated."""


def sold() -> list[tuple[str, datetime, Decimal, int]]:
    """(customer, when, dollars, CDs) of the customers who take part, in time."""
    found = [
        (
            each.customer_id,
            datetime.combine(each.day, time(), UTC)
            + timedelta(seconds=int(cdnow.part_of_day(each) * 86_400)),
            each.dollars,
            each.quantity,
        )
        for each in cdnow.purchases()
        if int(each.customer_id) % ONE_IN == 0
    ]
    return sorted(found, key=lambda it: it[1])


async def replay(house: House) -> Shop:
    """A year and a half of purchases, and an evaluation every few days: purchases make people enter, and the clock makes them leave."""
    purchases = sold()
    house.clock.instant = purchases[0][1] - DAY
    within = [("one in 30 days", 1, 30), ("two in 90 days", 2, 90)]
    segments = [
        await house.segment(
            name,
            {"event": {"name": "order", "times": {"atLeast": times}, "within": {"last": {"days": days}}}},
        )
        for name, times, days in within
    ]
    customers = sorted({customer for customer, *_ in purchases})
    for half in (customers[::2], customers[1::2]):
        await house.upsert(*({"externalId": customer} for customer in half))
        await open_another_bucket(house)
    ticks = await buy(house, purchases)
    for customer in customers[::50]:
        await erase(house, customer)
    owners = await owners_by_key(house)
    return Shop(
        house=house,
        segment_ids=[segment.id for segment in segments],
        people=set(owners.values()),
        bought=[
            Bought(owners[customer], name, at, value)
            for customer, at, dollars, quantity in purchases
            if customer in owners
            for name, value in events_of(dollars, quantity)
        ],
        changes={segment.id: await logged(house, segment.id) for segment in segments},
        ticks=ticks,
    )


def events_of(dollars: Decimal, quantity: int) -> list[tuple[str, Decimal | None]]:
    return [("order", dollars)] + ([("large order", None)] if quantity > 2 else [])


async def buy(house: House, purchases) -> list[datetime]:
    """The instants of the ticks."""
    ticks, waiting = [], list(purchases)
    while waiting:
        now = house.clock.advance(EVERY)
        placed = [it for it in waiting if it[1] <= now]
        waiting = waiting[len(placed) :]
        items = [
            EventItem(
                subscriber=SubscriberKey(kind="externalId", value=customer),
                name=name,
                occurred_at=at,
                value=value,
            )
            for customer, at, dollars, quantity in placed
            for name, value in events_of(dollars, quantity)
        ]
        if items:
            tracked = await track_events(ports=house.ports, workspace=house.workspace, items=items)
            assert tracked.accepted == len(items)
        await tick(house)
        ticks.append(now)
    house.clock.advance(EVERY)
    return ticks


async def owners_by_key(house: House) -> dict[str, Owner]:
    rows = await house.ports.database.fetch(
        "SELECT s.external_id, s.bucket_id, s.id FROM buckets b JOIN subscribers s ON s.bucket_id = b.id "
        "WHERE b.workspace_id = $1",
        house.workspace.id,
    )
    return {row[0]: (row[1], row[2]) for row in rows}


async def logged(house: House, segment_id: int) -> list[Change]:
    rows = await house.ports.database.fetch(
        "SELECT c.bucket_id, c.subscriber_id, c.entered, c.cause, c.occurred_at FROM membership_changes c "
        "WHERE c.list_id = $1 ORDER BY c.bucket_id, c.sequence",
        segment_id,
    )
    return [Change((row[0], row[1]), *row[2:]) for row in rows]


class Stay(NamedTuple):
    owner: Owner
    begin: datetime
    end: datetime | None


def stays_of(changes: list[Change]) -> Iterator[Stay]:
    begun: dict[Owner, datetime] = {}
    for change in changes:
        if change.entered:
            begun[change.owner] = change.at
        else:
            yield Stay(change.owner, begun.pop(change.owner), change.at)
    for owner, begin in begun.items():
        yield Stay(owner, begin, None)


def plain_flow(changes: list[Change], start: datetime, end: datetime) -> tuple[object, ...]:
    part = [it for it in changes if start <= it.at < end]
    entered = Counter(it.cause for it in part if it.entered)
    left = Counter(it.cause for it in part if not it.entered)
    gone: set[Owner] = set()
    back = set()
    for change in changes:
        if not change.entered:
            gone.add(change.owner)
        elif change.owner in gone and start <= change.at < end:
            back.add(change.owner)
    ended = sorted(
        it.end - it.begin for it in stays_of(changes) if it.end is not None and start <= it.end < end
    )

    def size(instant: datetime) -> int:
        return sum(1 if it.entered else -1 for it in changes if it.at < instant)

    return (
        size(start),
        size(end),
        [(cause, entered[cause], left[cause]) for cause in sorted(entered | left)],
        len({it.owner for it in part if it.entered}),
        len(back),
        len({it.owner for it in part if not it.entered}),
        ended[len(ended) // 2] + (ended[(len(ended) - 1) // 2] - ended[len(ended) // 2]) / 2
        if ended
        else None,
    )


async def told_flow(shop: Shop, segment_id: int, start: datetime, end: datetime) -> tuple[object, ...]:
    ports, workspace_id = shop.house.ports, shop.house.workspace.id
    found = await flow_of_segment(
        ports=ports, workspace_id=workspace_id, segment_id=segment_id, start=start, end=end
    )
    return (
        found.members_at_start,
        found.members_at_end,
        [(it.cause, it.entered, it.left) for it in found.causes],
        found.came,
        found.came_back,
        found.left,
        found.median_stay,
    )


def plain_performance(
    shop: Shop, segment_id: int | None, name: str, start: datetime, end: datetime
) -> tuple[object, ...]:
    """(people, audience, events, sum, mean, rate) of a segment's members, or of everybody for None."""
    bought = [it for it in shop.bought if it.name == name and start <= it.at < end]
    audience = shop.people
    if segment_id is not None:
        stays: dict[Owner, list[Stay]] = {}
        for stay in stays_of(shop.changes[segment_id]):
            stays.setdefault(stay.owner, []).append(stay)
        bought = [it for it in bought if any(is_within(it.at, stay) for stay in stays.get(it.owner, ()))]
        audience = {
            owner
            for owner in shop.people
            for stay in stays.get(owner, ())
            if stay.begin < end and (stay.end is None or stay.end > max(start, stay.begin))
        }
    people = {it.owner for it in bought}
    values = [it.value for it in bought if it.value is not None]
    return (
        len(people),
        len(audience),
        len(bought),
        sum(values) if values else None,
        sum(values) / len(values) if values else None,
        len(people) / len(audience) if audience else None,
    )


def plain_members(
    shop: Shop, changes: Mapping[int, list[Change]], instant: datetime
) -> dict[tuple[int, Owner], datetime]:
    """Since when each person who still exists had been in each segment at an instant."""
    return {
        (segment_id, stay.owner): stay.begin
        for segment_id in shop.segment_ids
        for stay in stays_of(changes[segment_id])
        if stay.owner in shop.people and is_within(instant, stay)
    }


def is_within(instant: datetime, stay: Stay) -> bool:
    return stay.begin <= instant and (stay.end is None or instant < stay.end)


def figures(found: Performance | None) -> tuple[object, ...] | None:
    if found is None:
        return None
    return found.people, found.audience, found.events, found.sum, found.mean, found.rate


def periods(shop: Shop, chance: random.Random) -> Iterator[tuple[datetime, datetime]]:
    """Periods between random instants, of which many are instants of changes and purchases."""
    ticks, now = shop.ticks, shop.house.clock.instant
    instants = [ticks[0] - 2 * DAY, *chance.sample(ticks, 12), *(ticks[0] + (now - ticks[0]) * chance.random() for _ in range(8))]  # fmt: skip
    instants += [it.at for it in chance.sample(shop.bought, 8)]
    yield min(instants), now
    for _ in range(25):
        start, end = sorted(chance.sample(instants, 2))
        if start < end:
            yield start, end


@pytest.mark.bulk
async def test_flow_and_performance_equal_a_plain_computation(house):
    shop = await replay(house)
    chance = random.Random(5)
    compared = 0

    async def check(start: datetime, end: datetime, *, changes: Mapping[int, list[Change]]) -> None:
        nonlocal compared
        for segment_id in shop.segment_ids:
            assert await told_flow(shop, segment_id, start, end) == plain_flow(
                changes[segment_id], start, end
            )
        assert await told_members(house, shop.segment_ids, end, 100) == plain_members(shop, changes, end)
        one, other = shop.segment_ids
        names = ("order", "large order", "never")
        wanted = Comparison(segment_id=one, compared_to=other, events=names, start=start, end=end)
        found = await performance_of_segment(
            ports=house.ports, workspace_id=house.workspace.id, wanted=wanted
        )
        for name, told in zip(names, found, strict=True):
            assert told.event == name
            expected = [plain_performance(shop, it, name, start, end) for it in (one, None, other)]
            assert [figures(it) for it in (told.members, told.everybody, told.compared)] == expected
            compared += 1

    for start, end in periods(shop, chance):
        await check(start, end, changes=shop.changes)
    assert compared > 60
    assert len(shop.changes[shop.segment_ids[0]]) > 1_000
    assert len({it.owner[0] for it in shop.bought}) == 2

    await prune(ports=house.ports, keep=house.clock.instant - shop.ticks[40], changes_a_slice=200)

    since = await complete_since(house)
    kept = {it: await logged(house, it) for it in shop.segment_ids}
    assert len(kept[shop.segment_ids[0]]) < len(shop.changes[shop.segment_ids[0]])
    for start, end in [(since, house.clock.instant), *periods(shop, chance)]:
        if start >= since:
            await check(start, end, changes=kept)
