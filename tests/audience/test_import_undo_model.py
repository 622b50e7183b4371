"""Undoing random imports after random changes, against a model in plain Python that knows only what the tables were between the batches."""

from __future__ import annotations

import asyncio
import json
import os
import random
from contextlib import suppress
from copy import deepcopy
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import pytest

from audience_gql.audience.definitions.fields import define_custom_field
from audience_gql.audience.definitions.groups import add_to_group, remove_from_group
from audience_gql.audience.failures import Failure, NotFound
from audience_gql.audience.imports import windows
from audience_gql.audience.imports.plans import ColumnPlan
from audience_gql.audience.imports.runner import ImportRunner
from audience_gql.audience.imports.undo_requests import undo_import
from audience_gql.audience.people.channels import set_channel_status
from audience_gql.audience.people.erasure import erase_subscriber
from audience_gql.audience.people.keys import SubscriberKey
from tests.audience.test_imports import look, start, upload

SEEDS = range(60) if os.environ.get("AUDIENCE_FUZZ_LONG") else range(10)
SECOND = timedelta(seconds=1)
KEYS = ("external_id", "email")
REFUSALS = {"BOUNCED", "UNSUBSCRIBED", "SPAM_REPORTED"}
NAMES = [f"n{number}" for number in range(9)]
MAILS = [f"m{number}@x.org" for number in range(9)]
TOWNS = ["Oslo", "Riga", "Tartu", ""]


@dataclass
class Person:
    """A person as the tables show them."""

    profile: dict[str, Any]
    fields: dict[str, Any]
    updated_at: Any
    channels: dict[str, Any] = field(default_factory=dict)
    groups: dict[int, Any] = field(default_factory=dict)
    events: int = 0


async def snapshot(house, same: dict[Any, Any] | None = None) -> dict[int, Person]:
    """Everybody. `same` has the times of changes that brought a profile back, with the times at which it was so before."""
    database, bucket_id = house.ports.database, house.bucket_id
    found = {}
    for row in await database.fetch(
        "SELECT id, external_id, email, city, birthday, latitude, longitude, fields, updated_at FROM subscribers WHERE bucket_id = $1",
        bucket_id,
    ):
        profile = {name: row[name] for name in ("external_id", "email", "city", "birthday")}
        profile["location"] = None if row["latitude"] is None else (row["latitude"], row["longitude"])
        at = (same or {}).get((row["id"], row["updated_at"]), row["updated_at"])
        found[row["id"]] = Person(profile, json.loads(row["fields"]), at)
    for row in await database.fetch("SELECT * FROM channel_states WHERE bucket_id = $1", bucket_id):
        before = (row["before_status"], row["before_changed_at"], row["before_reason"])
        state = (row["status"], row["changed_at"], row["reason"], before if before[0] else None)
        found[row["subscriber_id"]].channels[row["channel"]] = state
    for row in await database.fetch("SELECT * FROM group_members WHERE bucket_id = $1", bucket_id):
        found[row["subscriber_id"]].groups[row["group_id"]] = row["added_at"]
    for row in await database.fetch("SELECT subscriber_id FROM events WHERE bucket_id = $1", bucket_id):
        found[row["subscriber_id"]].events += 1
    return found


# ---- the model


def undone(now: dict[int, Person], states: list[dict[int, Person]], times: list[Any]) -> dict[int, Person]:
    """The tables after the undo. `states` are those before and after each batch, `times` the instants of the batches."""
    people = deepcopy(now)
    for number in reversed(range(len(times))):
        undo_batch(people, states[2 * number], states[2 * number + 1], times[number])
    return people


def undo_batch(people, before, after, at) -> None:
    touched = [it for it in after if it in people and (it not in before or differs(before[it], after[it]))]
    for it in touched:
        if it not in before and is_as_left(people[it], after[it], at):
            del people[it]
    touched = [it for it in touched if it in people]
    old = deepcopy({it: people[it] for it in touched})
    revert_keys(people, [it for it in touched if it in before], before, after)
    for it in touched:
        person, past, left = people[it], before.get(it), after[it]
        if past is not None:
            revert_values(person, past, left)
        revert_channels(person, old[it], past, left)
        revert_groups(person, past.groups if past else {}, left.groups, at)
        if past is not None and (past.profile, past.fields) != (left.profile, left.fields):
            person.updated_at = past.updated_at if person.updated_at == left.updated_at else None


