"""Writes facts about people, each with one fixed statement for many rows, and the marks of these facts in the same transaction.

It must not decide anything: audience/ has decided before what a fact means and whether it is allowed.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, Literal, NamedTuple, TypeAlias, get_args

from audience_gql.conditions.profile import DEGREE_COLUMNS, TEXT_COLUMNS, TEXT_OF_NAME, VECTOR_COLUMNS
from audience_gql.storage.arrays import arrays_of
from audience_gql.storage.postgres.database import Connection
from audience_gql.telemetry.traces import trace_to_leave

IdentityKind: TypeAlias = Literal["externalId", "email", "phone"]
KEY_COLUMNS: Final[Mapping[IdentityKind, str]] = {kind: TEXT_OF_NAME[kind] for kind in get_args(IdentityKind)}
"""The column of the profile that has each kind of key."""
Identity: TypeAlias = tuple[IdentityKind, str]
Owner: TypeAlias = tuple[int, int]
"""A person: (bucket id, subscriber id)."""

MarkKind: TypeAlias = Literal["created", "profile", "field", "channel", "event", "group_joined", "group_left"]

CHANNEL_NUMBERS: Final = {"EMAIL": 1, "TRANSACTIONAL_EMAIL": 2, "SMS": 3, "TRANSACTIONAL_SMS": 4}
"""The `ref` of each channel in marks. These numbers are stored, so never change them."""

LIVE: Final = 0
BULK: Final = 1


class Source(NamedTuple):
    """Where the facts of a transaction come from, as their marks record it."""

    lane: int
    """LIVE, or BULK for facts that let live ones go first."""
    origin: int
    """0 for a caller, -1 for an import, otherwise the depth of the automation's run that writes the facts."""


CALLER: Final = Source(LIVE, 0)
IMPORT: Final = Source(BULK, -1)

_COLUMN_TYPES: Final[Mapping[str, str]] = {
    "id": "bigint",
    **{name: "text" for column in TEXT_COLUMNS for name in (column, f"{column}_folded")},
    "birthday": "date",
    **dict.fromkeys((*DEGREE_COLUMNS, *VECTOR_COLUMNS), "double precision"),
    "fields": "jsonb",
    "fields_folded": "jsonb",
    "created_at": "timestamptz",
    "updated_at": "timestamptz",
    "email_changed_at": "timestamptz",
}
_FIRST_COLUMN: Final = 11
_WRITE_PEOPLE: Final = (
    f"WITH people AS (INSERT INTO subscribers (bucket_id, {', '.join(_COLUMN_TYPES)}) "
    f"SELECT $1::bigint, {', '.join(f'r.{name}' for name in _COLUMN_TYPES)} "
    f"FROM unnest({', '.join(f'${n}::{kind}[]' for n, kind in enumerate(_COLUMN_TYPES.values(), _FIRST_COLUMN))}) "
    f"AS r ({', '.join(_COLUMN_TYPES)}) "
    "ON CONFLICT (bucket_id, id) DO UPDATE SET "
    + ", ".join(f"{name} = excluded.{name}" for name in _COLUMN_TYPES if name not in ("id", "created_at"))
    + "), dates AS (INSERT INTO subscriber_dates (bucket_id, subscriber_id, field_id, at) "
    "SELECT $1::bigint, r.subscriber_id, r.field_id, r.at "
    "FROM unnest($2::bigint[], $3::bigint[], $4::timestamptz[]) AS r (subscriber_id, field_id, at) "
    "ON CONFLICT (bucket_id, subscriber_id, field_id) DO UPDATE SET at = excluded.at) "
    "INSERT INTO dirty (bucket_id, lane, origin, subscriber_id, kind, ref, trace) "
    "SELECT $1::bigint, $5::smallint, $6::smallint, m.subscriber_id, m.kind, m.ref, $10::text "
    "FROM unnest($7::bigint[], $8::text[], $9::bigint[]) AS m (subscriber_id, kind, ref)"
)
"""One statement instead of three, because each costs a round trip. Postgres checks the foreign key of the dates at the statement's end."""

_ENCODER: Final = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), allow_nan=False)

PersonRow: TypeAlias = dict[str, Any]  # Any: one column's value; the keys are _COLUMN_TYPES


