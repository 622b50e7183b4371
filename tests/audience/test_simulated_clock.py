"""Years of simulated time, in many zones: at every instant the membership is what the pure evaluation says, and nothing changes between.

The engine itself says when the clock moves somebody next. Just before that instant nothing may have changed, and at it
a tick must leave exactly those whom the evaluation finds in Python.
"""

from __future__ import annotations

import os
import random
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import pytest

from audience_gql.audience.definitions.fields import define_custom_field
from audience_gql.audience.definitions.groups import add_to_group, remove_from_group
from audience_gql.audience.engine import affected
from audience_gql.audience.engine.membership import Membership
from audience_gql.audience.people.keys import SubscriberKey
from audience_gql.audience.workspaces import change_week_start, create_workspace
from audience_gql.conditions import calendar, kinds  # noqa: F401  # registers the kinds
from audience_gql.conditions.base import DayEdge, Edge
from audience_gql.conditions.codec import parse
from audience_gql.conditions.filters.follower import EventFollower
from audience_gql.conditions.kinds.event_sequence import EventSequence
from audience_gql.conditions.vocabulary import PLAIN_IDS
from audience_gql.storage import buckets, definitions
from audience_gql.storage.engine import calendar_edges, edges
from tests.audience.conftest import House
from tests.audience.raw_facts import matching

MICROSECOND = timedelta(microseconds=1)
HOME = "America/New_York"
# Santiago, Beirut and Havana change their clocks at midnight, so that a day there may begin at one o'clock.
ZONES = [
    None,
    "Pacific/Kiritimati",
    "Etc/GMT+12",
    "America/Santiago",
    "Asia/Beirut",
    "America/Havana",
    "Asia/Kathmandu",
    "Australia/Lord_Howe",
]
DAYS = [
    "2024-02-29",
    "1996-02-29",
    "2008-03-01",
    "1990-12-31",
    "2008-09-06",
    "2026-03-29",
    "2026-07-04",
    "2027-01-01",
]
IS_LONG = bool(os.environ.get("AUDIENCE_FUZZ_LONG"))
STEPS = 2_500 if IS_LONG else 220
ZONE_OR_EVENT = [0, 6, 6, 6, 6]
"""The changes that matter to calendar periods."""
SEEDS = range(6) if IS_LONG else range(1)


async def open_house(house: House, tick_pool, seed: int) -> House:
    """The same, in a workspace whose people live in New York unless they say otherwise."""
    workspace = await create_workspace(
        ports=house.ports, name=f"{house.workspace.name} abroad {seed}", timezone=HOME
    )
    async with house.ports.database.acquire() as connection:
        bucket_id = (await buckets.open_bucket_ids(connection, workspace.id))[-1]
    return House(
        house.ports, workspace, house.clock, house.jobs, Membership(house.ports, tick_pool), bucket_id
    )


def event(name: str, **more: object) -> dict[str, object]:
    return {"event": {"name": name, **more}}