def revert_values(person: Person, past: Person, left: Person) -> None:
    for name in ("city", "birthday", "location"):
        if past.profile[name] != left.profile[name] and person.profile[name] == left.profile[name]:
            person.profile[name] = past.profile[name]
    for key in past.fields.keys() | left.fields.keys():
        if past.fields.get(key) != left.fields.get(key) == person.fields.get(key):
            put(person.fields, key, past.fields.get(key))


def revert_groups(person: Person, past, left, at) -> None:
    for group in left.keys() - past.keys():
        if person.groups.get(group) == at:
            del person.groups[group]
    for group in past.keys() - left.keys():
        person.groups.setdefault(group, past[group])


def differs(before: Person, after: Person) -> bool:
    return (before.profile, before.fields, before.channels, before.groups) != (
        after.profile, after.fields, after.channels, after.groups,
    )  # fmt: skip


def is_as_left(person: Person, left: Person, at) -> bool:
    """Whether nobody has touched a person whom the batch created. Groups that somebody took them out of do not count."""
    return (
        person.updated_at == left.updated_at
        and person.channels == left.channels
        and person.events == 0
        and all(since == at and group in left.groups for group, since in person.groups.items())
    )


def revert_keys(people, touched, before, after) -> None:
    """Each key that is still the import's goes back, unless somebody has it who does not give it up in turn."""
    wanted = {
        (it, name): before[it].profile[name]
        for it in touched
        for name in KEYS
        if before[it].profile[name] != after[it].profile[name] == people[it].profile[name]
    }
    while True:
        staying = {
            (name, person.profile[name])
            for it, person in people.items()
            for name in KEYS
            if (it, name) not in wanted
        }
        refused = [
            (it, name) for (it, name), key in wanted.items() if key is not None and (name, key) in staying
        ]
        if not refused:
            break
        for place in refused:
            del wanted[place]
    for (it, name), key in wanted.items():
        people[it].profile[name] = key


def revert_channels(person: Person, old: Person, past: Person | None, left: Person) -> None:
    if person.profile["email"] != old.profile["email"]:
        for channel, state in [*person.channels.items()]:
            if channel == "EMAIL" and state[0] == "BOUNCED":
                earlier = state[3]
                put(
                    person.channels,
                    channel,
                    None if earlier is None or earlier[0] == "NONE" else (*earlier, None),
                )
    for channel in (past.channels.keys() if past else set()) | left.channels.keys():
        was, became = past.channels.get(channel) if past else None, left.channels.get(channel)
        present = person.channels.get(channel)
        if was == became or present != became:
            continue
        mails = [it.profile["email"] for it in (past or left, left, person)]
        if was and was[0] == "BOUNCED" and mails[0] != mails[1] and mails[0] != mails[2]:
            continue
        if present and present[0] in REFUSALS and (was is None or was[0] not in REFUSALS):
            continue
        put(person.channels, channel, was)


def put(mapping, key, value) -> None:
    if value is None:
        mapping.pop(key, None)
    else:
        mapping[key] = value


# ---- what happens


