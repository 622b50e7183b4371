"""Writes the changes of one bucket's people in a few statements.

working_copy.py has already decided what each item means, and the transaction has locked everybody here.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime

from audience_gql.audience.people.profiles import field_date
from audience_gql.audience.people.working_copy import Draft
from audience_gql.conditions.calendar import LEAP_YEAR
from audience_gql.conditions.vocabulary import BIRTHDAY_DATE, CREATED_DATE, UPDATED_DATE, FieldRef
from audience_gql.storage.people import facts
from audience_gql.storage.people.facts import Mark, PersonRow, Source
from audience_gql.storage.postgres.database import Connection


class BucketWriter:
    """Those people of a batch who belong to one bucket."""

    def __init__(
        self, connection: Connection, bucket_id: int, drafts: Sequence[Draft], now: datetime, source: Source
    ) -> None:
        self._connection = connection
        self.bucket_id = bucket_id
        self.drafts = drafts
        self.now = now
        self._source = source
        self.joined: set[tuple[int, int]] = set()
        """Whom `write` has put into groups, by (group, subscriber)."""
        self.left_since: dict[tuple[int, int], datetime] = {}
        """When those were added whom `write` has taken out of groups, by (group, subscriber)."""
        self.marks: set[Mark] = set().union(*(draft.marks for draft in drafts))

    async def write(self, fields: Mapping[str, FieldRef], joined_by_all: Sequence[int]) -> None:
        """Write the differences and their marks, and complete `marks`.

        `fields` are the custom fields that the batch names. `joined_by_all` are ids of groups that everybody joins.
        """
        unwritten = set() if await self._write_rows(fields) else set(self.marks)
        await self._write_channels()
        unwritten |= await self._write_groups(joined_by_all)
        self.marks |= unwritten
        await facts.write_marks(self._connection, self.bucket_id, unwritten, source=self._source)

    def changed_ids(self) -> set[int]:
        """Ids of the people who existed before the batch and changed. Complete only after `write`."""
        there = {draft.owner[1] for draft in self.drafts if draft.before is not None}
        return there & {mark.subscriber_id for mark in self.marks}

    async def _write_rows(self, fields: Mapping[str, FieldRef]) -> bool:
        """Write the changed rows, and with them the marks so far. Returns whether there were any such rows."""
        marked = {mark.subscriber_id for mark in self.marks if mark.kind in ("created", "profile")}
        changed = [draft for draft in self.drafts if draft.owner[1] in marked]
        if changed:
            await facts.write_people(
                self._connection,
                self.bucket_id,
                [draft.row for draft in changed],
                dates=[date for draft in changed for date in _dates(draft.before, draft.row, fields)],
                marks=self.marks,
                source=self._source,
            )
        return bool(changed)

    async def _write_channels(self) -> None:
        changed = {
            (draft.owner[1], channel): state
            for draft in self.drafts
            for channel, state in draft.states.items()
            if state != draft.states_before.get(channel)
        }
        if states := {place: state for place, state in changed.items() if state is not None}:
            await facts.write_channels(self._connection, self.bucket_id, states)
        if gone := changed.keys() - states.keys():
            await facts.remove_channels(self._connection, self.bucket_id, gone)

    async def _write_groups(self, joined_by_all: Sequence[int]) -> set[Mark]:
        """Change who is in which group. Returns the marks of the changes."""
        left = {(group_id, draft.owner[1]) for draft in self.drafts for group_id in draft.left}
        joined = {
            (group_id, draft.owner[1])
            for draft in self.drafts
            for group_id in draft.joined.union(joined_by_all)
        }
        marks: set[Mark] = set()
        if left:
            self.left_since = await facts.remove_members(self._connection, self.bucket_id, left)
            marks |= {Mark(person_id, "group_left", group_id) for group_id, person_id in self.left_since}
        if joined:
            self.joined = set(await facts.add_members(self._connection, self.bucket_id, joined, self.now))
            marks |= {Mark(person_id, "group_joined", group_id) for group_id, person_id in self.joined}
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
