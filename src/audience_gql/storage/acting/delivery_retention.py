"""Deletes old messages of webhooks with their attempts and changes. Every function works inside the caller's transaction."""

from __future__ import annotations

from datetime import datetime
from typing import Final

from audience_gql.storage.postgres.database import Connection
from audience_gql.storage.statements import load_statements

_SQL: Final = load_statements(__file__)


async def buckets_to_shorten(connection: Connection, before: datetime) -> list[int]:
    """The buckets with messages that ended before an instant."""
    return [row["bucket_id"] for row in await connection.fetch(_SQL["buckets_to_shorten"], before)]


async def forget_ended(connection: Connection, bucket_id: int, *, before: datetime, limit: int) -> bool:
    """Delete up to `limit` messages that ended before an instant. Returns whether there may be more."""
    rows = await connection.fetch(_SQL["old_deliveries"], bucket_id, before, limit)
    ids = [row["id"] for row in rows]
    bounds = [[row[name] for row in rows] for name in ("endpoint_id", "first_number", "last_number")]
    await connection.execute(_SQL["forget_attempts"], bucket_id, ids)
    await connection.execute(_SQL["forget_changes"], bucket_id, *bounds)
    await connection.execute(_SQL["forget_deliveries"], bucket_id, ids)
    if len(rows) == limit:
        return True
    await connection.execute(_SQL["forget_dropped"], bucket_id, before)
    return False