async def define(house: House):
    """One segment for each way in which the clock can move somebody."""
    for key, type_ in (("renewal", "DATE"), ("trial_ends", "DATETIME")):
        await define_custom_field(
            ports=house.ports, workspace=house.workspace, key=key, label=key, type=type_
        )
    group = await house.group("Friends")
    friends = {"anyOf": [str(group.id)]}
    conditions: list[dict[str, object]] = [
        {"age": {"gte": 30}},
        {"not": {"age": {"lt": 18}}},
        {"birthday": {"anniversaryInNext": {"days": 7}}},
        {"birthday": {"anniversaryInLast": {"days": 1}}},
        {"birthday": {"inLast": {"days": 60}}},
        {"field": {"key": "renewal", "date": {"inNext": {"days": 30}}}},
        {"field": {"key": "renewal", "date": {"inLast": {"days": 1}}}},
        {"not": {"field": {"key": "renewal", "date": {"anniversaryInNext": {"days": 20}}}}},
        {"field": {"key": "trial_ends", "time": {"inNext": {"weeks": 2}}}},
        {"field": {"key": "trial_ends", "time": {"notInLast": {"days": 30}}}},
        event("opened", times={"atLeast": 2}, within={"last": {"days": 30}}),
        event("opened", times={"atMost": 1}, within={"ago": {"from": {"days": 60}, "to": {"days": 30}}}),
        {
            "eventTotal": {
                "name": "bought",
                "of": "value",
                "function": "AVERAGE",
                "is": {"gt": 5},
                "within": {"last": {"days": 90}},
            }
        },
        {
            "lastEvent": {
                "name": "opened",
                "at": {"notInLast": {"days": 45}},
                "notFollowedBy": {"name": "bought"},
            }
        },
        {"firstEvent": {"name": "bought", "at": {"inLast": {"days": 365}}}},
        {"group": {**friends, "joined": {"inLast": {"days": 10}}}},
        {"channel": {"channel": "EMAIL", "status": ["ACTIVE"], "changed": {"notInLast": {"days": 20}}}},
        {"createdAt": {"inLast": {"days": 100}}},
        {"updatedAt": {"notInLast": {"days": 12}}},
        {
            "any": [
                {"all": [{"age": {"gte": 18}}, event("bought", within={"last": {"days": 7}})]},
                {"not": {"any": [{"group": friends}, event("opened")]}},
            ]
        },
    ]
    hours = {"name": "bought", "within": {"hours": 7}}
    steps = [{"name": "opened"}, {"name": "bought", "within": {"days": 2}}]
    conditions += [
        {"lastEvent": {"name": "opened", "at": {"inLast": {"days": 3}}, "notFollowedBy": hours}},
        {
            "lastEvent": {
                "name": "opened",
                "at": {"isSet": True},
                "notFollowedBy": {**hours, "sameProperty": "sku"},
            }
        },
        {"eventSequence": {"steps": steps, "within": {"last": {"days": 20}}}},
        {"eventSequence": {"steps": steps, "notFollowedBy": {"name": "opened", "within": {"hours": 9}}}},
        event("bought", times={"atLeast": 2}, within={"last": {"days": 40}}, perProperty="sku"),
    ]
    opened: dict[str, object] = event("opened", within={"last": {"days": 30}})
    conditions += [
        {"later": {"by": {"days": 5}, "condition": opened}},
        {"later": {"by": {"hours": 30}, "condition": {"birthday": {"anniversaryInLast": {"days": 2}}}}},
        {"all": [opened, {"not": {"later": {"by": {"days": 3}, "condition": opened}}}]},
    ]
    made = [
        await house.segment(f"segment {number}", condition) for number, condition in enumerate(conditions)
    ]
    inner = made[10]
    for number, entered in enumerate(({"inLast": {"days": 3}}, {"notInLast": {"days": 5}}, {"isSet": True})):
        choice: dict[str, object] = {"anyOf": [str(inner.id), str(made[2].id)], "entered": entered}
        condition: dict[str, object] = {"segment": choice}
        made.append(await house.segment(f"entered {number}", condition))
    recently = {
        "anyOf": [str(inner.id), str(made[2].id)],
        "entered": {"inLast": {"days": 3}},
    }
    ahead: list[dict[str, object]] = [
        {"segment": {"anyOf": [str(inner.id), str(made[4].id)], "leavesWithin": {"days": 4}}},
        {"segment": {"anyOf": [str(made[2].id), str(made[5].id)], "entersWithin": {"hours": 50}}},
        {"later": {"by": {"days": 2}, "condition": {"segment": recently}}},
    ]
    for number, condition in enumerate(ahead):
        made.append(await house.segment(f"ahead {number}", condition))
    return group, await parsed(house, made)


CALENDAR: list[dict[str, object]] = [
    event(name, times={"atLeast": least}, within=within)
    for name, least, within in (
        ("opened", 1, {"calendar": "TODAY"}),
        ("bought", 1, {"calendar": "LAST_WEEK"}),
        ("opened", 2, {"calendar": "THIS_MONTH"}),
        ("bought", 2, {"last": {"calendarDays": 3}}),
        ("opened", 1, {"calendar": "LAST_QUARTER"}),
        ("bought", 2, {"last": {"calendarMonths": 2}}),
    )
] + [
    {"later": {"by": {"days": 4}, "condition": event("opened", within={"calendar": "THIS_WEEK"})}},
    event("bought", onDays={"atLeast": 2}, within={"last": {"days": 20}}),
    event("opened", inWeeks={"atLeast": 2}, within={"last": {"calendarMonths": 1}}),
    {
        "eventSequence": {
            "steps": [{"name": "opened"}, {"name": "bought"}],
            "within": {"calendar": "LAST_WEEK"},
        }
    },
]


async def define_calendar(house: House):
    """One segment for each way in which calendar periods can move somebody. They begin so often that they would slow the others' clock."""
    group = await house.group("Friends")
    made = [await house.segment(f"segment {number}", condition) for number, condition in enumerate(CALENDAR)]
    return group, await parsed(house, made)


async def parsed(house: House, made):
    async with house.ports.database.acquire() as connection:
        vocabulary = await definitions.vocabulary(connection, house.workspace.id)
    return {segment.id: parse(segment.condition, vocabulary=vocabulary, ids=PLAIN_IDS) for segment in made}


