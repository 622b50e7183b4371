"""Pages of a workspace's own lists: one statement per page.

For lists of people, the statement reads one page from every bucket, and merges these pages into one. Every function returns
one entry more than a page holds, if there is one.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final, Literal, TypeAlias

import asyncpg

from audience_gql.conditions.base import Condition
from audience_gql.conditions.sql.compiler import compile_filter
from audience_gql.conditions.vocabulary import Vocabulary
from audience_gql.storage.buckets import bucket_ids
from audience_gql.storage.orm.models import Group, Segment
from audience_gql.storage.postgres.database import Database
from audience_gql.storage.reads.composed.pieces import NOTHING
from audience_gql.storage.reads.composed.sources import Listed, Names
from audience_gql.storage.reads.records import (
    FIGURES,
    PERSON,
    SEGMENT_STATE,
    Columns,
    Definition,
    SegmentFigures,
    SubscriberRecord,
    columns_of,
    definition_columns,
    definition_of,
    figures_of,
    known_columns,
)
from audience_gql.storage.reads.searching import Word, has_words
from audience_gql.storage.reads.slices import Entries, Order, Slice, entries_of

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
_GROUPS: Final = "SELECT g.* FROM groups g WHERE g.workspace_id = $1"
_SIZED_GROUPS: Final = (
    "SELECT g.*, coalesce(sum(t.members), 0)::bigint AS members FROM groups g "
    "LEFT JOIN buckets b ON b.workspace_id = g.workspace_id "
    "LEFT JOIN group_states t ON t.bucket_id = b.id AND t.group_id = g.id "
    "WHERE g.workspace_id = $1 GROUP BY g.id"
)
_SEGMENTS: Final = "SELECT s.* FROM segments s WHERE s.workspace_id = $1"
_SIZED_SEGMENTS: Final = (
    f"SELECT s.*, coalesce(sum(t.members), 0)::bigint AS members, {SEGMENT_STATE} AS state FROM segments s "
    "LEFT JOIN buckets b ON b.workspace_id = s.workspace_id "
    "LEFT JOIN segment_states t ON t.bucket_id = b.id AND t.segment_id = s.id "
    "WHERE s.workspace_id = $1 GROUP BY s.id"
)
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
    columns: Columns = None,
) -> Entries[SubscriberRecord]:
    """People who match the condition, and who have each folded word in their email, phone, external id, first name or last name."""
    order = _SUBSCRIBER_ORDERS[order_by]
    # A cluster finds what a condition compares only in a bucket that a value names, wherever the statement names one.
    is_one_by_one = matching is not None and database.is_cluster
    values: list[object] = [workspace_id, *([None] if is_one_by_one else [])]
    bucket = "$2::bigint" if is_one_by_one else "b.id"
    where = f"{order.beyond(part.after, values)} AND {has_words(words, _SEARCHED, values)}"
    joins = ""
    if matching:
        fragment = compile_filter(
            matching.condition,
            bucket=bucket,
            first_parameter=len(values) + 1,
            inner=matching.inner,
            vocabulary=matching.vocabulary,
        )
        joins, where = fragment.joins, f"{where} AND ({fragment.where})"
        values += fragment.bind(matching.now)
    sql = _people(columns, order, part, where, joins=joins, bucket=bucket)
    # A condition is planned for its values, which a snapshot's statements are.
    async with database.snapshot() if matching else database.acquire() as connection:
        if is_one_by_one:
            pages = [
                await connection.fetch(
                    sql, workspace_id, bucket_id, *values[2:], record_class=SubscriberRecord
                )
                for bucket_id in await bucket_ids(connection, workspace_id)
            ]
            rows = order.merge(pages, part.rows)
        else:
            rows = await connection.fetch(sql, *values, record_class=SubscriberRecord)
    return Entries(rows, [*map(order.position, rows)])


def _people(
    columns: Columns, order: Order, part: Slice, where: str, *, joins: str = "", bucket: str = "b.id"
) -> str:
    """A page of people `s`: a page of each bucket, merged, or of the bucket that a parameter names."""
    this_bucket = "" if bucket == "b.id" else f"AND b.id = {bucket}"
    return (
        "SELECT p.* FROM buckets b CROSS JOIN LATERAL ("
        f"SELECT {columns_of(SubscriberRecord, 's', columns)}, {order.columns} FROM subscribers s {joins} "
        f"WHERE s.bucket_id = {bucket} AND {where} ORDER BY {order.clause} {part.limit}) p "
        f"WHERE b.workspace_id = $1 {this_bucket} ORDER BY {order.outer_clause} {part.limit}"
    )


async def groups(
    database: Database,
    workspace_id: int,
    part: Slice,
    *,
    order_by: DefinitionOrder,
    words: Sequence[Word],
    columns: Columns = None,
) -> Entries[Group]:
    """Groups that have each word in their name. The order by size uses the sizes of the last tick."""
    source = _SIZED_GROUPS if order_by == "SIZE_DESC" else _GROUPS
    rows, order = await _definitions(
        database,
        workspace_id,
        part,
        model=Group,
        source=source,
        order_by=order_by,
        words=words,
        states=(),
        columns=columns,
    )
    return entries_of(rows, order, lambda row: definition_of(Group, row))


async def segments(
    database: Database,
    workspace_id: int,
    part: Slice,
    *,
    order_by: DefinitionOrder,
    words: Sequence[Word],
    states: Collection[str],
    columns: Columns = None,
) -> tuple[Entries[Segment], dict[int, SegmentFigures]]:
    """Segments that have each word in their name and are in one of these states. No states means any state.

    With the figures of each segment, by its id, if `columns` names one of them.
    """
    with_figures = columns is not None and not FIGURES.isdisjoint(columns)
    source = _SIZED_SEGMENTS if with_figures or states or order_by == "SIZE_DESC" else _SEGMENTS
    rows, order = await _definitions(
        database,
        workspace_id,
        part,
        model=Segment,
        source=source,
        order_by=order_by,
        words=words,
        states=states,
        columns=columns,
        further=", d.state, d.members" if with_figures else "",
    )
    figures = {row["id"]: figures_of(row) for row in rows} if with_figures else {}
    return entries_of(rows, order, lambda row: definition_of(Segment, row)), figures


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
    columns: Columns,
    further: str = "",
) -> tuple[list[asyncpg.Record], Order]:
    """A page of rows in this order. `further` names columns of the source that are not the model's."""
    order = _DEFINITION_ORDERS[order_by]
    values: list[object] = [workspace_id]
    where = f"{order.beyond(part.after, values)} AND {has_words(words, ('d.name_folded',), values)}"
    if states:
        values.append(list(states))
        where += f" AND d.state = ANY(${len(values)}::text[])"
    selected = f"{definition_columns(model, 'd', columns)}{further}"
    rows = await database.fetch(_page_of_definitions(selected, source, order, part, where), *values)
    return rows, order


