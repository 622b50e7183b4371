"""Explanations against the stored membership over simulated time: they agree at every instant, and what they predict is what comes."""

from __future__ import annotations

import os
import random
from dataclasses import replace
from datetime import date, datetime, timedelta
from typing import Any

import pytest

from audience_gql.audience.answers import explanations
from audience_gql.audience.answers.explanations import Explanation, Question, explain_memberships
from audience_gql.audience.people.keys import SubscriberKey
from audience_gql.conditions.base import Read
from audience_gql.conditions.filters.sliding import SlidingWindow
from audience_gql.conditions.kinds.segment import InSegment
from audience_gql.conditions.profile import TEXT_OF_NAME
from audience_gql.conditions.vocabulary import PLAIN_IDS
from audience_gql.storage import definitions
from audience_gql.storage.reads import person_facts
from tests.audience.raw_facts import facts_by_id
from tests.audience.test_simulated_clock import DAYS, ZONES, change_somebody, define, open_house, stored

IS_LONG = bool(os.environ.get("AUDIENCE_FUZZ_LONG"))
SEEDS = range(6) if IS_LONG else range(1)
STEPS = 200 if IS_LONG else 12
MICROSECOND = timedelta(microseconds=1)

Explained = dict[tuple[int, int], Explanation]
"""By segment and person."""


class Watch:
    """Everybody's explanations in every segment, beside the stored membership."""

    def __init__(self, house, segment_ids) -> None:
        self.house = house
        self.segment_ids = list(segment_ids)
        self.predictions = self.changes = 0

    async def ids(self) -> dict[str, int]:
        rows = await self.house.ports.database.fetch(
            "SELECT external_id, id FROM subscribers WHERE bucket_id = $1", self.house.bucket_id
        )
        return {row["external_id"]: row["id"] for row in rows}

    async def explain(self) -> Explained:
        people = await self.ids()
        pairs = [(segment_id, name) for segment_id in self.segment_ids for name in people]
        found = await explain_memberships(
            ports=self.house.ports,
            workspace_id=self.house.workspace.id,
            questions=[
                Question(segment_id, SubscriberKey(kind="externalId", value=name))
                for segment_id, name in pairs
            ],
            ids=PLAIN_IDS,
        )
        return {
            (segment_id, people[name]): explanation
            for (segment_id, name), explanation in zip(pairs, found, strict=True)
            if explanation is not None
        }

    async def settle(self) -> Explained:
        """Tick, and have them agree."""
        now = self.house.clock.instant
        while not (await self.house.tick()).is_drained:
            continue
        explained = await self.explain()
        assert {pair for pair, it in explained.items() if it.is_member} == await stored(self.house)
        assert {it.evaluated_at for it in explained.values()} == {now}
        return explained

    async def walk_to(self, until: datetime, explained: Explained) -> Explained:
        """From each predicted instant to the next: nothing may change beside them."""
        while True:
            before = await stored(self.house)
            ahead = [it.next_change for it in explained.values() if it.next_change is not None]
            at = min([*ahead, until])
            assert at > self.house.clock.instant
            self.house.clock.instant = at - MICROSECOND
            await self.house.tick()
            assert await stored(self.house) == before, f"changed before {at}, unannounced"
            self.house.clock.instant = at
            latest = await self.settle()
            changed = before ^ await stored(self.house)
            predicted = {pair for pair, it in explained.items() if it.next_change == at}
            assert changed <= predicted, f"{changed - predicted} changed at {at}, unannounced"
            self.predictions += len(predicted)
            self.changes += len(changed)
            explained = latest
            if at == until:
                return explained


async def walk(house, tick_pool, *, seed: int, steps: int) -> Watch:
    chance = random.Random(seed)
    house = await open_house(house, tick_pool, seed)
    people = enumerate(zip(ZONES, DAYS, strict=True))
    await house.upsert(
        *(
            {"externalId": f"p{number}", "timezone": zone, "birthday": date.fromisoformat(day)}
            for number, (zone, day) in people
        )
    )
    group, conditions = await define(house)
    watch = Watch(house, conditions)
    for _ in range(steps):
        for _ in range(chance.choice([1, 5, 10])):
            await change_somebody(house, group, chance)
        explained = await watch.settle()
        hours = chance.choice([7, 24 * 3, 24 * 6, 24 * 12])
        await watch.walk_to(house.clock.instant + timedelta(hours=hours), explained)
    return watch


@pytest.mark.fuzz
@pytest.mark.parametrize("seed", SEEDS)
async def test_explanations_agree_with_the_membership_at_every_instant(house, tick_pool, seed):
    watch = await walk(house, tick_pool, seed=seed, steps=STEPS)

    assert watch.changes > 2 * STEPS
    assert watch.predictions < 1.5 * watch.changes


def without_entries_and_exits_of_windows(monkeypatch) -> None:
    monkeypatch.setattr(SlidingWindow, "turns", lambda *_: ())