class Mark(NamedTuple):
    """A person and the kind of fact that a change may have altered. `ref` is the field, event name, group or channel; otherwise 0."""

    subscriber_id: int
    kind: MarkKind
    ref: int = 0
    at: datetime | None = None
    """When the event occurred, if the mark is about exactly one event. A tick then need not look it up."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ChannelConsent:
    """What a person consented to on one channel, and since when."""

    status: str
    changed_at: datetime
    reason: str | None
    before: ChannelConsent | None = None
    """The state before a bounce, or before a state that an event set. The earlier state's own `before` is None."""


# ---- people


async def lock_people(connection: Connection, bucket_id: int, ids: Iterable[int]) -> dict[int, PersonRow]:
    """The rows of these people. They are locked in the order of their ids, against other writers, until the end of the transaction."""
    rows = await connection.fetch(
        f"SELECT {', '.join(_COLUMN_TYPES)} FROM subscribers "
        "WHERE bucket_id = $1 AND id = ANY($2::bigint[]) ORDER BY id FOR NO KEY UPDATE",
        bucket_id,
        sorted(ids),
    )
    return {row["id"]: _person(row) for row in rows}


async def hold_people(connection: Connection, bucket_id: int, ids: Iterable[int]) -> set[int]:
    """The ids of those who exist. They are locked only against erasure, so that writers of events do not wait for each other."""
    rows = await connection.fetch(
        "SELECT id FROM subscribers WHERE bucket_id = $1 AND id = ANY($2::bigint[]) ORDER BY id FOR KEY SHARE",
        bucket_id,
        sorted(ids),
    )
    return {row["id"] for row in rows}


async def write_people(
    connection: Connection,
    bucket_id: int,
    people: Sequence[PersonRow],
    *,
    dates: Collection[tuple[int, int, datetime | None]],
    marks: Collection[Mark],
    source: Source,
) -> None:
    """Insert or replace whole rows, set these dates of the people, and append these marks.

    A date is given as (subscriber, field, instant). An instant of None removes the date.
    """
    columns = [[person[name] for person in people] for name in _COLUMN_TYPES]
    for position, name in enumerate(_COLUMN_TYPES):
        if _COLUMN_TYPES[name] == "jsonb":
            columns[position] = [json_text(value) for value in columns[position]]
    await connection.execute(
        _WRITE_PEOPLE,
        bucket_id,
        *arrays_of([date for date in dates if date[2] is not None], 3),
        *source,
        *arrays_of([mark[:3] for mark in sorted(marks)], 3),
        trace_to_leave(),
        *columns,
    )
    if gone := [date[:2] for date in dates if date[2] is None]:
        await connection.execute(
            "DELETE FROM subscriber_dates d USING unnest($2::bigint[], $3::bigint[]) AS g (subscriber_id, field_id) "
            "WHERE d.bucket_id = $1 AND d.subscriber_id = g.subscriber_id AND d.field_id = g.field_id",
            bucket_id,
            *arrays_of(gone, 2),
        )


async def channel_states(
    connection: Connection, bucket_id: int, ids: Collection[int], *, status: str | None = None
) -> dict[tuple[int, str], ChannelConsent]:
    """The channel states of these people, by (subscriber, channel). With `status`, only the states with that status.

    Lock the people first if a write depends on the result.
    """
    rows = await connection.fetch(
        "SELECT subscriber_id, channel, status, changed_at, reason, before_status, before_changed_at, before_reason "
        "FROM channel_states WHERE bucket_id = $1 AND subscriber_id = ANY($2::bigint[]) "
        "AND ($3::text IS NULL OR status = $3)",
        bucket_id,
        list(ids),
        status,
    )
    return {(row["subscriber_id"], row["channel"]): _state(row) for row in rows}


def _state(row: Any) -> ChannelConsent:  # Any: a driver record
    before = row["before_status"] and ChannelConsent(
        status=row["before_status"], changed_at=row["before_changed_at"], reason=row["before_reason"]
    )
    return ChannelConsent(
        status=row["status"], changed_at=row["changed_at"], reason=row["reason"], before=before
    )


