"""Rows of people by their keys, of many people at once.

On one machine, one statement reads all of them. A Citus cluster asks one machine instead of all if a value names the bucket, so there
each bucket has a statement of its own.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar, overload

import asyncpg

from audience_gql.storage.arrays import arrays_of
from audience_gql.storage.postgres.database import Database

RecordType = TypeVar("RecordType", bound=asyncpg.Record)


@dataclass(frozen=True, slots=True)
class KeyedRows:
    """What is read of each key. `joins` continue from the keys `k`, which have a bucket and these columns, and from their buckets `b`."""

    selected: str
    joins: str
    columns: Mapping[str, str]
    """The types of a key's columns by name, in their order, without the bucket."""


@overload
async def rows_of_keys(
    database: Database, workspace_id: int, keys: Collection[tuple[Any, ...]], rows: KeyedRows
) -> list[asyncpg.Record]: ...


@overload
async def rows_of_keys(
    database: Database,
    workspace_id: int,
    keys: Collection[tuple[Any, ...]],
    rows: KeyedRows,
    *,
    record_class: type[RecordType],
) -> list[RecordType]: ...


async def rows_of_keys(
    database: Database,
    workspace_id: int,
    keys: Collection[tuple[Any, ...]],
    rows: KeyedRows,
    *,
    record_class: type[asyncpg.Record] = asyncpg.Record,
) -> list[Any]:  # Any: as the overloads say
    """The rows of these keys, each of which begins with its bucket. Keys of another workspace have none."""
    names, types = ", ".join(rows.columns), rows.columns.values()
    if not database.is_cluster:
        arrays = ", ".join(f"${number}::{type_}[]" for number, type_ in enumerate(("bigint", *types), 2))
        sql = (
            f"SELECT {rows.selected} FROM unnest({arrays}) AS k (bucket_id, {names}) "
            f"JOIN buckets b ON b.id = k.bucket_id AND b.workspace_id = $1 {rows.joins}"
        )
        columns = arrays_of(keys, 1 + len(rows.columns))
        return await database.fetch(sql, workspace_id, *columns, record_class=record_class)
    arrays = ", ".join(f"${number}::{type_}[]" for number, type_ in enumerate(types, 3))
    sql = (
        f"SELECT {rows.selected} FROM unnest({arrays}) AS k ({names}) "
        f"JOIN buckets b ON b.id = $2 AND b.workspace_id = $1 {rows.joins}"
    )
    of_buckets: dict[int, list[tuple[Any, ...]]] = defaultdict(list)
    for bucket_id, *rest in keys:
        of_buckets[bucket_id].append(tuple(rest))
    found: list[Any] = []
    for bucket_id, some in of_buckets.items():
        columns = arrays_of(some, len(rows.columns))
        found += await database.fetch(sql, workspace_id, bucket_id, *columns, record_class=record_class)
    return found