def without_when_people_entered(monkeypatch) -> None:
    honest = InSegment._outlook
    monkeypatch.setattr(
        InSegment, "_outlook", lambda self, *known: honest(replace(self, entered=None), *known)
    )


def everybody_lives_at_home(monkeypatch) -> None:
    columns = {name: column for name, column in TEXT_OF_NAME.items() if name != "timezone"}
    monkeypatch.setattr(person_facts, "TEXT_OF_NAME", columns)


@pytest.mark.fuzz
@pytest.mark.parametrize(
    "plant",
    [without_entries_and_exits_of_windows, without_when_people_entered, everybody_lives_at_home],
)
async def test_a_planted_bug_is_found(house, tick_pool, monkeypatch, plant):
    plant(monkeypatch)

    with pytest.raises(AssertionError):
        await walk(house, tick_pool, seed=1, steps=2 * STEPS)


# ---- what is read


async def explain_one(house, segment, person: str) -> Explanation:
    question = Question(segment.id, SubscriberKey(kind="externalId", value=person))
    (found,) = await explain_memberships(
        ports=house.ports, workspace_id=house.workspace.id, questions=[question], ids=PLAIN_IDS
    )
    assert found
    return found


BOUGHT = {"event": {"name": "bought"}}


async def test_facts_are_those_in_the_tables_as_far_as_they_are_read(house):
    group, other = await house.group("Friends"), await house.group("Others")
    inner = await house.segment("Inner", {"all": [{"email": {"isSet": False}}]})
    await house.upsert(
        {
            "externalId": "ada",
            "firstName": "Ada",
            "birthday": date(1990, 5, 1),
            "timezone": "Europe/Vilnius",
            "addToGroupIds": [group.id, other.id],
            "channels": [{"channel": "EMAIL", "status": "ACTIVE"}, {"channel": "SMS", "status": "ACTIVE"}],
        }
    )
    for name in ("bought", "opened"):
        await house.track("ada", name, value=0.1, properties={"price": 5})
    await house.tick()
    async with house.ports.database.acquire() as connection:
        event_ids = await definitions.event_names(connection, house.workspace.id)
    ((id_, everything),) = (await facts_by_id(house)).items()
    reads = [
        Read(source="event", ref="bought"),
        Read(source="event", ref="never tracked"),
        Read(source="group", ref=group.id),
        Read(source="segment", ref=inner.id),
        Read(source="channel", ref="SMS"),
    ]

    async with house.ports.database.snapshot() as connection:
        found = await person_facts.facts_by_owners(
            connection, house.workspace.id, [(house.bucket_id, id_)], reads=reads, event_ids=event_ids
        )
        elsewhere = await person_facts.facts_by_owners(
            connection, house.workspace.id + 1, [(house.bucket_id, id_)], reads=reads, event_ids=event_ids
        )

    assert found == {
        (house.bucket_id, id_): replace(
            everything,
            profile={**everything.profile, "externalId": "ada"},
            events=tuple(event for event in everything.events if event.name == "bought"),
            groups={group.id: house.clock.instant},
            segments={inner.id: house.clock.instant},
            channels={"SMS": everything.channels["SMS"]},
        )
    }
    assert elsewhere == {}


@pytest.mark.one_server("a cluster has a snapshot for each machine")
async def test_everything_is_of_one_snapshot(house, monkeypatch):
    await house.upsert({"externalId": "ada"})
    segment = await house.segment("Buyers", BOUGHT)
    await house.track("bob", "bought")  # so that the name has an id
    honest = person_facts.facts_by_owners

    async def overtaken(*arguments, **more):
        await house.track("ada", "bought")
        await house.edit(segment, {"not": BOUGHT})
        return await honest(*arguments, **more)

    monkeypatch.setattr(explanations, "facts_by_owners", overtaken)
    found = await explain_one(house, segment, "ada")
    monkeypatch.undo()
    later = await explain_one(house, segment, "ada")

    observed: Any = found.root.observed  # Any: JSON
    assert (found.revision, found.is_member, observed["count"]) == (1, False, 0)
    assert (later.revision, later.is_member) == (2, False)
    assert later.nodes[1].observed == {"count": 1, "newest": ["2026-03-01T12:00:00Z"], "deciding": []}


async def test_too_much_work_is_refused(house, monkeypatch):
    await house.upsert({"externalId": "ada"})
    inner = await house.segment("Inner", {"any": [BOUGHT, BOUGHT, {"city": {"isSet": True}}]})
    segment = await house.segment("Outer", {"any": [BOUGHT, {"segment": {"anyOf": [str(inner.id)]}}]})
    for _ in range(2):
        await house.track("ada", "bought")

    monkeypatch.setattr(explanations, "MOST_LOOKS", 6)
    assert (await explain_one(house, segment, "ada")).is_member
    monkeypatch.setattr(explanations, "MOST_LOOKS", 5)
    with pytest.raises(person_facts.TooManyEvents):
        await explain_one(house, segment, "ada")
    assert (await explain_one(house, inner, "ada")).is_member
