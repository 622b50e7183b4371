"""The statements of the auditor: choosing a slice, and keeping its figures, one row per hour."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from audience_gql.storage.postgres.database import Connection


@dataclass(frozen=True, slots=True, kw_only=True)
class Totals:
    """What was audited since the installation, and how much work waits."""

    slices: int
    people: int
    differences: int
    last_at: datetime | None
    marks: int
    """The marks that no tick has taken yet, counted up to 100,000."""
    fills: int
    """The segments in the queue of fills."""
    workers: int


async def bucket_from(connection: Connection, bucket_id: int) -> int | None:
    """The first bucket with this id or a later one."""
    found: int | None = await connection.fetchval(
        "SELECT b.id FROM buckets b WHERE b.id >= $1 ORDER BY b.id LIMIT 1", bucket_id
    )
    return found


async def last_bucket(connection: Connection) -> int | None:
    last: int | None = await connection.fetchval("SELECT max(b.id) FROM buckets b")
    return last


async def filled_segments(connection: Connection, bucket_id: int) -> list[int]:
    """The segments whose membership is maintained in a bucket."""
    rows = await connection.fetch(
        "SELECT st.segment_id FROM segment_states st JOIN segments s ON s.id = st.segment_id "
        "WHERE st.bucket_id = $1 AND st.filled_to IS NULL AND st.generation = s.generation "
        "AND s.failure IS NULL AND NOT s.is_paused ORDER BY st.segment_id",
        bucket_id,
    )
    return [row["segment_id"] for row in rows]


async def people_between(connection: Connection, bucket_id: int, after: int, upto: int) -> int:
    count: int = await connection.fetchval(
        "SELECT count(*) FROM subscribers r WHERE r.bucket_id = $1 AND r.id > $2 AND r.id <= $3",
        bucket_id,
        after,
        upto,
    )
    return count


async def note(connection: Connection, now: datetime, *, slices: int, people: int, differences: int) -> None:
    """Add to this hour's figures."""
    await connection.execute(
        "INSERT INTO audits AS a (hour, slices, people, differences, last_at) VALUES ($1, $2, $3, $4, $5) "
        "ON CONFLICT (hour) DO UPDATE SET slices = a.slices + excluded.slices, people = a.people + excluded.people, "
        "differences = a.differences + excluded.differences, last_at = excluded.last_at",
        now.replace(minute=0, second=0, microsecond=0),
        slices,
        people,
        differences,
        now,
    )


async def totals(connection: Connection, alive_since: datetime) -> Totals:
    """All figures of the metrics, in one statement."""
    row = await connection.fetchrow(
        "SELECT coalesce(sum(a.slices), 0)::bigint AS slices, coalesce(sum(a.people), 0)::bigint AS people, "
        "coalesce(sum(a.differences), 0)::bigint AS differences, max(a.last_at) AS last_at, "
        "(SELECT count(*) FROM (SELECT d.kind FROM dirty d LIMIT 100000) m) AS marks, "
        "(SELECT count(*) FROM wanted_fills) AS fills, "
        "(SELECT count(*) FROM workers w WHERE w.seen_at >= $1) AS workers FROM audits a",
        alive_since,
    )
    assert row is not None  # noqa: S101  # an aggregate without groups always has its row
    return Totals(**row)
