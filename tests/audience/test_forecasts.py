"""What is foretold comes true: the sizes of every interval, and who leaves and enters, at which instant."""

from __future__ import annotations

import random
from bisect import bisect_left
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from itertools import islice
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from audience_gql.audience.answers.estimates import Estimate
from audience_gql.audience.definitions.pausing import pause_segment
from audience_gql.audience.insights import coming_changes as coming
from audience_gql.audience.insights import futures, size_forecasts
from audience_gql.audience.insights.coming_changes import ComingChange, coming_changes
from audience_gql.audience.insights.size_forecasts import forecast_size
from audience_gql.conditions.base import Edge
from audience_gql.conditions.reasoning import dependencies, future
from audience_gql.conditions.vocabulary import PLAIN_IDS
from audience_gql.storage.engine import edges as engine_edges
from audience_gql.storage.insights import sizes as past
from audience_gql.storage.orm.models import Segment
from audience_gql.storage.reads.person_facts import TooManyEvents
from tests.audience.conftest import House
from tests.audience.test_simulated_clock import (
    DAYS,
    HOME,
    ZONES,
    change_somebody,
    define,
    define_calendar,
    open_house,
)

HOUR = timedelta(hours=1)
DAY = timedelta(days=1)
AHEAD = timedelta(days=10)
SPANS = [(HOUR, 30), (DAY, 10)]


async def lived_in(house: House, tick_pool, seed: int, *, of_calendar: bool) -> tuple[House, list[int]]:
    """A house whose people have a past, and the ids of its segments."""
    chance = random.Random(seed)
    house = await open_house(house, tick_pool, seed)
    await house.upsert(
        *(
            {"externalId": f"p{number}", "timezone": zone, "birthday": date.fromisoformat(DAYS[number])}
            for number, zone in enumerate(ZONES)
        )
    )
    for name in ("opened", "bought"):
        await house.track("p0", name)
    group, conditions = await (define_calendar if of_calendar else define)(house)
    ids = [*sorted(conditions), *[segment.id for segment in await of_entries(house)]]
    for _ in range(20):
        for _ in range(5):
            await change_somebody(house, group, chance)
        await house.tick()
        house.clock.advance(timedelta(hours=chance.choice([0, 1, 5])))
    await house.tick()
    return house, ids


async def of_entries(house: House) -> list[Segment]:
    """Segments that depend on when the clock brings people into another one."""
    silent = await house.segment(
        "silent", {"lastEvent": {"name": "opened", "at": {"notInLast": {"days": 5}}}}
    )
    inside: dict[str, object] = {"anyOf": [str(silent.id)]}
    return [
        silent,
        await house.segment(
            "silent for a while", {"segment": {**inside, "entered": {"notInLast": {"days": 4}}}}
        ),
        await house.segment("silent at last", {"segment": {**inside, "entered": {"inLast": {"days": 2}}}}),
    ]


async def let_time_pass(house: House, end: datetime) -> None:
    due = (await house.tick()).next_due_at
    while due is not None and due <= end:
        house.clock.instant = due
        due = (await house.tick()).next_due_at
    house.clock.instant = end
    await house.tick()


def starts_of(now: datetime, every: timedelta, number: int) -> list[datetime]:
    """The beginnings of intervals, the first of which contains the present."""
    here = now.astimezone(ZoneInfo(HOME))
    first = here.replace(hour=here.hour if every == HOUR else 0, minute=0, second=0, microsecond=0)
    return [first.astimezone(UTC) + every * step for step in range(number)]


async def foretold(house: House, segment_id: int, every: timedelta, number: int, seconds: float = 60):
    starts = starts_of(house.clock.instant, every, number)
    return await forecast_size(
        ports=house.ports,
        workspace_id=house.workspace.id,
        segment_id=segment_id,
        starts=starts,
        end=starts[-1] + every,
        seconds=seconds,
    )


async def pages(house: House, segment_id: int, size: int, *, entering: bool):
    """Everybody who will enter, or leave, read page by page."""
    found: list[ComingChange] = []
    after = None
    while True:
        page = await coming_changes(
            ports=house.ports,
            workspace_id=house.workspace.id,
            segment_id=segment_id,
            entering=entering,
            within=AHEAD,
            size=size,
            after=after,
            ids=PLAIN_IDS,
        )
        found += page.changes
        after = page.ends_at
        if after is None:
            return found
        assert len(page.changes) <= size


