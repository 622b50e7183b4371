"""Shortens the log of a bucket: what is old and no longer true goes, what segments' sizes were stays.

Every function works inside the caller's transaction; all that write, under the bucket's lock.
"""

from __future__ import annotations

from datetime import datetime
from typing import Final

from audience_gql.storage.database import Connection
from audience_gql.storage.statements import load_statements

_SQL: Final = load_statements(__file__)


async def buckets_to_prune(connection: Connection, before: datetime) -> list[int]:
    """The buckets whose log has changes from before this instant that were not looked at."""
    return [row["id"] for row in await connection.fetch(_SQL["buckets_to_prune"], before)]


async def prune_slice(connection: Connection, bucket_id: int, *, before: datetime, changes: int) -> bool:
    """Hold the bucket, and shorten the next so many changes of its log, as far as they are older; False when none are."""
    after = await connection.fetchval(_SQL["lock_bucket"], bucket_id)
    if after is None:
        return False
    end: int | None = await connection.fetchval(_SQL["slice_end"], bucket_id, after, after + changes, before)
    if end is not None:
        await connection.execute(_SQL["keep_hours"], bucket_id, after, end)
        await connection.execute(_SQL["forget_passed"], bucket_id, after, end)
        await connection.execute(_SQL["advance"], bucket_id, end)
    return end is not None


async def forget_segment(connection: Connection, bucket_id: int, segment_id: int, changes: int) -> bool:
    """Remove up to so many of a deleted segment's changes that were kept for being true; True when none is left."""
    found = await connection.execute(_SQL["forget_segment"], bucket_id, segment_id, changes)
    if found != "DELETE 0":
        return False
    await connection.execute(_SQL["forget_hours"], bucket_id, segment_id)
    return True
