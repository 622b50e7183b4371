"""The small workspace of these tests and its people, in Python and in Postgres."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypeAlias

import asyncpg

from audience_gql.conditions.addresses import fold_address
from audience_gql.conditions.base import Condition, Names
from audience_gql.conditions.codec import parse
from audience_gql.conditions.facts import ChannelFact, Event, Facts
from audience_gql.conditions.locations import Location, location_at
from audience_gql.conditions.profile import DEGREE_COLUMNS, TEXT_OF_NAME, VECTOR_COLUMNS
from audience_gql.conditions.values import date_of, decimal_of, fold, instant_of, instant_text
from audience_gql.conditions.vocabulary import PLAIN_IDS, FieldRef, ListRef, Vocabulary

Connection: TypeAlias = "asyncpg.Connection[asyncpg.Record]"

FIELDS = {
    "plan": FieldRef(id=11, key="plan", type="TEXT"),
    "nickname": FieldRef(id=12, key="nickname", type="TEXT"),
    "size": FieldRef(id=13, key="size", type="NUMBER"),
    "score": FieldRef(id=14, key="score", type="NUMBER"),
    "vip": FieldRef(id=15, key="vip", type="BOOLEAN"),
    "renewal": FieldRef(id=16, key="renewal", type="DATE"),
    "trial_ends": FieldRef(id=17, key="trial_ends", type="DATETIME"),
    "tags": FieldRef(id=18, key="tags", type="LIST"),
    "company_size": FieldRef(id=19, key="company_size", type="NUMBER"),
}
GROUPS = {21: "VIP", 22: "Beta testers"}
SEGMENTS = {41: "Buyers", 42: "Readers", 43: "Lapsed"}
EVENT_NAMES = {
    "email_opened": 31,
    "order_placed": 32,
    "page_viewed": 33,
    "cart_updated": 34,
    "email_sent": 35,
    "email_clicked": 36,
    "feature_used": 37,
}

VOCABULARY = Vocabulary(
    fields=FIELDS,
    group_ids=GROUPS.keys(),
    groups_by_name={fold(name): ListRef(id=id_, name=name) for id_, name in GROUPS.items()},
    segment_ids=SEGMENTS.keys(),
    segments_by_name={fold(name): ListRef(id=id_, name=name) for id_, name in SEGMENTS.items()},
    event_names=EVENT_NAMES,
    timezone="Europe/Vilnius",
)
NAMES = Names(groups=GROUPS, segments=SEGMENTS)

_WORKSPACE = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Person:
    """A person's facts, and the bucket in which they are stored. The same id may exist in several buckets."""

    bucket_id: int
    facts: Facts

    @property
    def id(self) -> int:
        return self.facts.id


def condition_of(value: object) -> Condition:
    return parse(value, vocabulary=VOCABULARY, ids=PLAIN_IDS, allow_empty=True)


def instant(text: str) -> datetime:
    return datetime.fromisoformat(text)


def facts_of(id_: int, given: Mapping[str, Any]) -> Facts:  # Any: JSON of a case file
    """The facts of a person in a case file."""
    created_at = instant(given.get("createdAt", "2020-01-01T00:00:00Z"))
    return Facts(
        id=given.get("id", id_),
        birthday=date_of(given["birthday"]) if "birthday" in given else None,
        location=location_at(*given["location"]) if "location" in given else None,
        channels={
            channel: ChannelFact(status=state["status"], changed_at=instant(state["changedAt"]))
            for channel, state in given.get("channels", {}).items()
        },
        segments={int(id_): instant(entered_at) for id_, entered_at in given.get("entered", {}).items()},
        created_at=created_at,
        updated_at=instant(given["updatedAt"]) if "updatedAt" in given else created_at,
        profile=given.get("profile", {}),
        fields={FIELDS[key].id: value for key, value in given.get("fields", {}).items()},
        groups={int(group_id): instant(added_at) for group_id, added_at in given.get("groups", {}).items()},
        events=tuple(
            Event(
                name=event["name"],
                occurred_at=instant(event["at"]),
                value=decimal_of(event["value"]) if "value" in event else None,
                properties=event.get("properties", {}),
            )
            for event in given.get("events", ())
        ),
    )


