"""Pages of the lists that belong to a person: one statement for the pages of any number of people."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import asyncpg

from audience_gql.conditions.given_values import is_keepable
from audience_gql.storage.database import Database
from audience_gql.storage.log import LoggedChange
from audience_gql.storage.models import Group, Segment
from audience_gql.storage.reads.parent_pages import Listing, rows_of_pages_in_buckets
from audience_gql.storage.reads.records import (
    EVENT_COLUMNS,
    Columns,
    EventRecord,
    Owner,
    change_of,
    columns_of,
    definition_columns,
    definitions_of,
)
from audience_gql.storage.reads.slices import Entries, Order, Slice, by_parent


@dataclass(frozen=True, slots=True, kw_only=True)
class _List:
    """Where a list comes from. `alias` is the table with the people's ids, and `$1` in the tables is the workspace."""

    columns: str
    tables: str
    alias: str
    order: Order
    values: tuple[object, ...] = ()
    """The values of $4 and the following parameters in the tables."""


async def groups_of_subscribers(
    database: Database,
    workspace_id: int,
    owners: Sequence[Owner],
    part: Slice,
    *,
    columns: Columns = None,
) -> dict[Owner, Entries[Group]]:
    """The groups that each person is in, the latest first."""
    order = Order(("m.added_at", "m.group_id"))
    tables = "group_members m JOIN groups d ON d.id = m.group_id AND d.workspace_id = $1"
    selected = definition_columns(Group, "d", columns)
    wanted = _List(columns=selected, tables=tables, alias="m", order=order)
    rows = await _rows(database, workspace_id, owners, part, wanted)
    return by_parent(owners, rows, order, definitions_of(Group))


async def segments_of_subscribers(
    database: Database,
    workspace_id: int,
    owners: Sequence[Owner],
    part: Slice,
    *,
    columns: Columns = None,
) -> dict[Owner, Entries[Segment]]:
    """The segments that each person is in, the latest first."""
    order = Order(("m.entered_at", "m.segment_id"))
    tables = "segment_members m JOIN segments d ON d.id = m.segment_id AND d.workspace_id = $1"
    selected = definition_columns(Segment, "d", columns)
    wanted = _List(columns=selected, tables=tables, alias="m", order=order)
    rows = await _rows(database, workspace_id, owners, part, wanted)
    return by_parent(owners, rows, order, definitions_of(Segment))


async def events_of_subscribers(
    database: Database, workspace_id: int, owners: Sequence[Owner], part: Slice, *, name: str | None
) -> dict[Owner, Entries[EventRecord]]:
    """Each person's events with this name, or all events without a name, the latest first. No event has a name that cannot be stored."""
    if name is not None and not is_keepable(name):
        return {}
    order = Order(("e.occurred_at", "e.id"))
    tables = "events e JOIN event_names n ON n.id = e.name_id AND n.workspace_id = $1"
    if name is None:
        wanted = _List(columns=EVENT_COLUMNS, tables=tables, alias="e", order=order)
    else:
        tables = f"{tables} AND n.name = $4::text"
        wanted = _List(columns=EVENT_COLUMNS, tables=tables, alias="e", order=order, values=(name,))
    rows = await _rows(database, workspace_id, owners, part, wanted, record_class=EventRecord)
    return by_parent(owners, rows, order)


async def changes_of_subscribers(
    database: Database, workspace_id: int, owners: Sequence[Owner], part: Slice
) -> dict[Owner, Entries[LoggedChange]]:
    """The membership changes of each person, the latest first."""
    order = Order(("c.sequence",))
    wanted = _List(
        columns=columns_of(LoggedChange, "c"), tables="membership_changes c", alias="c", order=order
    )
    rows = await _rows(database, workspace_id, owners, part, wanted)
    return by_parent(owners, rows, order, change_of)


async def _rows(
    database: Database,
    workspace_id: int,
    owners: Sequence[Owner],
    part: Slice,
    wanted: _List,
    *,
    record_class: type[asyncpg.Record] = asyncpg.Record,
) -> list[asyncpg.Record]:
    values: list[object] = [workspace_id, None, None, *wanted.values]
    beyond = wanted.order.beyond(part.after, values)
    rows = (
        f"SELECT {wanted.columns}, {wanted.order.columns} FROM {wanted.tables} "
        f"WHERE {wanted.alias}.bucket_id = {{bucket}} AND {wanted.alias}.subscriber_id = {{parent}} AND {beyond}"
    )
    listing = Listing(rows=rows, order=wanted.order, part=part)
    return await rows_of_pages_in_buckets(database, owners, listing, values, record_class=record_class)
