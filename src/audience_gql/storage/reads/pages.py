"""Pages of a workspace's own lists: one statement per page.

For lists of people, the statement reads one page from every bucket, and merges these pages into one. Every function returns
one entry more than a page holds, if there is one.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final, Literal, TypeAlias

from audience_gql.conditions.base import Condition
from audience_gql.conditions.sql.compiler import compile_filter
from audience_gql.conditions.vocabulary import Vocabulary
from audience_gql.storage.database import Database
from audience_gql.storage.models import Group, Segment
from audience_gql.storage.reads.records import (
    SEGMENT_STATE,
    Definition,
    SubscriberRecord,
    columns_of,
    definition_of,
    subscriber_of,
)
from audience_gql.storage.reads.searching import Word, has_words
from audience_gql.storage.reads.slices import Entry, Order, Slice

SubscriberOrder: TypeAlias = Literal["CREATED_DESC", "CREATED_ASC", "EMAIL_ASC"]
DefinitionOrder: TypeAlias = Literal["NAME_ASC", "CREATED_DESC", "UPDATED_DESC", "SIZE_DESC"]

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
_SEARCHED: Final = (
    "s.email_folded",
    "s.phone_folded",
    "s.external_id_folded",
    "s.first_name_folded",
    "s.last_name_folded",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Filter:
    """A condition that listed people must match, with all segments that it reads, and the instant of its evaluation."""

    condition: Condition
    inner: Mapping[int, Condition]
    vocabulary: Vocabulary
    now: datetime


async def subscribers(
    database: Database,
    workspace_id: int,
    part: Slice,
    *,
    order_by: SubscriberOrder,
    words: Sequence[Word],
    matching: Filter | None,
) -> list[Entry[SubscriberRecord]]:
    """People who match the condition, and who have each folded word in their email, phone, external id, first name or last name."""
    order = _SUBSCRIBER_ORDERS[order_by]
    values: list[object] = [workspace_id]
    where = f"{order.beyond(part.after, values)} AND {has_words(words, _SEARCHED, values)}"
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
    sql = (
        "SELECT p.* FROM buckets b CROSS JOIN LATERAL ("
        f"SELECT {columns_of(SubscriberRecord, 's')}, {order.columns} FROM subscribers s {joins} "
        f"WHERE s.bucket_id = b.id AND {where} ORDER BY {order.clause} {part.limit}) p "
        f"WHERE b.workspace_id = $1 ORDER BY {order.outer_clause} {part.limit}"
    )
    # A condition is planned for its values, which a snapshot's statements are.
    async with database.snapshot() if matching else database.acquire() as connection:
        rows = await connection.fetch(sql, *values)
    return [Entry(subscriber_of(row), order.position(row)) for row in rows]


async def groups(
    database: Database,
    workspace_id: int,
    part: Slice,
    *,
    order_by: DefinitionOrder,
    words: Sequence[Word],
) -> list[Entry[Group]]:
    """Groups that have each word in their name. The order by size uses the sizes of the last tick."""
    source = (
        "SELECT g.*, coalesce(sum(t.members), 0)::bigint AS members, NULL AS state FROM groups g "
        "LEFT JOIN buckets b ON b.workspace_id = g.workspace_id "
        "LEFT JOIN group_states t ON t.bucket_id = b.id AND t.group_id = g.id "
        "WHERE g.workspace_id = $1 GROUP BY g.id"
    )
    return await _definitions(
        database,
        workspace_id,
        part,
        model=Group,
        source=source,
        order_by=order_by,
        words=words,
        states=(),
    )


async def segments(
    database: Database,
    workspace_id: int,
    part: Slice,
    *,
    order_by: DefinitionOrder,
    words: Sequence[Word],
    states: Collection[str],
) -> list[Entry[Segment]]:
    """Segments that have each word in their name and are in one of these states. No states means any state."""
    source = (
        f"SELECT s.*, coalesce(sum(t.members), 0)::bigint AS members, {SEGMENT_STATE} AS state FROM segments s "
        "LEFT JOIN buckets b ON b.workspace_id = s.workspace_id "
        "LEFT JOIN segment_states t ON t.bucket_id = b.id AND t.segment_id = s.id "
        "WHERE s.workspace_id = $1 GROUP BY s.id"
    )
    return await _definitions(
        database,
        workspace_id,
        part,
        model=Segment,
        source=source,
        order_by=order_by,
        words=words,
        states=states,
    )


async def _definitions(
    database: Database,
    workspace_id: int,
    part: Slice,
    *,
    model: type[Definition],
    source: str,
    order_by: DefinitionOrder,
    words: Sequence[Word],
    states: Collection[str],
) -> list[Entry[Definition]]:
    order = _DEFINITION_ORDERS[order_by]
    values: list[object] = [workspace_id]
    where = f"{order.beyond(part.after, values)} AND {has_words(words, ('d.name_folded',), values)}"
    if states:
        values.append(list(states))
        where += f" AND d.state = ANY(${len(values)}::text[])"
    rows = await database.fetch(
        f"SELECT d.*, {order.columns} FROM ({source}) d WHERE {where} ORDER BY {order.clause} {part.limit}",
        *values,
    )
    return [Entry(definition_of(model, row), order.position(row)) for row in rows]
