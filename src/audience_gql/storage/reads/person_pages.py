"""Pages of the lists that belong to a person: one statement for the pages of any number of people."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import asyncpg

from audience_gql.conditions.given_values import is_keepable
from audience_gql.storage.log import LoggedChange
from audience_gql.storage.orm.models import Group, Segment
from audience_gql.storage.postgres.database import Database
from audience_gql.storage.reads.composed.sources import Listed, Names
from audience_gql.storage.reads.parent_pages import Listing, rows_of_pages_in_buckets
from audience_gql.storage.reads.records import (
    EVENT_COLUMNS,
    OWNER,
    Columns,
    EventRecord,
    Owner,
    change_of,
    columns_of,
    definition_columns,
    definitions_of,
    known_columns,
)
from audience_gql.storage.reads.slices import Entries, Order, Slice, by_parent


@dataclass(frozen=True, slots=True, kw_only=True)
class _List:
    """Where a list comes from. `alias` is the table with the people's ids, and `$1` in the tables is the workspace."""

    tables: str
    alias: str
    order: Order

    def rows(self, columns: str, beyond: str, *, bucket: str = "{bucket}", parent: str = "{parent}") -> str:
        """A person's rows after a position, without order and limit."""
        return (
            f"SELECT {columns}, {self.order.columns} FROM {self.tables} "
            f"WHERE {self.alias}.bucket_id = {bucket} AND {self.alias}.subscriber_id = {parent} AND {beyond}"
        )

    def listed(self, model: type[Group | Segment]) -> Listed:
        """The definitions `d` in the list of the person whose row they belong to."""

        def write(columns: Names, person: str, beyond: str, part: Slice) -> str:
            selected = definition_columns(model, "d", columns)
            rows = self.rows(selected, beyond, bucket=f"{person}.bucket_id", parent=f"{person}.id")
            return f"{rows} ORDER BY {self.order.clause} {part.limit}"

        return Listed(known=frozenset(known_columns(model)), of=OWNER, order=self.order, write=write)


_GROUPS: Final = _List(
    tables="group_members m JOIN groups d ON d.id = m.group_id AND d.workspace_id = $1",
    alias="m",
    order=Order(("m.added_at", "m.group_id")),
)
_SEGMENTS: Final = _List(
    tables="segment_members m JOIN segments d ON d.id = m.segment_id AND d.workspace_id = $1",
    alias="m",
    order=Order(("m.entered_at", "m.segment_id")),
)
GROUPS_OF_PERSON: Final = _GROUPS.listed(Group)
SEGMENTS_OF_PERSON: Final = _SEGMENTS.listed(Segment)


async def groups_of_subscribers(
    database: Database,
    workspace_id: int,
    owners: Sequence[Owner],
    part: Slice,
    *,
    columns: Columns = None,
) -> dict[Owner, Entries[Group]]:
    """The groups that each person is in, the latest first."""
    selected = definition_columns(Group, "d", columns)
    rows = await _rows(database, workspace_id, owners, part, _GROUPS, columns=selected)
    return by_parent(owners, rows, _GROUPS.order, definitions_of(Group))


async def segments_of_subscribers(
    database: Database,
    workspace_id: int,
    owners: Sequence[Owner],
    part: Slice,
    *,
    columns: Columns = None,
) -> dict[Owner, Entries[Segment]]:
    """The segments that each person is in, the latest first."""
    selected = definition_columns(Segment, "d", columns)
    rows = await _rows(database, workspace_id, owners, part, _SEGMENTS, columns=selected)
    return by_parent(owners, rows, _SEGMENTS.order, definitions_of(Segment))


async def events_of_subscribers(
    database: Database, workspace_id: int, owners: Sequence[Owner], part: Slice, *, name: str | None
) -> dict[Owner, Entries[EventRecord]]:
    """Each person's events with this name, or all events without a name, the latest first. No event has a name that cannot be stored."""
    if name is not None and not is_keepable(name):
        return {}
    order = Order(("e.occurred_at", "e.id"))
    tables = "events e JOIN event_names n ON n.id = e.name_id AND n.workspace_id = $1"
    if name is not None:
        tables = f"{tables} AND n.name = $4::text"
    wanted = _List(tables=tables, alias="e", order=order)
    rows = await _rows(
        *(database, workspace_id, owners, part, wanted),
        columns=EVENT_COLUMNS,
        values=() if name is None else (name,),
        record_class=EventRecord,
    )
    return by_parent(owners, rows, order)


async def changes_of_subscribers(
    database: Database, workspace_id: int, owners: Sequence[Owner], part: Slice
) -> dict[Owner, Entries[LoggedChange]]:
    """The membership changes of each person, the latest first."""
    order = Order(("c.sequence",))
    wanted = _List(tables="membership_changes c", alias="c", order=order)
    selected = columns_of(LoggedChange, "c")
    rows = await _rows(database, workspace_id, owners, part, wanted, columns=selected)
    return by_parent(owners, rows, order, change_of)


async def _rows(
    database: Database,
    workspace_id: int,
    owners: Sequence[Owner],
    part: Slice,
    wanted: _List,
    *,
    columns: str,
    values: Sequence[object] = (),
    record_class: type[asyncpg.Record] = asyncpg.Record,
) -> list[asyncpg.Record]:
    """The rows of each person's page. `values` are those of $4 and the following parameters in the tables."""
    bound: list[object] = [workspace_id, None, None, *values]
    rows = wanted.rows(columns, wanted.order.beyond(part.after, bound))
    listing = Listing(rows=rows, order=wanted.order, part=part)
    return await rows_of_pages_in_buckets(database, owners, listing, bound, record_class=record_class)
