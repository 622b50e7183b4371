"""Random batches over few people and few keys: sent in one or a few calls in one workspace, and item by item in another.

Except for the ids, everything that a call returns and stores must be the same in both. AUDIENCE_FUZZ_SEED repeats a run.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from itertools import pairwise
from random import Random
from typing import Any, TypeAlias

from audience_gql.audience.definitions.fields import define_custom_field
from audience_gql.audience.definitions.groups import create_group
from audience_gql.audience.people.events import EventItem, track_events
from audience_gql.audience.people.keys import SubscriberKey, SubscriberRef
from audience_gql.audience.people.profiles import identity
from audience_gql.audience.people.subscribers import upsert_subscribers
from audience_gql.audience.ports import Ports
from audience_gql.audience.testing import MemorySignals, NotedJobs, SimulatedClock
from audience_gql.audience.workspaces import create_workspace
from audience_gql.conditions.vocabulary import CHANNEL_STATUSES
from audience_gql.storage import buckets
from audience_gql.storage.orm.models import Workspace
from audience_gql.storage.postgres.database import Database

Json: TypeAlias = Any  # Any: what a call received or returned, for comparison
CASES_A_WORLD = 20
GROUPS = 2
NAMES = 5
"""How many event names the workspaces allow: fewer than the batches use."""

_KEYS: dict[str, list[str]] = {
    "externalId": ["1", "1", "2", "3"],
    "email": ["a@x.org", "A@x.org", "b@x.org", "c@x.org"],
    "phone": ["+37060000001", "+37060000002"],
}
_MALFORMED = {"externalId": "\0", "email": "nobody", "phone": "12"}
_EVENTS = ["opened", "bought", "email_bounced", "email_unsubscribed", "email_complained", "one", "two"]


@dataclass(frozen=True, slots=True)
class Disagreement:
    seed: int
    case: int
    batch: Json
    what: str
    together: Json
    alone: Json


async def disagreements(
    database: Database, clock: SimulatedClock, *, seed: int, cases: int, seen: Counter[str] | None = None
) -> list[Disagreement]:
    """The differences of the first case that has any. `seen` counts what the cases contained."""
    chance = Random(seed)
    twins = await _twins(database, clock)
    for case in range(cases):
        if case % CASES_A_WORLD == 0:
            twins = await _twins(database, clock)
        clock.advance(timedelta(seconds=chance.randrange(1, 400)))
        batch = _Batches(chance, clock.instant, len(twins.together.people)).draw()
        if found := await twins.compare(batch, chance, seen if seen is not None else Counter()):
            return [Disagreement(seed, case, batch, *difference) for difference in found]
    return []


# ---- batches


@dataclass(slots=True)
class _Batches:
    """Draws batches as JSON-like values. In them, numbers stand for people, and list positions for groups."""

    chance: Random
    now: datetime
    people: int

    def draw(self) -> Json:
        count = self.chance.choice([1, 2, 2, 3, 4, 6])
        if self.chance.random() < 0.35:
            events = [self._event() for _ in range(count)]
            return {"events": events, "create_missing": self.chance.random() < 0.8}
        return {
            "people": [self._person() for _ in range(count)],
            "groups": [0] if self.chance.random() < 0.15 else [],
        }

    def _person(self) -> Json:
        item: Json = {}
        for kind, values in _KEYS.items():
            if self.chance.random() < {"externalId": 0.7, "email": 0.45, "phone": 0.15}[kind]:
                item[kind] = self.chance.choice([*values, None, None])
        if not any(item.values()) and self.chance.random() < 0.9:
            item["externalId"] = self.chance.choice(_KEYS["externalId"])
        if self.chance.random() < 0.04:
            kind = self.chance.choice(list(_MALFORMED))
            item[kind] = _MALFORMED[kind]
        if self.chance.random() < 0.15:
            item["id"] = self.chance.randrange(self.people + 1)
        return item | self._facts()

    def _facts(self) -> Json:
        possible: dict[str, list[Json]] = {
            "firstName": ["Ada", "ada", None],
            "birthday": [date(1990, 2, 28), date(1991, 1, 1), None],
        }
        item: dict[str, Json] = {
            name: self.chance.choice(values)
            for name, values in possible.items()
            if self.chance.random() < 0.3
        }
        if self.chance.random() < 0.3:
            degrees = self.chance.choice([(54.6872, 25.2797), (-33.8688, 151.2093), (None, None), (1, None)])
            item |= dict(zip(("latitude", "longitude"), degrees, strict=True))
        if self.chance.random() < 0.3:
            item["fields"] = [self.chance.choice(_FIELD_VALUES)]
        if self.chance.random() < 0.4:
            item["channels"] = [self._wish() for _ in range(self.chance.choice([1, 1, 2]))]
        for name in ("addToGroupIds", "removeFromGroupIds"):
            if self.chance.random() < 0.4:
                item[name] = [self.chance.randrange(GROUPS + (self.chance.random() < 0.03))]
        return item

    def _wish(self) -> Json:
        return {
            "channel": self.chance.choice(["EMAIL", "EMAIL", "SMS"]),
            "status": self.chance.choice(["ACTIVE", "ACTIVE", *CHANNEL_STATUSES]),
            "reason": self.chance.choice([None, "asked"]),
        }

    def _event(self) -> Json:
        kind = self.chance.choice([*_KEYS, *_KEYS, "id"])
        value = self.chance.randrange(self.people + 1) if kind == "id" else self.chance.choice(_KEYS[kind])
        if kind != "id" and self.chance.random() < 0.06:
            value = _MALFORMED[kind]
        minutes = self.chance.choice([0, 0, 1, 2, 5, 9, 20])
        at: datetime | None = self.now - timedelta(minutes=minutes) if minutes else None
        if self.chance.random() < 0.08:
            at = self.chance.choice([self.now + timedelta(days=2), self.now.replace(tzinfo=None)])
        return {
            "subscriber": (kind, value),
            "name": self.chance.choice(["", *_EVENTS * 4]),
            "occurred_at": at,
            "value": self.chance.choice([None, 1.5]),
            "key": self.chance.choice([None, None, "k1", "k2"]),
        }


_FIELD_VALUES = [
    {"key": "plan", "value": "pro"},
    {"key": "plan", "value": "Pro"},
    {"key": "plan", "value": None},
    {"key": "since", "value": "2026-02-01"},
    {"key": "since", "value": "2026-02-02"},
    {"key": "since", "value": ""},
    {"key": "since", "value": "soon"},
    {"key": "none", "value": 1},
]


# ---- two workspaces


@dataclass(slots=True)
class _Side:
    """One of the two workspaces. `people` has the people that it created, by the number that both sides use for them."""

    ports: Ports
    workspace: Workspace
    bucket_id: int
    groups: list[int]
    fields: dict[str, str]
    """The keys of the custom fields, by id."""
    people: list[SubscriberRef] = field(default_factory=list)

    async def tell(self, batch: Json, part: slice) -> Json:
        """Send some items of a batch in one call. Returns the results in a form that is comparable between the sides."""
        if "events" in batch:
            tracked = await track_events(
                ports=self.ports,
                workspace=self.workspace,
                items=[self._event(it) for it in batch["events"][part]],
                create_missing=batch["create_missing"],
            )
            return {
                "counts": Counter(accepted=tracked.accepted, duplicates=tracked.duplicates),
                "rejects": [(part.start, it) for it in tracked.rejects],
                "kept": [],
                "subscribers": [],
            }
        upserted = await upsert_subscribers(
            ports=self.ports,
            workspace=self.workspace,
            items=[self._item(it) for it in batch["people"][part]],
            add_to_group_ids=[self.groups[place] for place in batch["groups"]],
        )
        return {
            "counts": Counter(created=upserted.created),
            "rejects": [(part.start, it) for it in upserted.rejects],
            "kept": [(part.start + it.index, it.channel, it.status, it.message) for it in upserted.kept],
            "subscribers": upserted.subscribers,
            "updated": upserted.updated,
        }

    def _event(self, event: Json) -> EventItem:
        kind, value = event["subscriber"]
        key = SubscriberKey(kind=kind, value=self._ref(value) if kind == "id" else value)
        return EventItem(**event | {"subscriber": key})

    def _item(self, item: Json) -> dict[str, object]:
        ids = {"id": self._ref(item["id"])} if "id" in item else {}
        groups = {
            name: [self.groups[place] if place < GROUPS else 1 for place in item[name]]
            for name in ("addToGroupIds", "removeFromGroupIds")
            if name in item
        }
        return {**item, **ids, **groups}

    def _ref(self, number: int) -> SubscriberRef:
        return self.people[number] if number < len(self.people) else SubscriberRef(self.bucket_id, 1)

    def rejects(self, told: Sequence[Json]) -> list[Json]:
        """The refused items, by their positions in the whole batch."""
        numbers = {(ref.bucket_id, ref.id): number for number, ref in enumerate(self.people)}
        return [
            (
                start + it.index,
                it.code,
                it.message.format(*(f"person {numbers[owner]}" for owner in it.people))
                if it.people
                else it.message,
                (it.path[0], start + it.path[1], *it.path[2:]),
            )
            for start, it in _joined(told, "rejects")
        ]

    # ---- what is stored

    async def owners(self) -> list[tuple[str, str, SubscriberRef]]:
        rows = await self.ports.database.fetch(
            "SELECT kind, value, bucket_id, subscriber_id FROM identities WHERE workspace_id = $1 ORDER BY kind, value",
            self.workspace.id,
        )
        return [(kind, value, SubscriberRef(*owner)) for kind, value, *owner in rows]

    async def stored(self) -> dict[str, Json]:
        """Everything that is stored about the people, by their numbers."""
        numbers = {ref.id: number for number, ref in enumerate(self.people)}
        found: dict[str, Json] = {"keys": [(*key, numbers[ref.id]) for *key, ref in await self.owners()]}
        for table, sql in _STORED.items():
            rows = await self.ports.database.fetch(sql, self.bucket_id)
            found[table] = sorted(
                ((numbers[row["subscriber_id"]], *self._told(dict(row))) for row in rows), key=repr
            )
        return found

    def _told(self, row: dict[str, Json]) -> Iterator[Json]:
        for name, value in row.items():
            match name:
                case "subscriber_id":
                    continue
                case "group_id":
                    yield self.groups.index(value)
                case "field_id":
                    yield self.fields.get(str(abs(value)), value), value < 0
                case "fields" | "fields_folded":
                    yield {self.fields[key]: kept for key, kept in json.loads(value).items()}
                case _:
                    yield value

    async def marks(self) -> dict[str, Json]:
        """The marks since the last call. Marks of groups are netted, and a new person has only the mark `created`."""
        rows = await self.ports.database.fetch(
            "DELETE FROM dirty WHERE bucket_id = $1 RETURNING subscriber_id, kind, ref", self.bucket_id
        )
        names = {
            row["id"]: row["name"]
            for row in await self.ports.database.fetch(
                "SELECT id, name FROM event_names WHERE workspace_id = $1", self.workspace.id
            )
        }
        numbers = {ref.id: number for number, ref in enumerate(self.people)}
        new = {row["subscriber_id"] for row in rows if row["kind"] == "created"}
        groups: Counter[Json] = Counter()
        others = set()
        for person_id, kind, ref in rows:
            if kind.startswith("group_"):
                groups[numbers[person_id], self.groups.index(ref)] += 1 if kind == "group_joined" else -1
            elif person_id not in new or kind not in ("profile", "field"):
                told = {"event": names.get(ref), "field": self.fields.get(str(ref))}.get(kind, ref)
                others.add((numbers[person_id], kind, told))
        return {"groups": {it: net for it, net in groups.items() if net}, "others": others}


_STORED = {
    "people": "SELECT id AS subscriber_id, email, email_folded, phone, external_id, first_name, first_name_folded, birthday, "
    "latitude, longitude, location_x, location_y, location_z, "
    "fields, fields_folded, created_at, updated_at, email_changed_at FROM subscribers WHERE bucket_id = $1",
    "channels": "SELECT subscriber_id, channel, status, changed_at, reason, before_status, before_changed_at, before_reason "
    "FROM channel_states WHERE bucket_id = $1",
    "groups": "SELECT subscriber_id, group_id, added_at FROM group_members WHERE bucket_id = $1",
    "dates": "SELECT subscriber_id, field_id, at FROM subscriber_dates WHERE bucket_id = $1",
    "events": "SELECT e.subscriber_id, n.name, e.occurred_at, e.value FROM events e JOIN event_names n ON n.id = e.name_id "
    "WHERE e.bucket_id = $1",
    "event keys": "SELECT subscriber_id, key FROM event_keys WHERE bucket_id = $1",
}


@dataclass(slots=True)
class _Twins:
    together: _Side
    alone: _Side
    stored: dict[str, Json] = field(default_factory=dict)
    """What the side with whole batches stored after the last batch."""

    async def compare(self, batch: Json, chance: Random, seen: Counter[str]) -> list[tuple[str, Json, Json]]:
        """Every difference, as (what, together, alone)."""
        items = batch.get("people") or batch.get("events")
        known = len(self.together.people)
        before = self.stored
        splits = _splits(len(items), chance)
        one = [await self.together.tell(batch, part) for part in splits]
        other = [await self.alone.tell(batch, slice(place, place + 1)) for place in range(len(items))]
        whom = _joined(one, "subscribers"), _joined(other, "subscribers")
        owners = await self.together.owners(), await self.alone.owners()
        if not self._match(*whom) or not self._match(*([ref for *_, ref in side] for side in owners)):
            return [("people", (whom[0], owners[0]), (whom[1], owners[1]))]
        rejects = self.together.rejects(one), self.alone.rejects(other)
        _note(seen, other, len(splits), len(self.together.people) - known)
        seen.update(code for _, code, *_ in rejects[1])
        stored = await self.together.stored(), await self.alone.stored()
        self.stored = stored[0]
        marks = await self.together.marks(), await self.alone.marks()
        compared = [
            ("counts", sum((it["counts"] for it in one), Counter()), sum((it["counts"] for it in other), Counter())),
            ("rejects", *rejects),
            ("keys of rows", _keys_of(stored[0]["people"]), stored[0]["keys"]),
            ("kept", _joined(one, "kept"), _joined(other, "kept")),
            *((table, stored[0][table], stored[1][table]) for table in stored[0]),
            *((f"marks of {kind}", marks[0][kind], marks[1][kind]) for kind in marks[0]),
        ]  # fmt: skip
        if len(splits) == 1 and "people" in batch:
            changed = len(_changed_people(before, stored[0], known)) if known else 0
            compared.append(("updated", one[0]["updated"], changed))
        return [difference for difference in compared if difference[1] != difference[2]]

    def _match(self, one: Sequence[SubscriberRef | None], other: Sequence[SubscriberRef | None]) -> bool:
        """Give the same number to people at the same position on both sides. Returns False if the sides mean different people."""
        return len(one) == len(other) and all(self._same(*pair) for pair in zip(one, other, strict=True))

    def _same(self, one: SubscriberRef | None, other: SubscriberRef | None) -> bool:
        if one is None or other is None:
            return one == other
        if one not in self.together.people and other not in self.alone.people:
            self.together.people.append(one)
            self.alone.people.append(other)
        return (one, other) in zip(self.together.people, self.alone.people, strict=True)


def _splits(count: int, chance: Random) -> list[slice]:
    """Split the items into one call or a few calls."""
    ends = [0, count]
    if chance.random() < 0.4:
        ends += [chance.randrange(count + 1) for _ in range(2)]
    ordered = sorted(set(ends))
    return [slice(start, stop) for start, stop in pairwise(ordered)]


def _joined(told: Sequence[Json], what: str) -> list[Json]:
    return [it for one in told for it in one[what]]


def _keys_of(people: Sequence[Json]) -> list[Json]:
    """The keys of people, according to their rows."""
    return sorted(
        (*identity(kind, value), number)
        for number, email, _, phone, external_id, *_ in people
        for kind, value in (("email", email), ("phone", phone), ("externalId", external_id))
        if value is not None
    )


def _changed_people(before: dict[str, Json], after: dict[str, Json], known: int) -> set[int]:
    """The people who existed before and about whom something different is stored now."""

    def of(stored: dict[str, Json]) -> set[Json]:
        return {repr((table, row)) for table in ("people", "channels", "groups") for row in stored[table]}

    return {
        row[0]
        for stored in (before, after)
        for table in ("people", "channels", "groups")
        for row in stored[table]
        if row[0] < known and repr((table, row)) in of(before) ^ of(after)
    }


def _note(seen: Counter[str], told: Sequence[Json], calls: int, made: int) -> None:
    seen["batches in one call" if calls == 1 else "batches in several"] += 1
    seen["people made"] += made
    for one in told:
        seen.update({name: count for name, count in one["counts"].items() if count})
        seen["kept"] += len(one["kept"])


async def _twins(database: Database, clock: SimulatedClock) -> _Twins:
    return _Twins(await _side(database, clock), await _side(database, clock))


async def _side(database: Database, clock: SimulatedClock) -> _Side:
    ports = Ports(database=database, clock=clock, signals=MemorySignals(), jobs=NotedJobs())
    workspace = await create_workspace(ports=ports, name=f"one by one {Random().getrandbits(60)}")
    groups = [
        (await create_group(ports=ports, workspace=workspace, name=f"group {place}")).id
        for place in range(GROUPS)
    ]
    fields = [
        await define_custom_field(ports=ports, workspace=workspace, key=key, label=key, type=type_)
        for key, type_ in (("plan", "TEXT"), ("since", "DATE"))
    ]
    async with database.acquire() as connection:
        bucket_id = (await buckets.open_bucket_ids(connection, workspace.id))[-1]
    return _Side(ports, workspace, bucket_id, groups, {str(it.id): it.key for it in fields})
