"""Lists, a page at a time: one statement a page, and one for the pages of many parents.

Over the buckets of a workspace, a page is the top of every bucket's top. Every function gives one entry more than a page
holds, when there is one.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final, Literal, TypeAlias, TypeVar

import asyncpg

from audience_gql.conditions.base import Condition
from audience_gql.conditions.compiler import compile_filter
from audience_gql.conditions.vocabulary import Vocabulary
from audience_gql.storage.database import Database
from audience_gql.storage.facts import Owner
from audience_gql.storage.feed import LoggedChange
from audience_gql.storage.models import Group, Segment
from audience_gql.storage.records import (
    EVENT_COLUMNS,
    SEGMENT_STATE,
    Definition,
    EventRecord,
    SubscriberRecord,
    change_of,
    columns_of,
    definition_of,
    event_of,
    subscriber_of,
)
from audience_gql.storage.slices import Entry, Node, Order, Slice, bind

SubscriberOrder: TypeAlias = Literal["CREATED_DESC", "CREATED_ASC", "EMAIL_ASC"]
DefinitionOrder: TypeAlias = Literal["NAME_ASC", "CREATED_DESC", "UPDATED_DESC", "SIZE_DESC"]
Parent = TypeVar("Parent", bound=Hashable)

_SUBSCRIBER_ORDERS: Final[Mapping[SubscriberOrder, Order]] = {
    "CREATED_DESC": Order(("s.created_at", "s.id", "s.bucket_id")),
    "CREATED_ASC": Order(("s.created_at", "s.id", "s.bucket_id"), is_descending=False),
    "EMAIL_ASC": Order(
        ("(s.email_folded IS NULL)", "coalesce(s.email_folded, '')", "s.id", "s.bucket_id"),
        is_descending=False,
    ),
}
_DEFINITION_ORDERS: Final[Mapping[DefinitionOrder, Order]] = {
    "NAME_ASC": Order(("d.name_folded", "d.id"), is_descending=False),
    "CREATED_DESC": Order(("d.created_at", "d.id")),
    "UPDATED_DESC": Order(("d.updated_at", "d.id")),
    "SIZE_DESC": Order(("d.members", "d.id")),
}
_SEARCHED: Final = ("email", "phone", "external_id", "first_name", "last_name")
_LAST_SEQUENCE: Final = 2**63 - 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Filter:
    """A condition to list people by, with the segments that it reads and the one instant of its evaluation."""

    condition: Condition
    inner: Mapping[int, Condition]
    vocabulary: Vocabulary
    now: datetime


# ---- lists of a workspace


async def subscribers(
    database: Database,
    workspace_id: int,
    part: Slice,
    *,
    order_by: SubscriberOrder,
    search_folded: str | None,
    matching: Filter | None,
) -> list[Entry[SubscriberRecord]]:
    """People who match the condition and have the folded text in their email, phone, external id or name."""
    order = _SUBSCRIBER_ORDERS[order_by]
    values: list[object] = [workspace_id]
    where = order.beyond(part.after, values)
    if search_folded:
        needle = bind(search_folded, values)
        found = " OR ".join(f"strpos(s.{name}_folded, {needle}) > 0" for name in _SEARCHED)
        where += f" AND ({found})"
    joins = ""
    if matching:
        fragment = compile_filter(
            matching.condition,
            bucket="b.id",
            first_parameter=len(values) + 1,
            inner=matching.inner,
            vocabulary=matching.vocabulary,
        )
        joins, where = fragment.joins, f"{where} AND ({fragment.where})"
        values += fragment.bind(matching.now)
    rows = await database.fetch(
        "SELECT p.* FROM buckets b CROSS JOIN LATERAL ("
        f"SELECT {columns_of(SubscriberRecord, 's')}, {order.columns} FROM subscribers s {joins} "
        f"WHERE s.bucket_id = b.id AND {where} ORDER BY {order.clause} {part.limit}) p "
        f"WHERE b.workspace_id = $1 ORDER BY {order.outer_clause} {part.limit}",
        *values,
    )
    return [Entry(subscriber_of(row), order.position(row)) for row in rows]


async def groups(
    database: Database,
    workspace_id: int,
    part: Slice,
    *,
    order_by: DefinitionOrder,
    search_folded: str | None,
) -> list[Entry[Group]]:
    """Groups by part of their name. Their order by size is as of the last tick."""
    source = (
        "SELECT g.*, coalesce(sum(t.members), 0)::bigint AS members, NULL AS state FROM groups g "
        "LEFT JOIN buckets b ON b.workspace_id = g.workspace_id "
        "LEFT JOIN group_states t ON t.bucket_id = b.id AND t.group_id = g.id "
        "WHERE g.workspace_id = $1 GROUP BY g.id"
    )
    return await _definitions(database, workspace_id, part, Group, source, order_by, search_folded, ())


async def segments(
    database: Database,
    workspace_id: int,
    part: Slice,
    *,
    order_by: DefinitionOrder,
    search_folded: str | None,
    states: Collection[str],
) -> list[Entry[Segment]]:
    """Segments by part of their name, in one of these states; in any, when none are given."""
    source = (
        f"SELECT s.*, coalesce(sum(t.members), 0)::bigint AS members, {SEGMENT_STATE} AS state FROM segments s "
        "LEFT JOIN buckets b ON b.workspace_id = s.workspace_id "
        "LEFT JOIN segment_states t ON t.bucket_id = b.id AND t.segment_id = s.id "
        "WHERE s.workspace_id = $1 GROUP BY s.id"
    )
    return await _definitions(database, workspace_id, part, Segment, source, order_by, search_folded, states)


async def _definitions(
    database: Database,
    workspace_id: int,
    part: Slice,
    model: type[Definition],
    source: str,
    order_by: DefinitionOrder,
    search_folded: str | None,
    states: Collection[str],
) -> list[Entry[Definition]]:
    order = _DEFINITION_ORDERS[order_by]
    values: list[object] = [workspace_id]
    where = order.beyond(part.after, values)
    if search_folded:
        where += f" AND strpos(d.name_folded, {bind(search_folded, values)}) > 0"
    if states:
        values.append(list(states))
        where += f" AND d.state = ANY(${len(values)}::text[])"
    rows = await database.fetch(
        f"SELECT d.*, {order.columns} FROM ({source}) d WHERE {where} ORDER BY {order.clause} {part.limit}",
        *values,
    )
    return [Entry(definition_of(model, row), order.position(row)) for row in rows]


# ---- lists of people, each within a bucket


async def groups_of_subscribers(
    database: Database, workspace_id: int, owners: Sequence[Owner], part: Slice
) -> dict[Owner, list[Entry[Group]]]:
    """The groups that each person is in, the latest first."""
    order = Order(("m.added_at", "m.group_id"))
    source = "group_members m JOIN groups d ON d.id = m.group_id AND d.workspace_id = $1"
    rows = await _rows_of_subscribers(database, workspace_id, owners, part, order, "d.*", source, "m", [])
    return _by_parent(
        owners, rows, lambda row: Entry(definition_of(Group, row), order.position(row), row["k0"])
    )


async def segments_of_subscribers(
    database: Database, workspace_id: int, owners: Sequence[Owner], part: Slice
) -> dict[Owner, list[Entry[Segment]]]:
    """The segments that each person is in, the latest first."""
    order = Order(("m.entered_at", "m.segment_id"))
    source = "segment_members m JOIN segments d ON d.id = m.segment_id AND d.workspace_id = $1"
    rows = await _rows_of_subscribers(database, workspace_id, owners, part, order, "d.*", source, "m", [])
    return _by_parent(
        owners, rows, lambda row: Entry(definition_of(Segment, row), order.position(row), row["k0"])
    )


async def events_of_subscribers(
    database: Database, workspace_id: int, owners: Sequence[Owner], part: Slice, *, name: str | None
) -> dict[Owner, list[Entry[EventRecord]]]:
    """Each person's events of this name, or of any, the latest first."""
    order = Order(("e.occurred_at", "e.id"))
    source = "events e JOIN event_names n ON n.id = e.name_id AND n.workspace_id = $1"
    values: list[object] = []
    if name is not None:
        values = [name]
        source += " AND n.name = $4::text"
    rows = await _rows_of_subscribers(
        database, workspace_id, owners, part, order, EVENT_COLUMNS, source, "e", values
    )
    return _by_parent(owners, rows, lambda row: Entry(event_of(row), order.position(row)))