async def logged(house: House, since: int) -> Mapping[int, list[tuple[datetime, bool, int]]]:
    """By segment, the changes after this sequence: instant, whether the person entered, and who."""
    rows = await house.ports.database.fetch(
        "SELECT list_id, occurred_at, entered, subscriber_id FROM membership_changes "
        "WHERE bucket_id = $1 AND sequence > $2 AND list_kind = 'SEGMENT' ORDER BY sequence",
        house.bucket_id,
        since,
    )
    found: dict[int, list[tuple[datetime, bool, int]]] = defaultdict(list)
    for row in rows:
        found[row["list_id"]].append((row["occurred_at"], row["entered"], row["subscriber_id"]))
    return found


async def last_sequence(house: House) -> int:
    last: int = await house.ports.database.fetchval(
        "SELECT next_sequence - 1 FROM buckets WHERE id = $1", house.bucket_id
    )
    return last


def came_true(
    changes: Sequence[tuple[datetime, bool, int]], inside: frozenset[int], now: datetime, *, entering: bool
) -> list[tuple[datetime, int]]:
    """When each person first entered, or left, and who: of those who were not inside at first, or were."""
    first: dict[int, datetime] = {}
    for at, entered, person in changes:
        if entered is entering and (person in inside) is not entering and at <= now + AHEAD:
            first.setdefault(person, at)
    return sorted((at, person) for person, at in first.items())


async def mistakes(house: House, tick_pool, seed: int, *, of_calendar: bool = False) -> tuple[list[str], int]:
    """What did not come true, and how many changes were foretold."""
    house, segment_ids = await lived_in(house, tick_pool, seed, of_calendar=of_calendar)
    now = house.clock.instant
    since = await last_sequence(house)
    sizes = {
        (segment_id, span): await foretold(house, segment_id, *span)
        for segment_id in segment_ids
        for span in SPANS
    }
    told = {
        (segment_id, entering): await pages(house, segment_id, size=1 + segment_id % 3, entering=entering)
        for segment_id in segment_ids
        for entering in (False, True)
    }
    inside = {
        segment_id: frozenset(
            row["subscriber_id"]
            for row in await house.ports.database.fetch(
                "SELECT subscriber_id FROM segment_members WHERE bucket_id = $1 AND segment_id = $2",
                house.bucket_id,
                segment_id,
            )
        )
        for segment_id in segment_ids
    }
    await let_time_pass(house, now + AHEAD + DAY)
    changes = await logged(house, since)
    wrong = []
    for (segment_id, (every, number)), ahead in sizes.items():
        starts = starts_of(now, every, number)
        real = await past.sizes(
            house.ports.database, house.workspace.id, segment_id, starts, starts[-1] + every
        )
        was = sum(at >= starts[0] for at, *_ in changes[segment_id])
        assert was == len(changes[segment_id])
        expected = [(size.at, size.members, size.entered, size.left) for size in real]
        expected[0] = (*expected[0][:2], *counted(changes[segment_id], now, starts[0] + every))
        given = [(size.at, size.members.count, size.entered.count, size.left.count) for size in ahead]
        wrong += [
            f"{segment_id} {every}: {one} instead of {other}"
            for one, other in zip(given, expected, strict=True)
            if one != other
        ]
        wrong += [f"{segment_id}: not exact" for size in ahead if size.members.margin]
    for (segment_id, entering), found in told.items():
        expected_people = came_true(changes[segment_id], inside[segment_id], now, entering=entering)
        if [(change.at, change.owner[1]) for change in found] != expected_people:
            wrong.append(f"{segment_id} {'enter' if entering else 'leave'}: {found}, not {expected_people}")
        wrong += [f"{segment_id}: no reason" for change in found if not change.reasons]
    return wrong, sum(map(len, told.values()))


def counted(changes: Sequence[tuple[datetime, bool, int]], start: datetime, end: datetime) -> tuple[int, int]:
    within = [entered for at, entered, _ in changes if start <= at < end]
    return within.count(True), within.count(False)


@pytest.mark.parametrize("of_calendar", [False, True])
async def test_what_is_foretold_comes_true(house, tick_pool, of_calendar):
    wrong, told = await mistakes(house, tick_pool, seed=3, of_calendar=of_calendar)

    assert wrong == []
    assert told > 20


def in_small_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    """Look at few people at once, and divide the time until one instant is left."""
    monkeypatch.setattr(coming, "_AT_ONCE", 1)
    for module in (coming, size_forecasts):
        monkeypatch.setattr(module, "PEOPLE_AT_ONCE", 2)