class World:
    def __init__(self, house, chance: random.Random) -> None:
        self.house, self.chance = house, chance
        self.same: dict[Any, Any] = {}

    async def begin(self) -> None:
        self.groups = [await self.house.group(name) for name in ("One", "Two")]
        ports, workspace = self.house.ports, self.house.workspace
        await define_custom_field(ports=ports, workspace=workspace, key="score", label="Score", type="NUMBER")
        self.segments = [
            await self.house.segment("In town", {"city": {"is": "Oslo"}}),
            await self.house.segment("Guests", {"group": {"anyOf": [self.groups[0].id]}}),
            await self.house.segment("Good", {"field": {"key": "score", "number": {"gte": 2}}}),
        ]  # fmt: skip
        self.columns = (
            ColumnPlan(header="id", kind="profile", target="externalId"),
            ColumnPlan(header="mail", kind="profile", target="email"),
            ColumnPlan(header="town", kind="profile", target="city"),
            ColumnPlan(header="born", kind="profile", target="birthday"),
            ColumnPlan(header="lat", kind="profile", target="latitude"),
            ColumnPlan(header="lon", kind="profile", target="longitude"),
            ColumnPlan(header="score", kind="field", target="score"),
            ColumnPlan(header="news", kind="channel", target="EMAIL"),
            ColumnPlan(header="two", kind="group", target=self.groups[1].id),
        )

    async def change(self) -> None:  # noqa: C901  # a table of what may happen
        """One change by a caller."""
        chance, ports, workspace = self.chance, self.house.ports, self.house.workspace
        self.house.clock.advance(SECOND)
        who = SubscriberKey(kind="externalId", value=chance.choice(NAMES))
        try:
            match chance.randrange(9):
                case 0 | 1 | 2:
                    item: dict[str, Any] = {"externalId": who.value}
                    for name, values in (
                        ("email", MAILS),
                        ("city", TOWNS),
                        ("birthday", ["1990-01-01", None]),
                    ):
                        if chance.random() < 0.4:
                            item[name] = chance.choice(values)
                    if chance.random() < 0.3:
                        item["fields"] = [{"key": "score", "value": chance.choice([1, 2, None])}]
                    await self.house.upsert(item)
                case 3 | 8:
                    await self.house.track(who.value, "opened")
                case 4:
                    name = chance.choice(["email_bounced", "email_unsubscribed"])
                    await self.house.track(who.value, name, occurred_at=self.house.clock.instant)
                case 5:
                    status = chance.choice(["ACTIVE", "UNSUBSCRIBED", "NONE"])
                    await set_channel_status(
                        ports=ports,
                        workspace=workspace,
                        subscriber=who,
                        channel="EMAIL",
                        status=status,
                        reason="asked",
                    )
                case 6:
                    act = chance.choice([add_to_group, remove_from_group])
                    group = chance.choice(self.groups)
                    await act(ports=ports, workspace=workspace, group_id=group.id, subscribers=[who])
                case 7:
                    if chance.random() < 0.3:
                        await erase_subscriber(ports=ports, workspace=workspace, subscriber=who)
        except Failure:
            pass  # there is nobody of this name

    def rows(self) -> bytes:
        chance, lines = self.chance, ["id,mail,town,born,lat,lon,score,news,two"]
        for _ in range(chance.randint(3, 12)):
            where = chance.choice([("1", "2"), ("3", "4"), ("", "")])
            cells = [
                chance.choice(NAMES), chance.choice([*MAILS, ""]), chance.choice(TOWNS), chance.choice(["1990-01-01", "1991-02-02", ""]),
                *where, chance.choice(["1", "2", "2.5", ""]), chance.choice(["ACTIVE", "UNSUBSCRIBED", "", ""]),
                chance.choice(["yes", "no", ""]),
            ]  # fmt: skip
            lines.append(",".join(cells))
        return "\n".join(lines).encode()

    async def imported(self) -> tuple[Any, list[dict[int, Person]], list[Any]]:
        """Run an import, with changes between the batches. Also returns the tables around each batch, and the batches' instants."""
        house, chance = self.house, self.chance
        joined = (self.groups[0].id,) if chance.random() < 0.7 else ()
        made, secret = await start(
            house, *self.columns, add_to_group_ids=joined, empty_clears=chance.random() < 0.3
        )
        await upload(house, made, secret, self.rows())
        runner, window = ImportRunner(house.ports), windows.Window()
        states, times, goes_on = [], [], True
        while goes_on:
            house.clock.advance(SECOND)
            states.append(await snapshot(house, self.same))
            times.append(house.clock.instant)
            goes_on = await runner._step(made.id, window)
            states.append(await snapshot(house, self.same))
            for _ in range(chance.choice([0, 0, 1])):
                await self.change()
        return made, states, times

    async def check_undo(self, made, states, times) -> None:
        house = self.house
        expected = undone(await snapshot(house, self.same), states, times)

        await undo_import(ports=house.ports, workspace=house.workspace, import_id=made.id)
        house.clock.advance(SECOND)
        await ImportRunner(house.ports).work_off(made.id)
        house.clock.advance(SECOND)

        found = await snapshot(house)
        assert visible(found) == visible(expected)
        assert (await look(house, made)).undo_state == "DONE"
        self.same |= {
            (it, person.updated_at): expected[it].updated_at
            for it, person in found.items()
            if expected[it].updated_at is not None
        }
        await house.tick()
        await self.check_segments()

    async def check_segments(self) -> None:
        for segment in self.segments:
            facts = await snapshot(self.house)
            expected = {
                "In town": {
                    it.profile["external_id"] for it in facts.values() if it.profile["city"] == "Oslo"
                },
                "Guests": {
                    it.profile["external_id"] for it in facts.values() if self.groups[0].id in it.groups
                },
                "Good": {
                    it.profile["external_id"] for it in facts.values() if max([0, *it.fields.values()]) >= 2
                },
            }[segment.name]
            assert await self.house.members(segment) == expected, segment.name


