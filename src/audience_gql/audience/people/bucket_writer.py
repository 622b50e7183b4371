"""Applies what callers say about people to their rows: folded in memory, written in a handful of statements a bucket.

Who each item means is settled before, in subscribers.py, and everybody here is held by its transaction.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass, field
from datetime import UTC, datetime

from audience_gql.audience.failures import Issue
from audience_gql.audience.people.channels import is_reactivation
from audience_gql.audience.people.profiles import (
    PersonPatch,
    apply_columns,
    field_date,
    identity,
)
from audience_gql.conditions.calendar import LEAP_YEAR
from audience_gql.conditions.vocabulary import BIRTHDAY_DATE, CREATED_DATE, UPDATED_DATE, FieldRef
from audience_gql.storage import facts
from audience_gql.storage.database import Connection
from audience_gql.storage.facts import ChannelState, Identity, Mark, Owner, PersonRow


@dataclass(slots=True)
class Person:
    """One person of the batch: her items folded together, in the order given."""

    owner: Owner
    is_new: bool
    patches: list[tuple[int, PersonPatch]] = field(default_factory=list)


class BucketWriter:
    """The changes of one bucket's people, gathered in memory and written in a handful of statements."""

    def __init__(self, connection: Connection, workspace_id: int, bucket_id: int, now: datetime) -> None:
        self._connection = connection
        self._workspace_id = workspace_id
        self._bucket_id = bucket_id
        self._now = now
        self._before: dict[int, PersonRow | None] = {}
        self._after: dict[int, PersonRow] = {}
        self._channels: dict[tuple[int, str], tuple[str, str | None]] = {}
        self._join: set[tuple[int, int]] = set()
        self._leave: set[tuple[int, int]] = set()
        self._states: dict[tuple[int, str], ChannelState] = {}
        self.created = 0
        self.marks: set[Mark] = set()

    async def refuse_reactivation(self, people: list[Person], rejects: dict[int, Issue]) -> None:
        """An upsert never brings back somebody who left, bounced or complained."""
        ids = [person.owner[1] for person in people if any(patch.channels for _, patch in person.patches)]
        if not ids:
            return
        self._states = await facts.channel_states(self._connection, self._bucket_id, ids)
        for person in people:
            person_id = person.owner[1]
            statuses = {
                channel: state.status for (of, channel), state in self._states.items() if of == person_id
            }
            for index, patch in person.patches:
                if index in rejects:
                    continue
                if (refused := _follow_wishes(statuses, patch)) is None:
                    continue
                position, message = refused
                where = ("input", "subscribers", str(index), "channels", str(position))
                rejects[index] = Issue(code="CONSENT", message=message, path=where)

    def fold(self, person: Person, row: PersonRow | None, rejects: Mapping[int, Issue]) -> None:
        """Apply a person's items to her row."""
        person_id = person.owner[1]
        self._before[person_id] = row
        after = deepcopy(row) if row is not None else _blank_row(person_id, self._now)
        for index, patch in person.patches:
            if index in rejects:
                continue
            apply_columns(after, patch)
            for state in patch.channels:
                self._channels[person_id, state.channel] = (state.status, state.reason)
            joins = {(group_id, person_id) for group_id in patch.join}
            leaves = {(group_id, person_id) for group_id in patch.leave}
            self._join = (self._join | joins) - leaves
            self._leave = (self._leave - joins) | leaves
        if row is None:
            self.created += 1
        self._after[person_id] = after

    def identities(self) -> dict[int, set[Identity]]:
        """The keys that each person ends up with."""
        return {person_id: identities_of(row) for person_id, row in self._after.items()}

    async def write(self, fields: Mapping[str, FieldRef], joined_by_all: Sequence[int]) -> int:
        """Write what differs, and note the marks. Returns how many existing people changed."""
        changed_ids: set[int] = set()
        await self._write_rows(fields, changed_ids)
        changed_ids |= await self._write_channels()
        self._join |= {(group_id, person_id) for group_id in joined_by_all for person_id in self._after}
        if self._leave:
            left = await facts.remove_members(self._connection, self._bucket_id, self._leave)
            self.marks |= {Mark(person_id, "group_left", group_id) for group_id, person_id in left}
            changed_ids |= {person_id for _, person_id in left}
        if self._join:
            joined = await facts.add_members(self._connection, self._bucket_id, self._join, self._now)
            self.marks |= {Mark(person_id, "group_joined", group_id) for group_id, person_id in joined}
            changed_ids |= {person_id for _, person_id in joined}
        return sum(1 for person_id in changed_ids if self._before[person_id] is not None)

    async def _write_channels(self) -> set[int]:
        """Write the statuses that differ. Returns whose."""
        states = {
            (person_id, channel): ChannelState(status=status, changed_at=self._now, reason=reason)
            for (person_id, channel), (status, reason) in self._channels.items()
            if (before := self._states.get((person_id, channel))) is None or before.status != status
        }
        if states:
            self.marks |= await facts.write_channels(self._connection, self._bucket_id, states)
        return {person_id for person_id, _ in states}

    async def _write_rows(self, fields: Mapping[str, FieldRef], changed_ids: set[int]) -> None:
        rows: list[PersonRow] = []
        dates: list[tuple[int, int, datetime | None]] = []
        released: set[Identity] = set()
        for person_id, after in self._after.items():
            before = self._before[person_id]
            marks = _marks(person_id, before, after)
            if not marks:
                continue
            after["updated_at"] = self._now
            self.marks |= marks
            rows.append(after)
            changed_ids.add(person_id)
            dates.extend(_dates(before, after, fields))
            released |= identities_of(before) - identities_of(after)
        if released:
            await facts.release_identities(self._connection, self._workspace_id, released)
        if rows:
            await facts.write_people(self._connection, self._bucket_id, rows)
            await facts.write_dates(self._connection, self._bucket_id, dates)