def at_everybody(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(size_forecasts, "MOST_MOVING", 0)


def in_short_pages(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(coming, "MOST_LOOKED_AT", 1)


@pytest.mark.fuzz
@pytest.mark.parametrize("look", [in_small_steps, at_everybody, in_short_pages])
async def test_it_comes_true_however_people_are_looked_at(house, tick_pool, monkeypatch, look):
    look(monkeypatch)

    wrong, _ = await mistakes(house, tick_pool, seed=4)

    assert wrong == []


async def crowded(house: House, people: int) -> Segment:
    """A segment that a third of these people leave within ten days."""
    await house.upsert(*({"externalId": f"p{number}"} for number in range(people)))
    for number in range(0, people, 3):
        at = house.clock.instant - timedelta(days=21 + number % 9)
        await house.track(f"p{number}", "opened", occurred_at=at)
    segment = await house.segment("recently", {"event": {"name": "opened", "within": {"last": {"days": 30}}}})
    await house.tick()
    return segment


@pytest.mark.parametrize("most_moving", [0, 1_000])
async def test_an_estimate_says_how_far_off_it_may_be(house, monkeypatch, most_moving):
    segment = await crowded(house, people=900)
    exact = await foretold(house, segment.id, DAY, 12)
    monkeypatch.setattr(size_forecasts, "MOST_MOVING", most_moving)
    monkeypatch.setattr(size_forecasts, "PEOPLE_AT_ONCE", 100)

    estimated = await foretold(house, segment.id, DAY, 12, seconds=0)

    assert exact[-1].members == Estimate(0, 0)
    assert sum(size.left.count for size in exact) == 300
    for one, other in zip(exact, estimated, strict=True):
        for true, guess in ((one.members, other.members), (one.left, other.left)):
            assert 0 < guess.margin < 300
            assert abs(guess.count - true.count) <= 2 * guess.margin  # four standard deviations
    assert any(one.left.count != other.left.count for one, other in zip(exact, estimated, strict=True))


async def test_the_transaction_never_waits_long_for_a_calculation(house, monkeypatch):
    segment = await crowded(house, people=90)
    exact = await foretold(house, segment.id, DAY, 12)
    parts: list[int] = []
    honest = futures._look_at

    def noted(people: Sequence[Any], look: Callable[..., Any]) -> Any:
        parts.append(len(people))
        return honest(people, look)

    monkeypatch.setattr(futures, "_look_at", noted)
    monkeypatch.setattr(futures, "_LOOKS_AT_ONCE", 7)  # each of the 30 people has one event

    assert await foretold(house, segment.id, DAY, 12) == exact
    assert parts == [7, 7, 7, 7, 2]

    monkeypatch.setattr(futures, "MOST_LOOKS", 0)
    with pytest.raises(TooManyEvents):
        await foretold(house, segment.id, DAY, 12)


async def test_nobody_leaves_a_paused_segment(house):
    segment = await crowded(house, people=30)
    await pause_segment(ports=house.ports, workspace=house.workspace, segment_id=segment.id)

    ahead = await foretold(house, segment.id, DAY, 12)

    assert [(size.members.count, size.left.count) for size in ahead] == [(10, 0)] * 12
    assert await pages(house, segment.id, 5, entering=False) == []


async def test_what_no_tick_has_done_yet_is_done_at_once(house):
    segment = await crowded(house, people=30)
    late = house.clock.instant + 3 * DAY + HOUR
    house.clock.instant = late

    first, *_ = await foretold(house, segment.id, DAY, 3)
    leaving, *_ = await pages(house, segment.id, 100, entering=False)

    assert (first.left.count, leaving.at, leaving.reasons) == (3, late, ())


def without_entries(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(future, "_with_entries", lambda person, *_: person)


def without_a_second_change(monkeypatch: pytest.MonkeyPatch) -> None:
    honest = future.Future.turns
    monkeypatch.setattr(future.Future, "turns", lambda *args, **named: islice(honest(*args, **named), 1))


def without_the_next_interval(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(size_forecasts, "bisect_right", bisect_left)


def without_day_edges(monkeypatch: pytest.MonkeyPatch) -> None:
    honest = engine_edges.crossed

    def wrong(edges, after, upto, *, timezone):
        return honest([edge for edge in edges if isinstance(edge, Edge)], after, upto, timezone=timezone)

    monkeypatch.setattr(futures, "crossed", wrong)


def with_the_edges_of_one_condition(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        futures, "edges_of", lambda condition, _, vocabulary: dependencies.edges(condition, vocabulary)
    )


@pytest.mark.fuzz
@pytest.mark.parametrize(
    "plant",
    [
        without_entries,
        without_a_second_change,
        without_the_next_interval,
        without_day_edges,
        with_the_edges_of_one_condition,
    ],
)
async def test_a_planted_bug_is_found(house, tick_pool, monkeypatch, plant):
    plant(monkeypatch)

    wrong, _ = await mistakes(house, tick_pool, seed=3)

    assert wrong
