"""Shortens the log of a bucket: it deletes old rows that are no longer true, and keeps the past sizes of segments.

Every function works inside the caller's transaction. Those that write need the bucket's lock.
"""

from __future__ import annotations

from datetime import datetime
from typing import Final

from audience_gql.storage.postgres.database import Connection
from audience_gql.storage.statements import load_statements

_SQL: Final = load_statements(__file__)


async def buckets_to_prune(connection: Connection, before: datetime) -> list[int]:
    """The buckets whose log still has complete changes from before this instant."""
    return [row["id"] for row in await connection.fetch(_SQL["buckets_to_prune"], before)]


async def prune_slice(connection: Connection, bucket_id: int, *, before: datetime, changes: int) -> bool:
    """Lock the bucket and shorten its log by the next `changes` changes that are older than `before`. Returns False when there are none."""
    after = await connection.fetchval(_SQL["lock_bucket"], bucket_id)
    if after is None:
        return False
    end: int | None = await connection.fetchval(_SQL["slice_end"], bucket_id, after, after + changes, before)
    if end is not None:
        await connection.execute(_SQL["keep_hours"], bucket_id, after, end)
        await connection.execute(_SQL["forget_passed"], bucket_id, after, end)
        await connection.execute(_SQL["advance"], bucket_id, end, before)
    return end is not None


async def forget_segment(connection: Connection, bucket_id: int, segment_id: int, changes: int) -> bool:
    """Delete up to `changes` rows that the shortened log keeps for a deleted segment. Returns True when none is left."""
    found = await connection.execute(_SQL["forget_segment"], bucket_id, segment_id, changes)
    if found != "DELETE 0":
        return False
    await connection.execute(_SQL["forget_hours"], bucket_id, segment_id)
    return True