def _page_of_definitions(selected: str, source: str, order: Order, part: Slice, where: str) -> str:
    return f"SELECT {selected}, {order.columns} FROM ({source}) d WHERE {where} ORDER BY {order.clause} {part.limit}"


# ---- as parts of a statement that reads a whole answer


def _listed_people(order: Order) -> Listed:
    def write(columns: Names, _: str, beyond: str, part: Slice) -> str:
        return _people(columns, order, part, beyond)

    return Listed(known=PERSON, of=NOTHING, order=order, write=write)


def _listed_definitions(
    model: type[Group | Segment], source: str, sized_source: str
) -> Mapping[DefinitionOrder, Listed]:
    def listed(order_by: DefinitionOrder, order: Order) -> Listed:
        rows = sized_source if order_by == "SIZE_DESC" else source

        def write(columns: Names, _: str, beyond: str, part: Slice) -> str:
            return _page_of_definitions(definition_columns(model, "d", columns), rows, order, part, beyond)

        return Listed(known=frozenset(known_columns(model)), of=NOTHING, order=order, write=write)

    return {order_by: listed(order_by, order) for order_by, order in _DEFINITION_ORDERS.items()}


PEOPLE: Final = {order_by: _listed_people(order) for order_by, order in _SUBSCRIBER_ORDERS.items()}
GROUPS: Final = _listed_definitions(Group, _GROUPS, _SIZED_GROUPS)
SEGMENTS: Final = _listed_definitions(Segment, _SEGMENTS, _SIZED_SEGMENTS)