async def change_somebody(
    house: House, group, chance: random.Random, changes: Sequence[int] = range(7)
) -> None:
    person = f"p{chance.randrange(len(ZONES))}"
    key = SubscriberKey(kind="externalId", value=person)
    now = house.clock.instant
    match chance.choice(changes):
        case 0:
            await house.upsert({"externalId": person, "timezone": chance.choice(ZONES)})
        case 1:
            await house.upsert({"externalId": person, "birthday": date.fromisoformat(chance.choice(DAYS))})
        case 2:
            renewal = now.date() + timedelta(days=chance.choice([-2, 0, 1, 5, 31, 340, 366]))
            await house.upsert({"externalId": person, "fields": [{"key": "renewal", "value": str(renewal)}]})
        case 3:
            ends = now + timedelta(days=chance.choice([-29, 0, 3, 20]))
            await house.upsert(
                {"externalId": person, "fields": [{"key": "trial_ends", "value": ends.isoformat()}]}
            )
        case 4:
            change = add_to_group if chance.random() < 0.6 else remove_from_group
            await change(ports=house.ports, workspace=house.workspace, group_id=group.id, subscribers=[key])
        case 5:
            status = chance.choice(["ACTIVE", "UNCONFIRMED"])
            await house.upsert({"externalId": person, "channels": [{"channel": "EMAIL", "status": status}]})
        case 6:
            at = now - timedelta(hours=chance.choice([0, 0, 5, 24 * 29, 24 * 45, -12]))
            value = chance.choice([None, 3, 7.5])
            properties = {"sku": chance.choice([1, 2])}
            for later, name in enumerate(chance.choice((["opened"], ["bought"], ["opened", "bought"]))):
                hour = at + timedelta(hours=later)
                await house.track(person, name, occurred_at=hour, value=value, properties=properties)


async def stored(house: House) -> set[tuple[int, int]]:
    rows = await house.ports.database.fetch(
        "SELECT segment_id, subscriber_id FROM segment_members WHERE bucket_id = $1", house.bucket_id
    )
    return {(row["segment_id"], row["subscriber_id"]) for row in rows}


async def walk(
    house: House, tick_pool, *, seed: int, steps: int, of_calendar: bool = False
) -> tuple[str | None, int]:
    """What went wrong first, if anything, and how many changes there were."""
    chance = random.Random(seed)
    house = await open_house(house, tick_pool, seed)
    if of_calendar:
        await change_week_start(ports=house.ports, workspace=house.workspace, week_start="SUNDAY")
    await house.upsert(
        *(
            {"externalId": f"p{number}", "timezone": zone, "birthday": date.fromisoformat(DAYS[number])}
            for number, zone in enumerate(ZONES)
        )
    )
    for name in ("opened", "bought"):
        await house.track("p0", name)
    group, conditions = await (define_calendar if of_calendar else define)(house)
    changes = ZONE_OR_EVENT if of_calendar else range(7)
    due = (await house.tick()).next_due_at
    for _ in range(steps):
        due = await step(house, chance, due)
        if await stored(house) != await matching(
            house, conditions, house.clock.instant - MICROSECOND, timezone=HOME
        ):
            return f"seed {seed}: something changed before {house.clock.instant}, unannounced", 0
        for _ in range(chance.choice([0, 0, 0, 0, 1, 2])):
            await change_somebody(house, group, chance, changes)
        due = (await house.tick()).next_due_at
        if await stored(house) != await matching(house, conditions, house.clock.instant, timezone=HOME):
            return f"seed {seed}: wrong at {house.clock.instant}", 0
    moved = await house.ports.database.fetchval(
        "SELECT count(*) FROM membership_changes WHERE bucket_id = $1 AND cause = 'CLOCK'", house.bucket_id
    )
    return None, moved


async def step(house: House, chance: random.Random, due: datetime | None) -> datetime | None:
    """On to the next instant that the engine named; now and then over weeks without a tick, and then a microsecond more."""
    now = house.clock.instant
    if chance.random() < 0.04:  # a worker that was away
        house.clock.instant = now + timedelta(days=chance.choice([1, 9, 200]), seconds=1)
        await house.tick()
        house.clock.advance(MICROSECOND)
        return None
    house.clock.instant = min(due or datetime.max.replace(tzinfo=UTC), now + timedelta(days=30))
    return due


