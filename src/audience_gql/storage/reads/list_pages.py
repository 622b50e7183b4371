"""Pages of the members of groups and segments, and of a segment's changes: one statement for any number of lists.

Each statement reads one page from every bucket, and merges these pages into one. Of members, only the positions are read in every bucket.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from audience_gql.storage.log import LoggedChange
from audience_gql.storage.postgres.database import Database
from audience_gql.storage.reads.composed.sources import Listed, Names
from audience_gql.storage.reads.parent_pages import Listing, Narrow, rows_of_pages
from audience_gql.storage.reads.records import (
    ID,
    PERSON,
    Columns,
    SubscriberRecord,
    change_of,
    columns_of,
)
from audience_gql.storage.reads.slices import Entries, Order, Slice, bind, by_parent

_LAST_SEQUENCE: Final = 2**63 - 1
_HEADS: Final = "SELECT json_agg(json_build_array(b.id, b.next_sequence - 1)) AS heads FROM buckets b WHERE b.workspace_id = $1"


@dataclass(frozen=True, slots=True)
class _Members:
    """The people in the lists of one kind, the latest first."""

    table: str
    list_id: str
    order: Order

    def listing(self, columns: Columns, beyond: str, part: Slice, *, beside: str | None = None) -> Listing:
        selected = columns_of(SubscriberRecord, "s", columns)
        of_bucket = f"WHERE m.bucket_id = b.id AND m.{self.list_id} = {{parent}} AND {beyond}"
        rows = (
            f"SELECT {selected}, {self.order.columns} FROM {self.table} m "
            f"JOIN subscribers s ON s.bucket_id = b.id AND s.id = m.subscriber_id {of_bucket}"
        )
        narrow = Narrow(
            positions=f"SELECT {self.order.columns} FROM {self.table} m {of_bucket}",
            row=f"SELECT {selected} FROM subscribers s WHERE s.bucket_id = y.k2 AND s.id = y.k1",
        )
        return Listing(rows=rows, order=self.order, part=part, beside=beside, narrow=narrow)

    def listed(self, *, is_noted: bool = False) -> Listed:
        """The members of the list whose row they belong to."""

        def write(columns: Names, parent: str, beyond: str, part: Slice) -> str:
            return self.listing(columns, beyond, part).page(f"{parent}.id")

        return Listed(known=PERSON, of=ID, order=self.order, write=write, is_noted=is_noted)


_OF_GROUPS: Final = _Members(
    "group_members", "group_id", Order(("m.added_at", "m.subscriber_id", "m.bucket_id"))
)
_OF_SEGMENTS: Final = _Members(
    "segment_members", "segment_id", Order(("m.entered_at", "m.subscriber_id", "m.bucket_id"))
)
MEMBERS_OF_GROUP: Final = _OF_GROUPS.listed()
MEMBERS_OF_SEGMENT: Final = _OF_SEGMENTS.listed(is_noted=True)


@dataclass(frozen=True, slots=True)
class Members:
    """A page of a segment's members, and each bucket's last sequence in the log.

    Both come from the same statement. A cluster has no statement that sees all machines at one instant, so there the log is read first: the
    changes after it bring the page up to date all the same.
    """

    entries: Entries[SubscriberRecord]
    heads: Mapping[int, int]


async def members_of_groups(
    database: Database,
    workspace_id: int,
    group_ids: Sequence[int],
    part: Slice,
    *,
    columns: Columns = None,
) -> dict[int, Entries[SubscriberRecord]]:
    """The members of each group, the latest first."""
    rows = await _members(database, workspace_id, group_ids, part, of=_OF_GROUPS, columns=columns)
    return by_parent(group_ids, rows, _OF_GROUPS.order)


async def members_of_segments(
    database: Database,
    workspace_id: int,
    segment_ids: Sequence[int],
    part: Slice,
    *,
    columns: Columns = None,
) -> dict[int, Members]:
    """The members of each segment, the latest first."""
    heads = await database.fetchval(_HEADS, workspace_id) if database.is_cluster else None
    rows = await _members(database, workspace_id, segment_ids, part, of=_OF_SEGMENTS, columns=columns)
    if not database.is_cluster:
        heads = rows[0]["heads"] if rows else None
    entries: dict[int, Entries[SubscriberRecord]] = by_parent(segment_ids, rows, _OF_SEGMENTS.order)
    known = dict(json.loads(heads or "[]"))
    return {segment_id: Members(entries.get(segment_id, Entries()), known) for segment_id in segment_ids}


async def _members(
    database: Database,
    workspace_id: int,
    list_ids: Sequence[int],
    part: Slice,
    *,
    of: _Members,
    columns: Columns,
) -> list[SubscriberRecord]:
    """A page of members for each list. On one machine, each row has the log's position, and a list without members has one row with only that."""
    bound: list[object] = [workspace_id, None]
    listing = of.listing(columns, of.order.beyond(part.after, bound), part, beside=_HEADS)
    return await rows_of_pages(database, list_ids, listing, bound, record_class=SubscriberRecord)


async def changes_of_segments(
    database: Database, workspace_id: int, segment_ids: Sequence[int], part: Slice
) -> dict[int, Entries[LoggedChange]]:
    """Who entered and left each segment, the latest first.

    Instants never go back within a bucket, so each bucket is read in the order of its sequence. The bucket in which the last page
    ended continues exactly there.
    """
    order = Order(("c.occurred_at", "c.bucket_id", "c.sequence"))
    bound: list[object] = [workspace_id, None]
    beyond = "true"
    if part.after is not None:
        instant, bucket_id, sequence = (bind(value, bound) for value in part.after)
        beyond = (
            f"(c.occurred_at, c.bucket_id) <= ({instant}, {bucket_id}) "
            f"AND c.sequence < CASE b.id WHEN {bucket_id} THEN {sequence} ELSE {_LAST_SEQUENCE} END"
        )
    rows_of_bucket = (
        f"SELECT {columns_of(LoggedChange, 'c')}, {order.columns} FROM membership_changes c "
        f"WHERE c.bucket_id = b.id AND c.list_id = {{parent}} AND {beyond}"
    )
    listing = Listing(rows=rows_of_bucket, order=order, part=part, within_bucket="c.sequence DESC")
    rows = await rows_of_pages(database, segment_ids, listing, bound)
    return by_parent(segment_ids, rows, order, change_of)