async def write_channels(
    connection: Connection, bucket_id: int, states: Mapping[tuple[int, str], ChannelConsent]
) -> set[Mark]:
    """Set these states, by (subscriber, channel). Returns the marks of the changes."""
    await connection.execute(
        "INSERT INTO channel_states (bucket_id, subscriber_id, channel, status, changed_at, reason, "
        "before_status, before_changed_at, before_reason) "
        "SELECT $1::bigint, r.* FROM unnest($2::bigint[], $3::text[], $4::text[], $5::timestamptz[], $6::text[], "
        "$7::text[], $8::timestamptz[], $9::text[]) AS r "
        "ON CONFLICT (bucket_id, subscriber_id, channel) DO UPDATE "
        "SET status = excluded.status, changed_at = excluded.changed_at, reason = excluded.reason, "
        "before_status = excluded.before_status, before_changed_at = excluded.before_changed_at, "
        "before_reason = excluded.before_reason",
        bucket_id,
        *arrays_of(
            [
                (*place, *_said(state), *_said(state.before))
                for place, state in sorted(states.items(), key=lambda item: item[0])
            ],
            8,
        ),
    )
    return {Mark(person_id, "channel", CHANNEL_NUMBERS[channel]) for person_id, channel in states}


async def remove_channels(
    connection: Connection, bucket_id: int, places: Collection[tuple[int, str]]
) -> None:
    """Delete the states of these channels, given as (subscriber, channel)."""
    await connection.execute(
        "DELETE FROM channel_states c USING unnest($2::bigint[], $3::text[]) AS r (subscriber_id, channel) "
        "WHERE c.bucket_id = $1 AND c.subscriber_id = r.subscriber_id AND c.channel = r.channel",
        bucket_id,
        *arrays_of(sorted(places), 2),
    )


def _said(state: ChannelConsent | None) -> tuple[str | None, datetime | None, str | None]:
    return (None, None, None) if state is None else (state.status, state.changed_at, state.reason)


# ---- groups


async def add_members(
    connection: Connection, bucket_id: int, members: Collection[tuple[int, int]], now: datetime
) -> list[tuple[int, int]]:
    """Put people into groups, given as (group, subscriber). Returns the pairs that are new."""
    rows = await connection.fetch(
        "INSERT INTO group_members (bucket_id, group_id, subscriber_id, added_at) "
        "SELECT $1::bigint, m.group_id, m.subscriber_id, $2::timestamptz "
        "FROM unnest($3::bigint[], $4::bigint[]) AS m (group_id, subscriber_id) "
        "ON CONFLICT (bucket_id, group_id, subscriber_id) DO NOTHING RETURNING group_id, subscriber_id",
        bucket_id,
        now,
        *arrays_of(sorted(members), 2),
    )
    return [(row["group_id"], row["subscriber_id"]) for row in rows]


async def remove_members(
    connection: Connection, bucket_id: int, members: Collection[tuple[int, int]]
) -> dict[tuple[int, int], datetime]:
    """Take people out of groups, given as (group, subscriber). Returns the pairs that existed, with the instants at which they were added."""
    rows = await connection.fetch(
        "DELETE FROM group_members g USING unnest($2::bigint[], $3::bigint[]) AS m (group_id, subscriber_id) "
        "WHERE g.bucket_id = $1 AND g.group_id = m.group_id AND g.subscriber_id = m.subscriber_id "
        "RETURNING g.group_id, g.subscriber_id, g.added_at",
        bucket_id,
        *arrays_of(sorted(members), 2),
    )
    return {(row["group_id"], row["subscriber_id"]): row["added_at"] for row in rows}


# ---- marks


async def write_marks(
    connection: Connection, bucket_id: int, marks: Iterable[Mark], *, source: Source = CALLER
) -> None:
    """Append the marks of the transaction. Equal marks of two transactions are never merged."""
    ordered = sorted(set(marks))
    if not ordered:
        return
    await connection.execute(
        "INSERT INTO dirty (bucket_id, lane, origin, subscriber_id, kind, ref, trace) "
        "SELECT $1::bigint, $2::smallint, $3::smallint, m.subscriber_id, m.kind, m.ref, $7::text "
        "FROM unnest($4::bigint[], $5::text[], $6::bigint[]) AS m (subscriber_id, kind, ref)",
        bucket_id,
        *source,
        *arrays_of([mark[:3] for mark in ordered], 3),
        trace_to_leave(),
    )


def json_text(value: object) -> str:
    """A value as stored JSON. A float has its shortest digits, and conditions compare this decimal."""
    return _ENCODER.encode(value)


def _person(row: Any) -> PersonRow:  # Any: a driver record
    person = dict(row)
    person["fields"] = json.loads(person["fields"])
    person["fields_folded"] = json.loads(person["fields_folded"])
    return person
