"""Pages of the members of groups and segments, and of a segment's changes: one statement for any number of lists.

Each statement reads one page from every bucket, and merges these pages into one.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from audience_gql.storage.database import Database
from audience_gql.storage.log import LoggedChange
from audience_gql.storage.reads.records import Columns, SubscriberRecord, change_of, columns_of
from audience_gql.storage.reads.slices import Entries, Order, Slice, bind, by_parent, parents_of_page

_LAST_SEQUENCE: Final = 2**63 - 1


@dataclass(frozen=True, slots=True)
class Members:
    """A page of a segment's members, and each bucket's last sequence in the log, read by the same statement."""

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
    order = Order(("m.added_at", "m.subscriber_id", "m.bucket_id"))
    source = "group_members m", "m.group_id"
    rows = await _members(
        database, workspace_id, group_ids, part, order=order, source=source, columns=columns
    )
    return by_parent(group_ids, rows, order)


async def members_of_segments(
    database: Database,
    workspace_id: int,
    segment_ids: Sequence[int],
    part: Slice,
    *,
    columns: Columns = None,
) -> dict[int, Members]:
    """The members of each segment, the latest first."""
    order = Order(("m.entered_at", "m.subscriber_id", "m.bucket_id"))
    source = "segment_members m", "m.segment_id"
    rows = await _members(
        database, workspace_id, segment_ids, part, order=order, source=source, columns=columns
    )
    heads = dict(json.loads(rows[0]["heads"] or "[]")) if rows else {}
    entries: dict[int, Entries[SubscriberRecord]] = by_parent(segment_ids, rows, order)
    return {segment_id: Members(entries.get(segment_id, Entries()), heads) for segment_id in segment_ids}


async def _members(
    database: Database,
    workspace_id: int,
    list_ids: Sequence[int],
    part: Slice,
    *,
    order: Order,
    source: tuple[str, str],
    columns: Columns,
) -> list[SubscriberRecord]:
    """A page of members for each list, with the log's position in each row. A list without members has one row with only the position."""
    table, list_id = source
    bound: list[object] = [workspace_id, list(list_ids)]
    beyond = order.beyond(part.after, bound)
    return await database.fetch(
        f"SELECT p.number, h.heads, x.* FROM {parents_of_page(list_ids)} "
        "CROSS JOIN (SELECT json_agg(json_build_array(b.id, b.next_sequence - 1)) AS heads "
        "FROM buckets b WHERE b.workspace_id = $1) h LEFT JOIN LATERAL ("
        "SELECT y.* FROM buckets b CROSS JOIN LATERAL ("
        f"SELECT {columns_of(SubscriberRecord, 's', columns)}, {order.columns} "
        f"FROM {table} JOIN subscribers s ON s.bucket_id = b.id AND s.id = m.subscriber_id "
        f"WHERE m.bucket_id = b.id AND {list_id} = p.id AND {beyond} ORDER BY {order.clause} {part.limit}) y "
        f"WHERE b.workspace_id = $1 ORDER BY {order.outer_clause} {part.limit}) x ON true "
        f"ORDER BY p.number, {order.outer_clause}",
        *bound,
        record_class=SubscriberRecord,
    )


async def changes_of_segments(
    database: Database, workspace_id: int, segment_ids: Sequence[int], part: Slice
) -> dict[int, Entries[LoggedChange]]:
    """Who entered and left each segment, the latest first.

    Instants never go back within a bucket, so each bucket is read in the order of its sequence. The bucket in which the last page
    ended continues exactly there.
    """
    order = Order(("c.occurred_at", "c.bucket_id", "c.sequence"))
    bound: list[object] = [workspace_id, list(segment_ids)]
    beyond = "true"
    if part.after is not None:
        instant, bucket_id, sequence = (bind(value, bound) for value in part.after)
        beyond = (
            f"(c.occurred_at, c.bucket_id) <= ({instant}, {bucket_id}) "
            f"AND c.sequence < CASE b.id WHEN {bucket_id} THEN {sequence} ELSE {_LAST_SEQUENCE} END"
        )
    rows = await database.fetch(
        f"SELECT p.number, x.* FROM {parents_of_page(segment_ids)} CROSS JOIN LATERAL ("
        "SELECT y.* FROM buckets b CROSS JOIN LATERAL ("
        f"SELECT {columns_of(LoggedChange, 'c')}, {order.columns} FROM membership_changes c "
        f"WHERE c.bucket_id = b.id AND c.list_id = p.id AND {beyond} ORDER BY c.sequence DESC {part.limit}) y "
        f"WHERE b.workspace_id = $1 ORDER BY {order.outer_clause} {part.limit}) x "
        f"ORDER BY p.number, {order.outer_clause}",
        *bound,
    )
    return by_parent(segment_ids, rows, order, change_of)