async def store(connection: Connection, people: Iterable[Person]) -> None:
    """Write people as storage does: folded text beside the original, dates as rows."""
    people = list(people)
    await connection.execute(
        "INSERT INTO workspaces (id, name, created_at) VALUES ($1, 'test', now()) ON CONFLICT DO NOTHING",
        _WORKSPACE,
    )
    for group_id, name in GROUPS.items():
        await connection.execute(
            "INSERT INTO groups (id, workspace_id, name, name_folded, created_at, updated_at) "
            "VALUES ($1, $2, $3, $3, now(), now()) ON CONFLICT DO NOTHING",
            group_id,
            _WORKSPACE,
            name,
        )
    for bucket_id in {person.bucket_id for person in people}:
        await connection.execute(
            "INSERT INTO buckets (id, workspace_id, last_instant, evaluated_through) "
            "VALUES ($1, $2, now(), now()) ON CONFLICT DO NOTHING",
            bucket_id,
            _WORKSPACE,
        )
    for person in people:
        await _store_person(connection, person)
    await connection.execute("ANALYZE subscribers, events, group_members")


def columns_of(location: Location | None) -> dict[str, float | None]:
    """What is stored of a location, by column."""
    columns = (*DEGREE_COLUMNS, *VECTOR_COLUMNS)
    if location is None:
        return dict.fromkeys(columns)
    return dict(
        zip(columns, (location.latitude, location.longitude, location.x, location.y, location.z), strict=True)
    )


def _folded_text(name: str, text: str) -> str:
    return fold_address(text) if name == "email" else fold(text)


async def _store_person(connection: Connection, person: Person) -> None:
    key, facts = (person.bucket_id, person.id), person.facts
    fields = {str(field_id): value for field_id, value in facts.fields.items()}
    row: dict[str, object] = {"bucket_id": person.bucket_id, "id": person.id}
    for name, text in facts.profile.items():
        row |= {TEXT_OF_NAME[name]: text, f"{TEXT_OF_NAME[name]}_folded": _folded_text(name, text)}
    row["birthday"] = facts.birthday
    row |= columns_of(facts.location)
    row |= {"fields": json.dumps(fields), "fields_folded": json.dumps(_folded(fields))}
    row |= {"created_at": facts.created_at, "updated_at": facts.updated_at}
    places = ", ".join(f"${number}" for number in range(1, len(row) + 1))
    await connection.execute(f"INSERT INTO subscribers ({', '.join(row)}) VALUES ({places})", *row.values())
    for field_id, at in ((1, facts.created_at), (2, facts.updated_at)):
        await connection.execute("INSERT INTO subscriber_dates VALUES ($1, $2, $3, $4)", *key, field_id, at)
    for group_id, added_at in facts.groups.items():
        await connection.execute(
            "INSERT INTO group_members (bucket_id, subscriber_id, group_id, added_at) "
            "VALUES ($1, $2, $3, $4)",
            *key,
            group_id,
            added_at,
        )
    for channel, state in facts.channels.items():
        await connection.execute(
            "INSERT INTO channel_states VALUES ($1, $2, $3, $4, $5)",
            *key,
            channel,
            state.status,
            state.changed_at,
        )
    for segment_id, entered_at in facts.segments.items():
        await connection.execute(
            "INSERT INTO segment_members (bucket_id, subscriber_id, segment_id, entered_at) "
            "VALUES ($1, $2, $3, $4)",
            *key,
            segment_id,
            entered_at,
        )
    for number, event in enumerate(facts.events):
        await connection.execute(
            "INSERT INTO events VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)",
            *key,
            EVENT_NAMES[event.name],
            event.occurred_at,
            number,
            event.value,
            json.dumps(event.properties),
            json.dumps(_folded(event.properties)),
            json.dumps(_times(event.properties)),
        )


def _folded(values: Mapping[str, object]) -> dict[str, object]:
    """The folded texts that differ from their originals."""
    folded: dict[str, object] = {}
    for key, value in values.items():
        if isinstance(value, str) and fold(value) != value:
            folded[key] = fold(value)
        elif isinstance(value, list) and key.isdigit():  # a custom field's id
            folded[key] = [fold(text) for text in value]
    return folded


def _times(values: Mapping[str, object]) -> dict[str, str]:
    return {
        key: instant_text(at)
        for key, value in values.items()
        if isinstance(value, str) and (at := instant_of(value))
    }