async def changes_of_subscribers(
    database: Database, workspace_id: int, owners: Sequence[Owner], part: Slice
) -> dict[Owner, list[Entry[LoggedChange]]]:
    """What each person entered and left, the latest first."""
    order = Order(("c.sequence",))
    columns = columns_of(LoggedChange, "c")
    rows = await _rows_of_subscribers(
        database, workspace_id, owners, part, order, columns, "membership_changes c", "c", []
    )
    return _by_parent(owners, rows, lambda row: Entry(change_of(row), order.position(row)))


async def _rows_of_subscribers(
    database: Database,
    workspace_id: int,
    owners: Sequence[Owner],
    part: Slice,
    order: Order,
    columns: str,
    source: str,
    alias: str,
    values: Sequence[object],
) -> list[asyncpg.Record]:
    """A page for each person from `source`, whose table `alias` hangs off people. `values` are $4 and on in it."""
    bound = [
        workspace_id,
        [bucket_id for bucket_id, _ in owners],
        [person_id for _, person_id in owners],
        *values,
    ]
    beyond = order.beyond(part.after, bound)
    return await database.fetch(
        "SELECT p.number, x.* "
        "FROM unnest($2::bigint[], $3::bigint[]) WITH ORDINALITY AS p (bucket_id, subscriber_id, number) "
        "JOIN buckets b ON b.id = p.bucket_id AND b.workspace_id = $1 CROSS JOIN LATERAL ("
        f"SELECT {columns}, {order.columns} FROM {source} "
        f"WHERE {alias}.bucket_id = b.id AND {alias}.subscriber_id = p.subscriber_id AND {beyond} "
        f"ORDER BY {order.clause} {part.limit}) x ORDER BY p.number, {order.outer_clause}",
        *bound,
    )


