"""Pages of many parents' lists: the members of segments, the runs of automations, the groups of people, …

On one machine, one statement reads the pages of all parents. A Citus cluster cannot limit each of them apart, so there each parent has
a statement of its own.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, TypeVar, overload

import asyncpg

from audience_gql.storage.postgres.database import Database
from audience_gql.storage.reads.slices import Order, Slice, parents_of_page

RecordType = TypeVar("RecordType", bound=asyncpg.Record)


@dataclass(frozen=True, slots=True, kw_only=True)
class Narrow:
    """How to read a list whose rows are dear: first where its entries stand, and then the rows of the page alone."""

    positions: str
    """As a listing's `rows`, with nothing but the order's columns."""
    row: str
    """A query for the row of the entry with the position `y`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Listing:
    """What a list is made of. `rows` selects it within the bucket `b.id` for the parent `{parent}`, without order and limit."""

    rows: str
    order: Order
    part: Slice
    within_bucket: str | None = None
    """The same order of one bucket's rows, where an index has it in another form."""
    beside: str | None = None
    """A statement with one row that every row repeats. A parent without entries has a row with only this. A cluster leaves it out."""
    narrow: Narrow | None = None
    """Without it, a page reads the rows of as many entries from every bucket as the page has. A cluster leaves it out."""

    def page(self, parent: str) -> str:
        """One parent's page, on one machine. `parent` is an expression for the parent's id."""
        if self.narrow is None:
            return self.merged(self.rows, parent)
        return (
            f"SELECT e.*, y.* FROM ({self.merged(self.narrow.positions, parent)}) y CROSS JOIN LATERAL ({self.narrow.row} LIMIT 1) e "
            f"ORDER BY {self.order.outer_clause}"
        )

    def merged(self, rows: str, parent: str) -> str:
        """A page of each bucket, merged."""
        rows = rows.format(parent=parent)
        return (
            f"SELECT y.* FROM buckets b CROSS JOIN LATERAL ({rows} ORDER BY {self.within_bucket or self.order.clause} {self.part.limit}) y "
            f"WHERE b.workspace_id = $1 ORDER BY {self.order.outer_clause} {self.part.limit}"
        )


@overload
async def rows_of_pages(
    database: Database, parents: Sequence[int], listing: Listing, values: Sequence[object]
) -> list[asyncpg.Record]: ...


@overload
async def rows_of_pages(
    database: Database,
    parents: Sequence[int],
    listing: Listing,
    values: Sequence[object],
    *,
    record_class: type[RecordType],
) -> list[RecordType]: ...


async def rows_of_pages(
    database: Database,
    parents: Sequence[int],
    listing: Listing,
    values: Sequence[object],
    *,
    record_class: type[asyncpg.Record] | None = None,
) -> list[Any]:  # Any: as the overloads say
    """The rows of each parent's page, as `by_parent` expects them. `values` are the workspace, anything in the place of $2, and what `rows` names."""
    outer = listing.order.outer_clause
    if not database.is_cluster:
        beside, join, on = "", "CROSS JOIN", ""
        if listing.beside is not None:
            beside, join, on = f"CROSS JOIN ({listing.beside}) h", "LEFT JOIN", "ON true"
        sql = (
            f"SELECT p.number, {'h.*, ' if beside else ''}x.* FROM {parents_of_page(parents)} {beside} "
            f"{join} LATERAL ({listing.page('p.id')}) x {on} ORDER BY p.number, {outer}"
        )
        return await database.fetch(  # never on a cluster
            sql, values[0], list(parents), *values[2:], record_class=record_class or asyncpg.Record
        )
    number = len(values) + 1
    sql = f"SELECT ${number}::bigint AS number, x.* FROM ({listing.merged(listing.rows, '$2::bigint')}) x ORDER BY {outer}"
    found: list[Any] = []
    for position, parent in enumerate(parents, 1):
        bound = values[0], parent, *values[2:], position
        found += await database.fetch(sql, *bound, record_class=record_class or asyncpg.Record)
    return found


async def rows_of_pages_in_buckets(
    database: Database,
    parents: Sequence[tuple[int, int]],
    listing: Listing,
    values: Sequence[object],
    *,
    record_class: type[asyncpg.Record] = asyncpg.Record,
) -> list[asyncpg.Record]:
    """The same for parents whose lists lie in one bucket: `parents` are their buckets and ids, and `rows` has `{bucket}` and `{parent}`.

    `values` are the workspace, to which the buckets must belong, anything in the places of $2 and $3, and what `rows` names.
    """
    outer = listing.order.outer_clause
    first, rest = values[0], values[3:]

    def page(bucket: str, parent: str) -> str:
        rows = listing.rows.format(bucket=bucket, parent=parent)
        return f"{rows} ORDER BY {listing.order.clause} {listing.part.limit}"

    if not database.is_cluster:
        return await database.fetch(  # never on a cluster
            "SELECT p.number, x.* FROM unnest($2::bigint[], $3::bigint[]) WITH ORDINALITY AS p (bucket_id, id, number) "
            "JOIN buckets b ON b.id = p.bucket_id AND b.workspace_id = $1 "
            f"CROSS JOIN LATERAL ({page('b.id', 'p.id')}) x ORDER BY p.number, {outer}",
            first,
            [bucket_id for bucket_id, _ in parents],
            [id_ for _, id_ in parents],
            *rest,
            record_class=record_class,
        )
    sql = (
        f"SELECT ${len(values) + 1}::bigint AS number, x.* FROM ({page('$2::bigint', '$3::bigint')}) x "
        f"WHERE EXISTS (SELECT FROM buckets b WHERE b.id = $2 AND b.workspace_id = $1) ORDER BY {outer}"
    )
    found: list[asyncpg.Record] = []
    for position, (bucket_id, id_) in enumerate(parents, 1):
        bound = first, bucket_id, id_, *rest, position
        found += await database.fetch(sql, *bound, record_class=record_class)
    return found
