"""What a worker finds by looking, in case a signal was lost: buckets with marks or something due, and who else is alive."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from audience_gql.storage.database import Connection


@dataclass(frozen=True, slots=True, kw_only=True)
class Pending:
    """A bucket that wants a tick: at once, or at `due_at`."""

    bucket_id: int
    due_at: datetime | None


async def pending_buckets(connection: Connection, upto: datetime) -> list[Pending]:
    """Buckets with marks, and those with something due up to an instant."""
    rows = await connection.fetch(
        "SELECT b.id AS bucket_id, NULL::timestamptz AS due_at FROM buckets b "
        "WHERE EXISTS (SELECT FROM dirty d WHERE d.bucket_id = b.id) "
        "UNION ALL SELECT b.id, b.next_due_at FROM buckets b WHERE b.next_due_at <= $1",
        upto,
    )
    return [Pending(**row) for row in rows]


async def beat(connection: Connection, worker_id: int, started_at: datetime, now: datetime) -> None:
    """Say that a worker is alive, and forget those that have not been for an hour."""
    await connection.execute(
        "INSERT INTO workers (id, started_at, seen_at) VALUES ($1, $2, $3) "
        "ON CONFLICT (id) DO UPDATE SET seen_at = excluded.seen_at",
        worker_id,
        started_at,
        now,
    )
    await connection.execute("DELETE FROM workers w WHERE w.seen_at < $1", now - timedelta(hours=1))


async def last_beat(connection: Connection) -> datetime | None:
    """When any worker was last seen."""
    seen: datetime | None = await connection.fetchval("SELECT max(w.seen_at) FROM workers w")
    return seen
