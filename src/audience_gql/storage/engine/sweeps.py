"""What a worker finds without signals: the buckets with marks or a due instant, and the other workers that are alive."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta

from audience_gql.storage.postgres.database import Connection

_FORGOTTEN_AFTER = timedelta(hours=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Pending:
    """A bucket that needs a tick: now, for its marks in a lane, or at `due_at`."""

    bucket_id: int
    workspace_id: int
    lane: int | None
    due_at: datetime | None


async def pending_buckets(connection: Connection, upto: datetime) -> list[Pending]:
    """The buckets of all workspaces with marks, once per lane, and those with an instant due up to `upto`."""
    rows = await connection.fetch(
        "SELECT b.id AS bucket_id, b.workspace_id, d.lane, NULL::timestamptz AS due_at "
        "FROM (SELECT DISTINCT m.bucket_id, m.lane FROM dirty m) d JOIN buckets b ON b.id = d.bucket_id "
        "UNION ALL SELECT b.id, b.workspace_id, NULL, b.next_due_at FROM buckets b WHERE b.next_due_at <= $1",
        upto,
    )
    return [Pending(**row) for row in rows]


async def workspaces_of(connection: Connection, bucket_ids: Collection[int]) -> dict[int, int]:
    """The workspace ids by bucket id. Buckets that no longer exist are left out."""
    rows = await connection.fetch(
        "SELECT b.id, b.workspace_id FROM buckets b WHERE b.id = ANY($1::bigint[])", list(bucket_ids)
    )
    return {row["id"]: row["workspace_id"] for row in rows}


async def beat(
    connection: Connection,
    worker_id: int,
    started_at: datetime,
    now: datetime,
    *,
    looked_for_jobs_at: datetime | None,
    missed_after: timedelta,
) -> list[int]:
    """Record a heartbeat, and delete workers that have had none for an hour. Returns the other living workers, in order."""
    rows = await connection.fetch(
        "WITH seen AS (INSERT INTO workers (id, started_at, seen_at, looked_for_jobs_at) VALUES ($1, $2, $3, $6) "
        "ON CONFLICT (id) DO UPDATE SET seen_at = excluded.seen_at, looked_for_jobs_at = excluded.looked_for_jobs_at), "
        "gone AS (DELETE FROM workers o WHERE o.seen_at < $4) "
        "SELECT w.id FROM workers w WHERE w.seen_at >= $5 AND w.id <> $1 ORDER BY w.id",
        worker_id,
        started_at,
        now,
        now - _FORGOTTEN_AFTER,
        now - missed_after,
        looked_for_jobs_at,
    )
    return [row["id"] for row in rows]


async def retire(connection: Connection, worker_id: int) -> None:
    """Remove a worker that stops, so that the others take its buckets at once."""
    await connection.execute("DELETE FROM workers w WHERE w.id = $1", worker_id)


@dataclass(frozen=True, slots=True, kw_only=True)
class LastSeen:
    """When any worker was last seen, and when any last looked for jobs. None for never."""

    seen_at: datetime | None
    looked_for_jobs_at: datetime | None


async def last_seen(connection: Connection) -> LastSeen:
    row = await connection.fetchrow(
        "SELECT max(w.seen_at) AS seen_at, max(w.looked_for_jobs_at) AS looked_for_jobs_at FROM workers w"
    )
    assert row is not None  # noqa: S101  # an aggregate has one row
    return LastSeen(**row)