@pytest.mark.fuzz
@pytest.mark.parametrize("seed", SEEDS)
async def test_the_membership_is_right_at_every_instant(house, tick_pool, seed):
    wrong, changes = await walk(house, tick_pool, seed=seed, steps=STEPS)

    assert wrong is None
    assert changes > STEPS // 10


@pytest.mark.fuzz
@pytest.mark.parametrize("seed", SEEDS)
async def test_periods_begin_at_every_instant_at_which_they_do(house, tick_pool, seed):
    wrong, changes = await walk(house, tick_pool, seed=seed, steps=STEPS // 2, of_calendar=True)

    assert wrong is None
    assert changes > STEPS // 20


def without_day_edges(monkeypatch) -> None:
    honest = edges._day_edges
    monkeypatch.setattr(edges, "_day_edges", lambda _: honest([]))


def everybody_lives_at_home(monkeypatch) -> None:
    honest = edges._day_ranges

    def wrong(found, after, upto, timezone):
        begun = any(timezone in zones for _, zones in calendar.days_beginning(after, upto))
        for asked in honest(found, after, upto, timezone):
            if asked.statement != "edges_of_days":
                yield asked
            elif begun:
                yield replace(asked, statement="edges_of_subscriber_dates", values=asked.values[:3])

    monkeypatch.setattr(edges, "_day_ranges", wrong)


def no_leap_days(monkeypatch) -> None:
    monkeypatch.setattr(edges, "celebrated_on", lambda day: (calendar.yearly(day),))


def anniversaries_are_due_as_dates(monkeypatch) -> None:
    honest = edges._turning_day
    monkeypatch.setattr(
        edges,
        "_turning_day",
        lambda edge, found, behind: honest(
            DayEdge(field_id=edge.field_id, days=edge.days + edge.yearly, yearly=edge.yearly), found, behind
        ),
    )


def nothing_comes_earlier(monkeypatch) -> None:
    monkeypatch.setattr(Edge, "earlier", lambda self, _: self)


def days_begin_no_earlier(monkeypatch) -> None:
    monkeypatch.setattr(DayEdge, "earlier", lambda self, _: self)


def hours_never_end(monkeypatch) -> None:
    """What must not follow an event within some time is never certain."""
    monkeypatch.setattr(EventFollower, "certain_after", lambda _: frozenset())


def sequences_do_not_grow_old(monkeypatch) -> None:
    honest = EventSequence.edges
    monkeypatch.setattr(
        EventSequence,
        "edges",
        lambda self, vocabulary: honest(replace(self, within=None), vocabulary),
    )


@pytest.mark.fuzz
@pytest.mark.parametrize(
    "plant",
    [
        hours_never_end,
        sequences_do_not_grow_old,
        without_day_edges,
        everybody_lives_at_home,
        no_leap_days,
        anniversaries_are_due_as_dates,
        nothing_comes_earlier,
        days_begin_no_earlier,
    ],
)
async def test_planted_bugs_are_found(house, tick_pool, monkeypatch, plant):
    plant(monkeypatch)

    for seed in range(4):
        wrong, _ = await walk(house, tick_pool, seed=seed, steps=400)
        if wrong:
            return
    pytest.fail("the planted bug was not found")


def without_calendar_edges(monkeypatch) -> None:
    monkeypatch.setattr(edges, "_calendar_edges", lambda given: {})  # noqa: ARG005  # the seam where this bug would be


def periods_begin_everywhere_at_once(monkeypatch) -> None:
    honest = calendar.next_beginning
    monkeypatch.setattr(
        calendar_edges,
        "next_beginning",
        lambda day, after: max(at for at in (honest(day, after), calendar.day_start(day, HOME)) if at),
    )


def only_what_a_window_leaves(monkeypatch) -> None:
    honest = calendar_edges._window

    def wrong(edge, turn, zones):
        return (edge, *honest(replace(edge, last=edge.first - 1), turn, zones)[1:])

    monkeypatch.setattr(calendar_edges, "_window", wrong)


def events_are_not_due_by_their_marks(monkeypatch) -> None:
    monkeypatch.setattr(affected, "next_crossing", lambda *_: None)


@pytest.mark.fuzz
@pytest.mark.parametrize(
    "plant",
    [
        without_calendar_edges,
        periods_begin_everywhere_at_once,
        only_what_a_window_leaves,
        events_are_not_due_by_their_marks,
    ],
)
async def test_planted_bugs_of_periods_are_found(house, tick_pool, monkeypatch, plant):
    plant(monkeypatch)

    for seed in range(4):
        wrong, _ = await walk(house, tick_pool, seed=seed, steps=400, of_calendar=True)
        if wrong:
            return
    pytest.fail("the planted bug was not found")
