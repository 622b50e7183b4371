"""What `leavesWithin` and `entersWithin` say comes true: of the people to whom nothing happens, exactly those leave and enter, at those instants."""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Mapping
from datetime import date, datetime, timedelta
from itertools import pairwise

import pytest

from audience_gql.conditions.base import DayEdge, Edge
from audience_gql.storage.orm.models import Segment
from tests.audience.conftest import NOON, House

AHEAD = timedelta(days=3)
END = NOON + timedelta(days=15)
ZONES = [None, "Pacific/Kiritimati", "America/Santiago", "Asia/Kathmandu"]
CONDITIONS: list[dict[str, object]] = [
    {"event": {"name": "opened", "times": {"atLeast": 2}, "within": {"last": {"days": 30}}}},
    {"lastEvent": {"name": "opened", "at": {"inLast": {"days": 10}}, "notFollowedBy": {"name": "bought"}}},
    {"not": {"event": {"name": "bought", "within": {"ago": {"from": {"days": 20}, "to": {"days": 6}}}}}},
    {"birthday": {"anniversaryInNext": {"days": 5}}},
]
PEOPLE = 14
SPAN = timedelta(days=35)


async def people(house: House, chance: random.Random) -> None:
    """People whose events lie in the past, and for some of them up to a day in the future."""
    await house.upsert(
        *(
            {
                "externalId": f"p{number}",
                "timezone": ZONES[number % len(ZONES)],
                "birthday": date(1990, 3, 1) + timedelta(days=3 * number),
            }
            for number in range(PEOPLE)
        )
    )
    for number in range(PEOPLE):
        for name in ("opened", "opened", "opened", "bought"):
            at = NOON + timedelta(hours=20) - chance.random() * SPAN
            await house.track(f"p{number}", name, occurred_at=at)


async def let_time_pass(house: House) -> None:
    due = (await house.tick()).next_due_at
    while due is not None and due <= END:
        house.clock.instant = due
        due = (await house.tick()).next_due_at


async def stays(house: House, segment: Segment) -> Mapping[int, list[tuple[datetime, datetime]]]:
    """By person, the periods in which they were members, as the log says. They include their start and exclude their end."""
    rows = await house.ports.database.fetch(
        "SELECT subscriber_id, occurred_at FROM membership_changes WHERE bucket_id = $1 AND list_id = $2 ORDER BY sequence",
        house.bucket_id,
        segment.id,
    )
    turns: dict[int, list[datetime]] = defaultdict(list)
    for row in rows:  # they enter and leave in turns
        turns[row["subscriber_id"]].append(row["occurred_at"])
    return {person: list(pairwise([*at, END + 2 * AHEAD]))[::2] for person, at in turns.items()}


def is_in(periods: list[tuple[datetime, datetime]], at: datetime) -> bool:
    return any(start <= at < end for start, end in periods)


async def mistakes(house: House) -> tuple[list[str], int]:
    """Each prediction that did not come true and each change that was not predicted, and how many turns were compared."""
    await people(house, random.Random(5))
    made = []
    for number, condition in enumerate(CONDITIONS):
        base = await house.segment(f"base {number}", condition)
        ahead = {}
        for option in ("leavesWithin", "entersWithin"):
            choice = {"anyOf": [str(base.id)], option: {"days": AHEAD.days}}
            ahead[option] = await house.segment(f"{option} {number}", {"segment": choice})
        made.append((base, ahead))
    await let_time_pass(house)
    wrong, turns = [], 0
    for base, ahead in made:
        real = await stays(house, base)
        told = {option: await stays(house, segment) for option, segment in ahead.items()}
        for person in real.keys() | told["leavesWithin"].keys() | told["entersWithin"].keys():
            own = real.get(person, [])
            instants = {at for period in own for at in period} - {NOON}
            instants |= {
                at for periods in told.values() for period in periods.get(person, []) for at in period
            }
            for at in sorted(instants | {one - AHEAD for one in instants}):
                if not NOON <= at <= END - AHEAD:
                    continue
                turns += 1
                now, then = is_in(own, at), is_in(own, at + AHEAD)
                if is_in(told["leavesWithin"].get(person, []), at) is not (now and not then):
                    wrong.append(f"{person} at {at}: leaves {base.name}")
                if is_in(told["entersWithin"].get(person, []), at) is not (then and not now):
                    wrong.append(f"{person} at {at}: enters {base.name}")
    return wrong, turns


async def test_exactly_the_predicted_people_leave_and_enter(house: House) -> None:
    wrong, turns = await mistakes(house)

    assert wrong == []
    assert turns > 60


@pytest.mark.slow
@pytest.mark.parametrize("edge", [Edge, DayEdge])
async def test_a_planted_bug_is_found(house: House, monkeypatch: pytest.MonkeyPatch, edge: type) -> None:
    monkeypatch.setattr(edge, "earlier", lambda self, _: self)

    assert (await mistakes(house))[0]