def _follow_wishes(statuses: dict[str, str], patch: PersonPatch) -> tuple[int, str] | None:
    """Apply an item's wishes to a person's statuses, in order; or say which of them would bring her back, and apply none.

    In order, because an earlier item of the same batch, or an earlier wish of the same item, may be the refusal.
    """
    followed = dict(statuses)
    for position, wish in enumerate(patch.channels):
        before = followed.get(wish.channel)
        if before is not None and is_reactivation(before, wish.status):
            return position, f"{wish.channel} is {before}; only setChannelStatus may change that"
        followed[wish.channel] = wish.status
    statuses |= followed
    return None


def _blank_row(person_id: int, now: datetime) -> PersonRow:
    row: PersonRow = {"id": person_id, "birthday": None, "fields": {}, "fields_folded": {}}
    for column in facts.TEXT_COLUMNS:
        row[column] = row[f"{column}_folded"] = None
    return row | {"created_at": now, "updated_at": now}


def _marks(person_id: int, before: PersonRow | None, after: PersonRow) -> set[Mark]:
    if before is None:
        return {Mark(person_id, "created")}
    marks = set()
    old, new = before["fields"], after["fields"]
    marks |= {
        Mark(person_id, "field", int(key)) for key in old.keys() | new.keys() if old.get(key) != new.get(key)
    }
    if marks or any(before[column] != after[column] for column in (*facts.TEXT_COLUMNS, "birthday")):
        marks.add(Mark(person_id, "profile"))  # with any of them `updatedAt` changes too
    return marks


def _dates(
    before: PersonRow | None, after: PersonRow, fields: Mapping[str, FieldRef]
) -> Iterable[tuple[int, int, datetime | None]]:
    person_id = after["id"]
    if before is None:
        yield person_id, CREATED_DATE, after["created_at"]
    yield person_id, UPDATED_DATE, after["updated_at"]
    birthday = after["birthday"]
    if birthday != (before and before["birthday"]):
        at = birthday and datetime(birthday.year, birthday.month, birthday.day, tzinfo=UTC)
        yield person_id, BIRTHDAY_DATE, at
        yield person_id, -BIRTHDAY_DATE, at and at.replace(year=LEAP_YEAR)
    for ref in fields.values():
        key = str(ref.id)
        value = after["fields"].get(key)
        if ref.type in ("DATE", "DATETIME") and value != (before and before["fields"].get(key)):
            at = field_date(value)
            yield person_id, ref.id, at
            if ref.type == "DATE":
                yield person_id, -ref.id, at and at.replace(year=LEAP_YEAR)


def identities_of(row: PersonRow | None) -> set[Identity]:
    if row is None:
        return set()
    columns = (("email", "email"), ("phone", "phone"), ("externalId", "external_id"))
    return {identity(kind, row[column]) for kind, column in columns if row[column] is not None}