def visible(people: dict[int, Person]) -> dict[int, tuple[object, ...]]:
    return {it: (p.profile, p.fields, p.channels, p.groups, p.events) for it, p in people.items()}


@pytest.mark.parametrize("seed", SEEDS)
async def test_an_undo_gives_what_the_model_gives(house, monkeypatch, seed):
    monkeypatch.setattr(windows, "BATCH_LIMIT", 3)
    chance = random.Random(seed)
    world = World(house, chance)
    await world.begin()
    waiting = []
    for _ in range(4):
        for _ in range(8):
            await world.change()
        waiting.append(await world.imported())
        for _ in range(chance.randint(0, 8)):
            await world.change()
        if chance.random() < 0.5:
            await house.tick()
        if chance.random() < 0.5:
            await world.check_undo(*waiting.pop())
    while waiting:
        await world.check_undo(*waiting.pop(chance.choice([-1, -1, 0])))
    assert await house.ports.database.fetchval(
        "SELECT count(*) FROM import_effects e WHERE e.bucket_id = $1", house.bucket_id
    ) == 0  # fmt: skip


async def test_callers_who_write_meanwhile_are_never_overwritten(house, monkeypatch):
    """What a caller writes during the undo is there afterwards, whichever came first."""
    monkeypatch.setattr(windows, "BATCH_LIMIT", 5)
    people = [f"p{number}" for number in range(40)]
    await house.upsert(*({"externalId": name, "city": "Oslo"} for name in people[:20]))
    columns = (
        ColumnPlan(header="id", kind="profile", target="externalId"),
        ColumnPlan(header="town", kind="profile", target="city"),
    )
    house.clock.advance(SECOND)
    made, secret = await start(house, *columns)
    await upload(house, made, secret, b"id,town\n" + b"".join(b"%s,Riga\n" % it.encode() for it in people))
    await ImportRunner(house.ports).work_off(made.id)
    house.clock.advance(SECOND)
    await undo_import(ports=house.ports, workspace=house.workspace, import_id=made.id)
    written = random.Random(1).sample(people, 30)
    moved, told, erased = written[::3], written[1::3], written[2::3]

    async def write() -> None:
        for town, name, gone in zip(moved, told, erased, strict=True):
            house.clock.advance(SECOND)
            await house.upsert({"externalId": town, "city": "Tartu"})
            await house.track(name, "opened")
            with suppress(NotFound):  # the undo was faster
                await erase_subscriber(
                    ports=house.ports,
                    workspace=house.workspace,
                    subscriber=SubscriberKey(kind="externalId", value=gone),
                )

    await asyncio.gather(ImportRunner(house.ports).work_off(made.id), write())

    found = {person.profile["external_id"]: person for person in (await snapshot(house)).values()}
    assert {found[name].profile["city"] for name in moved} == {"Tartu"}
    assert not found.keys() & {*erased}
    assert {found[name].profile["city"] for name in {*people[:20]} - {*moved, *erased}} == {"Oslo"}
    assert not found.keys() & {*people[20:]} - {*moved, *told}
    assert all(found[name].events for name in found.keys() & {*people[20:]} & {*told})
    assert (await look(house, made)).undo_state == "DONE"