# ---- lists of groups and segments, over all buckets


async def members_of_groups(
    database: Database, workspace_id: int, group_ids: Sequence[int], part: Slice
) -> dict[int, list[Entry[SubscriberRecord]]]:
    """The people in each group, the latest first."""
    order = Order(("m.added_at", "m.subscriber_id", "m.bucket_id"))
    return await _members(database, workspace_id, group_ids, part, order, "group_members m", "m.group_id")


async def members_of_segments(
    database: Database, workspace_id: int, segment_ids: Sequence[int], part: Slice
) -> dict[int, list[Entry[SubscriberRecord]]]:
    """The people in each segment, the latest first."""
    order = Order(("m.entered_at", "m.subscriber_id", "m.bucket_id"))
    return await _members(
        database, workspace_id, segment_ids, part, order, "segment_members m", "m.segment_id"
    )


async def _members(
    database: Database,
    workspace_id: int,
    list_ids: Sequence[int],
    part: Slice,
    order: Order,
    source: str,
    list_id: str,
) -> dict[int, list[Entry[SubscriberRecord]]]:
    bound: list[object] = [workspace_id, list(list_ids)]
    beyond = order.beyond(part.after, bound)
    rows = await database.fetch(
        "SELECT p.number, x.* FROM unnest($2::bigint[]) WITH ORDINALITY AS p (id, number) CROSS JOIN LATERAL ("
        "SELECT y.* FROM buckets b CROSS JOIN LATERAL ("
        f"SELECT {columns_of(SubscriberRecord, 's')}, {order.columns} "
        f"FROM {source} JOIN subscribers s ON s.bucket_id = b.id AND s.id = m.subscriber_id "
        f"WHERE m.bucket_id = b.id AND {list_id} = p.id AND {beyond} ORDER BY {order.clause} {part.limit}) y "
        f"WHERE b.workspace_id = $1 ORDER BY {order.outer_clause} {part.limit}) x "
        f"ORDER BY p.number, {order.outer_clause}",
        *bound,
    )
    return _by_parent(list_ids, rows, lambda row: Entry(subscriber_of(row), order.position(row), row["k0"]))


async def changes_of_segments(
    database: Database, workspace_id: int, segment_ids: Sequence[int], part: Slice
) -> dict[int, list[Entry[LoggedChange]]]:
    """Who entered and left each segment, the latest first.

    Instants never go back within a bucket, so each bucket is read along its sequence; the bucket in which the last page ended
    goes on exactly there.
    """
    order = Order(("c.occurred_at", "c.bucket_id", "c.sequence"))
    bound: list[object] = [workspace_id, list(segment_ids)]
    beyond = order.beyond(part.after, bound)
    if part.after is not None:
        beyond += f" AND c.sequence < CASE b.id WHEN $4 THEN $5 ELSE {_LAST_SEQUENCE} END"
    rows = await database.fetch(
        "SELECT p.number, x.* FROM unnest($2::bigint[]) WITH ORDINALITY AS p (id, number) CROSS JOIN LATERAL ("
        "SELECT y.* FROM buckets b CROSS JOIN LATERAL ("
        f"SELECT {columns_of(LoggedChange, 'c')}, {order.columns} FROM membership_changes c "
        f"WHERE c.bucket_id = b.id AND c.list_id = p.id AND {beyond} ORDER BY c.sequence DESC {part.limit}) y "
        f"WHERE b.workspace_id = $1 ORDER BY {order.outer_clause} {part.limit}) x "
        f"ORDER BY p.number, {order.outer_clause}",
        *bound,
    )
    return _by_parent(segment_ids, rows, lambda row: Entry(change_of(row), order.position(row)))


def _by_parent(
    parents: Sequence[Parent], rows: Iterable[asyncpg.Record], entry: Callable[[asyncpg.Record], Entry[Node]]
) -> dict[Parent, list[Entry[Node]]]:
    found: dict[Parent, list[Entry[Node]]] = {}
    for row in rows:
        found.setdefault(parents[row["number"] - 1], []).append(entry(row))
    return found
